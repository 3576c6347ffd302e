//! `memory_add`: keeps a fact for later conversations.
//!
//! What a model stores bears its mark (`trust: agent`) and the session it came from, so that a
//! person can tell it from their own words. In a conversation with text of strangers it is their
//! word (`trust: untrusted`), however the model puts it.

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
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::memory::NewItem;
use crate::memory::Trust;
use crate::protocol::Effect;
use crate::protocol::ItemBody;

/// The tool; it has no settings.
pub struct MemoryAdd;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    content: String,
    category: Option<String>,
    tags: Option<Vec<String>>,
}

#[async_trait]
impl Tool for MemoryAdd {
    fn name(&self) -> &'static str {
        "memory_add"
    }

    fn description(&self) -> &'static str {
        "Remember a fact for later conversations"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Remember
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["category"].as_str().unwrap_or("general").to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let new = NewItem {
            category: args.category,
            tags: args.tags.unwrap_or_default(),
            source: Some("agent".to_owned()),
            trust: Some(if context.origin.is_some() { Trust::Untrusted } else { Trust::Agent }),
            provenance: Some(provenance(context)),
            ..NewItem::new(args.content)
        };
        let memory = memory(context)?;
        // A database that ends with the process is for the turns of a conversation, not for promises.
        memory.keeps().map_err(|error| for_model(&error))?;
        let item = memory.add(new).await.map_err(|error| for_model(&error))?;
        let event = ItemBody::Memory {
            action: "add".to_owned(),
            id: item.id.clone(),
            text: item.content.clone(),
        };
        Ok(ToolOutput::text(format!("remembered as {}", item.id))
            .with_data(json!({"id": item.id}))
            .with_item(event))
    }
}

/// The session, and whose text was part of it.
fn provenance(context: &ToolContext) -> Value {
    match &context.origin {
        None => json!({"session": context.session_id}),
        Some(origin) => json!({"session": context.session_id, "untrusted_origin": origin}),
    }
}

/// The run's memory, or words for the model why there is none.
pub(super) fn memory(context: &ToolContext) -> Result<&MemoryHandle, ToolError> {
    context
        .memory
        .as_ref()
        .ok_or_else(|| ToolError::ForModel("memory is switched off for this run".to_owned()))
}

/// A failure of the database in words; the run goes on without what was asked.
pub(super) fn for_model(error: &MemoryError) -> ToolError {
    ToolError::ForModel(match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::MemoryAdd;
    use crate::config::settings::Ephemeral;
    use crate::config::settings::MemorySettings;
    use crate::memory::MemoryHandle;
    use crate::memory::Trust;
    use crate::tools::Tool;
    use crate::tools::ToolContext;
    use crate::tools::memory_search::MemorySearch;

    fn context(directory: &std::path::Path) -> ToolContext {
        let path = directory.join("agent.db");
        let settings = MemorySettings { enabled: true, ephemeral: None, path };
        let memory = Some(MemoryHandle::open(&settings).unwrap());
        ToolContext { memory, ..ToolContext::for_tests(directory) }
    }

    #[tokio::test]
    async fn what_is_added_is_found_and_bears_the_agent_s_mark() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path());
        let arguments = json!({"content": "the gate code is 4711", "tags": ["door"]});
        let added = MemoryAdd.run(arguments, &context).await.unwrap();
        let id = added.data.unwrap()["id"].as_str().unwrap().to_owned();
        let memory = context.memory.clone().unwrap();
        let item = memory.get(id.clone()).await.unwrap().unwrap();
        assert_eq!((item.trust, item.source.as_str()), (Trust::Agent, "agent"));
        assert_eq!(item.provenance, Some(json!({"session": "test"})));
        let found = MemorySearch.run(json!({"query": "gate code?"}), &context).await.unwrap();
        assert!(found.text.contains("the gate code is 4711"), "{}", found.text);
        let data = found.data.unwrap();
        assert_eq!(data["items"][0]["id"], json!(id));
        assert!(data["items"][0]["score"].as_f64().unwrap() > 0.0);
    }

    #[tokio::test]
    async fn nothing_found_is_said_so() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path());
        let found = MemorySearch.run(json!({"query": "unicorn"}), &context).await.unwrap();
        assert_eq!(found.text, "nothing is remembered about this");
        assert_eq!(found.data, Some(json!({"items": []})));
    }

    #[tokio::test]
    async fn without_memory_the_model_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let context = ToolContext::for_tests(directory.path());
        let error = MemoryAdd.run(json!({"content": "x"}), &context).await.unwrap_err();
        assert_eq!(error.to_string(), "memory is switched off for this run");
    }

    #[tokio::test]
    async fn where_nothing_is_kept_nothing_is_remembered_nor_looked_up() {
        let directory = tempfile::tempdir().unwrap();
        for (reason, why) in [
            (Ephemeral::Asked, "`--ephemeral`"),
            (Ephemeral::SwitchedOff, "switched off"),
            (Ephemeral::NoPlace, "AGI_DATA_DIR"),
        ] {
            let path = directory.path().join("agent.db");
            let settings = MemorySettings { enabled: true, ephemeral: Some(reason), path };
            let memory = Some(MemoryHandle::open(&settings).unwrap());
            let context = ToolContext { memory, ..ToolContext::for_tests(directory.path()) };
            let added = MemoryAdd.run(json!({"content": "x"}), &context).await;
            let found = MemorySearch.run(json!({"query": "x"}), &context).await;
            for error in [added.unwrap_err(), found.unwrap_err()] {
                assert!(error.to_string().contains(why), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn empty_content_is_the_model_s_mistake() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path());
        let error = MemoryAdd.run(json!({"content": "  "}), &context).await.unwrap_err();
        assert_eq!(error.to_string(), "an item needs content");
    }
}
