//! `tracing` spans to stderr (`-v`) and to a file that Perfetto and Chrome can show (`--trace`).
//!
//! Installed once per process, before anything else runs.

use std::path::Path;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_chrome::FlushGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use super::concealing::Concealing;
use crate::protocol::secrets::Vault;

/// Keeps the trace file open; dropping it completes the JSON.
#[must_use = "dropping it at once leaves an incomplete file"]
pub struct TraceGuard(#[expect(dead_code, reason = "held for its Drop")] Option<FlushGuard>);

/// Where spans go.
#[derive(Debug, Clone, Copy)]
pub struct TraceOptions<'a> {
    /// What stderr shows; `OFF` for nothing.
    pub stderr: LevelFilter,
    pub color: bool,
    /// What stderr would show is appended to this file instead.
    pub log: Option<&'a Path>,
    /// Chrome trace JSON.
    pub file: Option<&'a Path>,
    /// Values (with their names) that must not appear.
    pub secrets: &'a [(String, String)],
}

/// Installs the subscriber; without anything to show it installs none, and spans cost nothing.
pub fn start(options: TraceOptions<'_>) -> std::io::Result<TraceGuard> {
    if options.stderr == LevelFilter::OFF && options.file.is_none() {
        return Ok(TraceGuard(None));
    }
    let vault = Arc::new(Vault::new(options.secrets.iter().cloned()));
    let mut guard = None;
    let mut layers = Vec::new();
    if options.stderr != LevelFilter::OFF {
        let log =
            options.log.map(|path| std::fs::File::options().create(true).append(true).open(path));
        let log = log.transpose()?.map(Arc::new);
        let color = options.color && log.is_none();
        let vault = Arc::clone(&vault);
        let writer = move || -> Box<dyn std::io::Write> {
            match &log {
                Some(file) => Box::new(Concealing::new(Arc::clone(file), Arc::clone(&vault))),
                None => Box::new(Concealing::new(std::io::stderr(), Arc::clone(&vault))),
            }
        };
        let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(color);
        layers.push(layer.with_target(false).with_filter(options.stderr).boxed());
    }
    if let Some(path) = options.file {
        let file = std::fs::File::create(path)?;
        let (layer, flush) = tracing_chrome::ChromeLayerBuilder::new()
            .writer(Concealing::new(file, vault))
            .include_args(true)
            .trace_style(tracing_chrome::TraceStyle::Async)
            .build();
        let ours = tracing_subscriber::filter::Targets::new()
            .with_target("agi_agent", tracing::Level::DEBUG);
        layers.push(layer.with_filter(ours).boxed());
        guard = Some(flush);
    }
    // A second start in one process (only tests do that) keeps the first subscriber.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
    Ok(TraceGuard(guard))
}
