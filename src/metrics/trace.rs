//! `tracing` spans to stderr (`-v`) and to a file that Perfetto and Chrome can show (`--trace`).
//!
//! Installed once per process, before anything else runs. A file that cannot be written is told at the
//! end, and ends nothing.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_chrome::FlushGuard;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use super::concealing::Concealing;
use crate::protocol::secrets::Vault;

/// Keeps the trace file open; dropping it completes the JSON.
#[must_use = "dropping it at once leaves an incomplete file"]
#[derive(Default)]
pub struct TraceGuard {
    file: Option<FlushGuard>,
    /// Why the file is not whole. Set once, by the thread that writes it.
    failure: Arc<OnceLock<io::Error>>,
}

impl TraceGuard {
    /// Completes the file; an error where it could not be written.
    pub fn finish(self) -> io::Result<()> {
        let Self { file, failure } = self;
        // Waits for the thread that writes.
        drop(file);
        match failure.get() {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }
}

/// Remembers the first failure and swallows what comes after it: the library's thread would panic of it.
struct Remembering {
    file: File,
    failure: Arc<OnceLock<io::Error>>,
}

impl Write for Remembering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failure.get().is_some() {
            return Ok(bytes.len());
        }
        match self.file.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.failure.set(error).ok();
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

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
pub fn start(options: TraceOptions<'_>) -> io::Result<TraceGuard> {
    let mut guard = TraceGuard::default();
    if options.stderr == LevelFilter::OFF && options.file.is_none() {
        return Ok(guard);
    }
    let vault = Arc::new(Vault::new(options.secrets.iter().cloned()));
    let mut layers = Vec::new();
    if options.stderr != LevelFilter::OFF {
        let log = options.log.map(|path| open(path, File::options().create(true).append(true)));
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
        let file = open(path, File::options().create(true).write(true).truncate(true))?;
        #[cfg(unix)]
        must_not_be_a_pipe(&file)?;
        let file = Remembering { file, failure: Arc::clone(&guard.failure) };
        let (layer, flush) = tracing_chrome::ChromeLayerBuilder::new()
            .writer(Concealing::new(file, vault))
            .include_args(true)
            .trace_style(tracing_chrome::TraceStyle::Async)
            .build();
        let ours = tracing_subscriber::filter::Targets::new()
            .with_target("agi_agent", tracing::Level::DEBUG);
        layers.push(layer.with_filter(ours).boxed());
        guard.file = Some(flush);
    }
    // A second start in one process (only tests do that) keeps the first subscriber.
    drop(tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers)));
    Ok(guard)
}

/// Opens a file to write to. A pipe that nobody reads is an error: opening it would wait for a reader.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let told = |error: io::Error| {
        #[cfg(unix)]
        if error.raw_os_error() == Some(libc::ENXIO) {
            return io::Error::new(error.kind(), "it is a pipe that nobody reads, or a socket");
        }
        error
    };
    let file = options.open(path).map_err(told)?;
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Whoever reads slowly is waited for.
        let flags = rustix::fs::fcntl_getfl(&file)? - OFlags::NONBLOCK;
        rustix::fs::fcntl_setfl(&file, flags)?;
    }
    Ok(file)
}

/// A trace is completed at the very end, when nothing watches the time any more.
#[cfg(unix)]
fn must_not_be_a_pipe(file: &File) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;

    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is a pipe, and a trace is a file"));
    }
    Ok(())
}
