//! `memory_search`: finds remembered facts by words.

use std::fmt::Write;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Claim;
use super::Class;
use super::Thing;
use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use super::memory_add::for_model;
use super::memory_add::memory;
use crate::memory::Hit;
use crate::memory::Query;
use crate::memory::Trust;
use crate::protocol::Effect;

/// Hits where the model names no number, and the most it can ask for.
const USUAL: usize = 5;
const MOST: usize = 50;

/// The tool; it has no settings.
pub struct MemorySearch;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    query: String,
    limit: Option<usize>,
}

#[async_trait]
impl Tool for MemorySearch {
    fn name(&self) -> &'static str {
        "memory_search"
    }

    fn description(&self) -> &'static str {
        "Find remembered facts by words"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Read
    }

    fn claim(&self, _arguments: &Value, _context: &ToolContext) -> Claim {
        Claim::of(Class::Disk, Thing::Memory, false)
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["query"].as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let limit = args.limit.unwrap_or(USUAL).min(MOST);
        let query = Query { text: args.query, limit, ..Query::default() };
        let memory = memory(context)?;
        memory.keeps().map_err(|error| for_model(&error))?;
        let hits = memory.search(query).await.map_err(|error| for_model(&error))?;
        Ok(ToolOutput::text(text(&hits)).with_data(data(&hits)))
    }
}

/// One line per item; what nobody vouches for is marked.
fn text(hits: &[Hit]) -> String {
    if hits.is_empty() {
        return "nothing is remembered about this".to_owned();
    }
    let mut text = String::new();
    for Hit { item, .. } in hits {
        let mark = if item.trust == Trust::Untrusted { " [untrusted]" } else { "" };
        let day = item.updated_at.get(..10).unwrap_or_default();
        // Writing to a `String` cannot fail.
        writeln!(text, "- ({day}, {}){mark} {}", item.category, item.content).ok();
    }
    text
}

fn data(hits: &[Hit]) -> Value {
    let items: Vec<Value> = hits
        .iter()
        .map(|Hit { item, score }| {
            json!({
                "id": item.id,
                "content": item.content,
                "category": item.category,
                "tags": item.tags,
                "trust": item.trust,
                "score": score,
                "updated_at": item.updated_at,
            })
        })
        .collect();
    json!({"items": items})
}
