//! `agi-agent model bench`: how many tokens a second the configured model reads and writes.

use clap::Args;
use serde_json::json;

use super::settings;
use crate::bridge::models::local;
use crate::bridge::models::local::Speed;
use crate::cli::commands::run::ModelArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::wiring;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Tokens of the prompt, about
    #[arg(long, value_name = "N", default_value_t = 256)]
    prompt_tokens: usize,
    /// Tokens of the answer, at most
    #[arg(long, value_name = "N", default_value_t = 64)]
    output_tokens: u32,
    /// Answers that are measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    repeat: u64,
    #[command(flatten)]
    model: ModelArgs,
}

pub async fn run(args: &BenchArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let settings = settings(&args.model, context)?;
    let client = wiring::client(&settings)?;
    let model = wiring::tried(&settings.model, &client)?;
    // Weights come into memory and connections are made before the clock counts.
    local::measure(model.as_ref(), 1, 1, 0).await?;
    let mut speeds = Vec::new();
    for salt in 1..=args.repeat.max(1) {
        let speed =
            local::measure(model.as_ref(), args.prompt_tokens, args.output_tokens, salt).await?;
        speeds.push(speed);
    }
    let info = model.info();
    let name = format!("{}/{}", info.provider, info.name);
    let (reading, writing) = (best(&speeds, Speed::reading), best(&speeds, Speed::writing));
    if context.global.json {
        let runs: Vec<_> = speeds
            .iter()
            .map(|speed| {
                json!({
                    "input_tokens": speed.input_tokens,
                    "output_tokens": speed.output_tokens,
                    "first_ms": speed.first.as_secs_f64() * 1e3,
                    "rest_ms": speed.rest.as_secs_f64() * 1e3,
                })
            })
            .collect();
        context.output.json(&json!({
            "model": name,
            "prompt_tokens_per_second": reading,
            "output_tokens_per_second": writing,
            "runs": runs,
        }))?;
        return Ok(ExitCode::Done);
    }
    context.output.line(&format!("{name} (best of {})", speeds.len()))?;
    context.output.line(&format!("  reads   {reading:>9.1} tokens/s"))?;
    context.output.line(&format!("  writes  {writing:>9.1} tokens/s"))?;
    Ok(ExitCode::Done)
}

/// The best run: whatever else the machine did only slows down.
fn best(speeds: &[Speed], measure: impl Fn(&Speed) -> f64) -> f64 {
    speeds.iter().map(measure).fold(0.0, f64::max)
}
