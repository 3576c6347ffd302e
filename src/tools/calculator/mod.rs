//! The `calculator` tool: exact arithmetic, so that a model need not guess digits.
//!
//! Knows nothing of files or processes, and every expression ends soon: sizes are bounded before
//! anything is computed.

mod expression;

mod function;

mod number;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use crate::protocol::Effect;

/// Calculates.
pub struct Calculator;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    expression: String,
}

#[async_trait]
impl Tool for Calculator {
    fn name(&self) -> &'static str {
        "calculator"
    }

    fn description(&self) -> &'static str {
        "Exact arithmetic: + - * / // % ^, 15% of 80, sqrt, round, log, sin, min, max"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Pure
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["expression"].as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, arguments: Value, _context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let number = expression::evaluate(&args.expression).map_err(|error| {
            ToolError::ForModel(format!("`{}`, {error}", shorten(&args.expression)))
        })?;
        let (value, exact) = number.to_text();
        Ok(ToolOutput::text(value.clone()).with_data(json!({"value": value, "exact": exact})))
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
