//! `agi-agent doctor`: checks what people ask support for, each finding with what mends it.
//!
//! Looks only; changes nothing and connects to nothing.

use serde::Serialize;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::wiring;
use crate::config::settings::Settings;
use crate::protocol::ExitCode;
use crate::sandbox::Sandbox;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Grade {
    Ok,
    /// Works, but less than it could.
    Note,
    /// Something that people rely on will fail.
    Problem,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    grade: Grade,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, detail: detail.into(), remedy: None }
    }

    fn note(check: &'static str, detail: impl Into<String>, remedy: &str) -> Self {
        let remedy = Some(remedy.to_owned());
        Self { check, grade: Grade::Note, detail: detail.into(), remedy }
    }

    fn problem(check: &'static str, detail: impl Into<String>, remedy: &str) -> Self {
        Self { grade: Grade::Problem, ..Self::note(check, detail, remedy) }
    }
}

/// Ends 1 when a problem was found.
pub async fn run(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    // A configuration that cannot be read is itself the finding, with its own exit code.
    let settings = context.settings()?;
    let mut findings = vec![Finding::ok("configuration", "every layer is well-formed")];
    findings.push(model(&settings));
    findings.push(sandbox(context, &settings).await);
    findings.push(memory(&settings).await);
    findings.push(proc_mounted());
    findings.push(certificates(&settings));
    findings.push(python(&settings));
    let failed = findings.iter().any(|finding| finding.grade == Grade::Problem);
    if context.global.json {
        context.output.json(&findings)?;
    } else {
        for finding in &findings {
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
    }
    Ok(if failed { ExitCode::TaskFailed } else { ExitCode::Done })
}

fn model(settings: &Settings) -> Finding {
    let model = &settings.model;
    let name = format!("{}/{}", model.provider, model.name);
    match model.provider.as_str() {
        "builtin" => Finding::note(
            "model",
            "no model is configured; the builtin one answers",
            "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or `model.provider`",
        ),
        "openai" | "anthropic" if model.api_key.is_none() && model.base_url.is_none() => {
            let remedy = format!("set {}_API_KEY", model.provider.to_uppercase());
            Finding::problem("model", format!("{name} has no key"), &remedy)
        }
        _ => Finding { remedy: Some("agi-agent model test".into()), ..Finding::ok("model", name) },
    }
}

async fn sandbox(context: &CommandContext, settings: &Settings) -> Finding {
    let directory = match context.directory() {
        Ok(directory) => directory,
        Err(error) => {
            return Finding::problem("directory", error.message, "go elsewhere, or -C DIR");
        }
    };
    let level = settings.sandbox.level.as_str();
    let sandbox = Sandbox::new(wiring::policy(settings, &context.places, directory));
    match sandbox.probe().await {
        Ok(rung) => Finding::ok("sandbox", format!("{level}, held by {}", rung.as_str())),
        Err(error) => Finding::problem(
            "sandbox",
            format!("{level} cannot be had here: {error}"),
            "commands end 44; see docs/sandbox.md, or `--sandbox danger-full-access`",
        ),
    }
}

async fn memory(settings: &Settings) -> Finding {
    if settings.memory.ephemeral {
        return Finding::note(
            "memory",
            "there is no home directory, so nothing is kept",
            "set HOME, XDG_DATA_HOME or AGI_DATA_DIR",
        );
    }
    let path = settings.memory.path.display().to_string();
    if !settings.memory.path.exists() {
        return Finding::ok("memory", format!("{path} (not there yet)"));
    }
    let checked = match crate::memory::MemoryHandle::open(&settings.memory) {
        Ok(handle) => handle.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(report) if report.ok => Finding::ok("memory", format!("{path} is whole")),
        Ok(_) => {
            Finding::problem("memory", format!("{path} is damaged"), "agi-agent memory repair")
        }
        Err(error) => Finding::problem("memory", error.to_string(), "agi-agent memory check"),
    }
}

/// What degrades without /proc: our own path is argv[0], descendants cannot be listed.
fn proc_mounted() -> Finding {
    if !cfg!(target_os = "linux") || std::path::Path::new("/proc/self/exe").exists() {
        return Finding::ok(
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        );
    }
    Finding::note(
        "system",
        "/proc is not mounted: the sandbox and python_exec need it",
        "mount -t proc proc /proc",
    )
}

fn certificates(settings: &Settings) -> Finding {
    match crate::network::trusted_certificates(&settings.network) {
        Ok(count) => Finding::ok("certificates", format!("{count} authorities")),
        Err(error) => Finding::problem(
            "certificates",
            format!("https will fail: {error}"),
            "install ca-certificates, or set SSL_CERT_FILE or --ca",
        ),
    }
}

fn python(settings: &Settings) -> Finding {
    match &settings.python.wheels {
        Some(path) if !path.is_dir() => Finding::problem(
            "python",
            format!("`python.wheels` names `{}`, which is no directory", path.display()),
            "pip install --target DIR PACKAGE",
        ),
        Some(path) => Finding::ok("python", format!("packages of {}", path.display())),
        None => Finding::ok("python", "bundled"),
    }
}
