//! `agi-agent doctor`: checks what people ask support for, each finding with what mends it.
//!
//! Looks only and changes nothing. It connects to the proxies and the models that are configured,
//! and to nothing with `--offline`.

mod files;

mod finding;

mod memory;

mod model;

mod surroundings;

use std::path::Path;

use tokio_util::sync::CancellationToken;

use finding::Finding;
use finding::Grade;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::interrupt;
use crate::cli::task::interrupt::Watch;
use crate::config::error::Diagnostic;
use crate::config::layer::Assignments;
use crate::config::layer::Merged;
use crate::config::resolve;
use crate::protocol::ExitCode;

/// Ends 1 when a problem was found.
pub async fn run(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let cancel = Cancellation::new();
    // A command behind a key ends with this one.
    let _signals = Watch::over(&cancel);
    let done = tokio::select! {
        done = look(context, cancel.token()) => Some(done),
        () = cancel.token().cancelled() => None,
    };
    match (cancel.reason(), done) {
        (None, Some(done)) => done,
        (reason, _) => Err(interrupt::ended(reason.unwrap_or(CancelReason::Interrupted))),
    }
}

async fn look(
    context: &mut CommandContext,
    cancel: &CancellationToken,
) -> Result<ExitCode, CommandError> {
    // A configuration that cannot be read is itself the finding, with its own exit code.
    let merged = context.merged(Assignments::new())?;
    // A directory that was removed is a finding as well (`surroundings::sandbox`).
    let directory = context.directory().map(Path::to_path_buf).unwrap_or_default();
    let settings = resolve::resolve(&merged, &context.environment, &context.places, &directory)?;
    let mut findings = configuration(&merged);
    let (models, date) = model::check(&settings, cancel).await;
    findings.extend(models);
    findings.push(surroundings::clock(crate::system::clock::now(), date));
    findings.push(surroundings::sandbox(context, &settings).await);
    findings.push(surroundings::system());
    findings.push(surroundings::kernel());
    findings.extend(surroundings::proxies(&settings).await);
    findings.push(surroundings::certificates(&settings));
    findings.extend(memory::check(&settings, &context.output).await);
    findings.extend(files::permissions(&context.places, &settings));
    findings.push(files::wheels(&settings));
    print(&findings, context)?;
    let failed = findings.iter().any(|finding| finding.grade == Grade::Problem);
    Ok(if failed { ExitCode::TaskFailed } else { ExitCode::Done })
}

/// Everything that loading found and that is no error: unknown, old and ignored names.
fn configuration(merged: &Merged) -> Vec<Finding> {
    let finding = |found: &Diagnostic| {
        let remedy = found.remedy.clone().unwrap_or_else(|| "agi-agent config check".to_owned());
        Finding::note("configuration", format!("{}: {}", found.place, found.message), remedy)
    };
    let findings: Vec<_> = merged.diagnostics.iter().map(finding).collect();
    if findings.is_empty() {
        return vec![Finding::ok("configuration", "every layer is well-formed")];
    }
    findings
}

fn print(findings: &[Finding], context: &mut CommandContext) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(context.output.json(&findings)?);
    }
    for finding in findings {
        let mark = match finding.grade {
            Grade::Ok => "ok",
            Grade::Note => "note",
            Grade::Problem => "PROBLEM",
        };
        context.output.line(&format!("{mark:8} {:14} {}", finding.check, finding.detail))?;
        if let Some(remedy) = &finding.remedy {
            context.output.line(&format!("{:8} {:14} -> {remedy}", "", ""))?;
        }
    }
    Ok(())
}
