//! `agi-agent status`: which model, which limits, which files, in a few lines.

use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::layer::without_password;
use crate::config::settings::ModelSettings;
use crate::protocol::ExitCode;

pub fn run(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let settings = context.settings()?;
    let directory = context.directory().map(|path| path.display().to_string()).ok();
    let database = settings.memory.ephemeral.is_none().then(|| settings.memory.path.clone());
    let size = database.as_ref().and_then(|path| path.metadata().ok()).map(|meta| meta.len());
    let rows = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": model_name(&settings.model),
        "base_url": settings.model.base_url.as_deref().map(without_password),
        "offline": settings.network.offline,
        "sandbox": settings.sandbox.level.as_str(),
        "approve": settings.approval.mode,
        "max_turns": settings.limits.max_turns,
        "memory": settings.memory.enabled,
        "database": database.as_ref().map(|path| path.to_string_lossy()),
        "database_bytes": size,
        "directory": directory,
    });
    if context.global.json {
        context.output.json(&rows)?;
        return Ok(ExitCode::Done);
    }
    for (name, value) in rows.as_object().into_iter().flatten() {
        let text = match value {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        context.output.line(&format!("{name:14}  {text}"))?;
    }
    if settings.model.lacks_provider() {
        context.output.status("note: the model has no provider; set `model.provider`");
    } else if settings.model.provider == "builtin" && !settings.model.named {
        context.output.status(
            "note: no model is configured; set OPENAI_API_KEY or ANTHROPIC_API_KEY, \
             or `--model PROVIDER/NAME`",
        );
    }
    Ok(ExitCode::Done)
}

/// `provider/name`, as far as it is known.
fn model_name(model: &ModelSettings) -> String {
    if model.lacks_provider() {
        return format!("{} (no provider)", model.name);
    }
    format!("{}/{}", model.provider, model.name)
}
