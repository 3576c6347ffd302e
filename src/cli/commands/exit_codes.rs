//! `agi-agent help-exit-codes`: the interface that scripts rely on.

use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::protocol::ExitCode;

pub fn run(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    if context.global.json {
        let list: Vec<_> = ExitCode::ALL
            .iter()
            .map(|(code, meaning)| json!({"code": u8::from(*code), "meaning": meaning}))
            .collect();
        context.output.json(&list)?;
        return Ok(ExitCode::Done);
    }
    for (code, meaning) in ExitCode::ALL {
        context.output.line(&format!("{:>3}  {meaning}", u8::from(code)))?;
    }
    Ok(ExitCode::Done)
}
