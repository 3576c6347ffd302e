//! `config check`: every finding of all layers, or of one file, as text, JSON or SARIF.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::error::ConfigError;
use crate::config::error::Diagnostic;
use crate::config::error::Severity;
use crate::config::layer::Assignments;
use crate::config::load;
use crate::config::report;
use crate::config::resolve;
use crate::config::source::Owner;
use crate::config::table::check::Strictness;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Check this file alone instead of all that are in force
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print SARIF, which code hosts show beside the lines
    #[arg(long)]
    sarif: bool,
}

pub(super) fn run(args: CheckArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let found = match &args.file {
        Some(file) => of_file(&context.directory()?.join(file))?,
        None => of_layers(context)?,
    };
    if args.sarif {
        context.output.json(&report::as_sarif(&found, env!("CARGO_PKG_VERSION")))?;
    } else if context.global.json {
        let list: Vec<Value> = found.iter().map(report::as_json).collect();
        context.output.json(&list)?;
    } else {
        print(&found, context)?;
    }
    let failed = found.iter().any(|found| found.severity == Severity::Error);
    Ok(if failed { ExitCode::Configuration } else { ExitCode::Done })
}

fn of_file(path: &std::path::Path) -> Result<Vec<Diagnostic>, CommandError> {
    match load::read(path, Owner::Organisation, Strictness::Lenient) {
        Ok(Some(checked)) => Ok(checked.diagnostics),
        Ok(None) => Err(CommandError::input(format!("there is no file `{}`", path.display()))),
        Err(error) => Ok(vec![error]),
    }
}

/// What loading finds, and where that is nothing grave, what is wrong with the meaning.
fn of_layers(context: &mut CommandContext) -> Result<Vec<Diagnostic>, CommandError> {
    let merged = context.merged(Assignments::new())?;
    let mut found = merged.diagnostics.clone();
    let directory = context.directory()?;
    let resolved = resolve::resolve(&merged, &context.environment, &context.places, directory);
    if let (Ok(()), Err(ConfigError { errors })) = (merged.check(), resolved) {
        found.extend(errors);
    }
    Ok(found)
}

fn print(found: &[Diagnostic], context: &mut CommandContext) -> Result<(), CommandError> {
    for finding in found {
        context.output.line(&format!("{}: {}", word(finding.severity), finding.headline()))?;
        if let Some(remedy) = &finding.remedy {
            context.output.line(&format!("  -> {remedy}"))?;
        }
    }
    let count = |severity| found.iter().filter(|found| found.severity == severity).count();
    let summary = match found {
        [] => "no findings".to_owned(),
        _ => format!(
            "{} errors, {} warnings, {} notes",
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Note)
        ),
    };
    context.output.status(&summary);
    Ok(())
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
