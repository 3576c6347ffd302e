//! What leaves a run, without the values of secrets that are known: events, the outcome, the stored
//! conversation. One gate for all of it, since a value may stand wherever a model or a command has put it.
//!
//! What has to be carried out never comes through here.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::protocol::Event;
use crate::protocol::ItemBody;
use crate::protocol::Message;
use crate::protocol::Outcome;
use crate::protocol::Part;
use crate::protocol::ToolResult;
use crate::protocol::secrets::Vault;
use crate::tools::ToolContext;

/// The vault of a run; one that knows nothing where there is none.
pub(super) fn vault_of(context: &ToolContext) -> &Vault {
    static NOTHING: LazyLock<Vault> = LazyLock::new(Vault::default);
    context.vault.as_deref().unwrap_or(&NOTHING)
}

/// Conceals in everything of an event that a model, a person or the world has worded.
pub(super) fn in_event(vault: &Vault, event: &mut Event) {
    match event {
        Event::ItemStarted { item }
        | Event::ItemUpdated { item }
        | Event::ItemCompleted { item } => {
            in_body(vault, &mut item.body);
        }
        Event::TurnFailed { error: text } | Event::ModelRetry { reason: text, .. } => {
            vault.conceal_in(text);
        }
        Event::Result(outcome) => in_outcome(vault, outcome),
        _ => {}
    }
}

fn in_body(vault: &Vault, body: &mut ItemBody) {
    match body {
        ItemBody::CommandExecution { command, output, artefacts, .. } => {
            vault.conceal_in(command);
            vault.conceal_in(output);
            for artefact in artefacts {
                vault.conceal_in(&mut artefact.content);
            }
        }
        ItemBody::ToolCall { tool, arguments, output } => {
            vault.conceal_in(tool);
            vault.conceal_data(arguments);
            vault.conceal_in(output);
        }
        ItemBody::FileChange { path, diff, .. } => {
            vault.conceal_in(path);
            vault.conceal_in(diff);
        }
        ItemBody::AgentMessage { text }
        | ItemBody::Reasoning { text }
        | ItemBody::Plan { text }
        | ItemBody::Memory { text, .. }
        | ItemBody::Error { message: text } => {
            vault.conceal_in(text);
        }
    }
}

/// Conceals in what a run tells at its end. The answer as data was taken from the concealed text.
pub(super) fn in_outcome(vault: &Vault, outcome: &mut Outcome) {
    vault.conceal_in(&mut outcome.text);
    for line in outcome.errors.iter_mut().chain(&mut outcome.hints) {
        vault.conceal_in(line);
    }
    for name in &mut outcome.calls.unmended {
        vault.conceal_in(name);
    }
    for denial in &mut outcome.denials {
        for text in [&mut denial.tool, &mut denial.target, &mut denial.reason] {
            vault.conceal_in(text);
        }
    }
}

/// A reply as it enters the conversation: with its calls as they are shown. Reasoning stays: a provider that
/// has signed it wants it back unchanged.
pub(super) fn in_conversation(vault: &Vault, message: &Message) -> Message {
    let shown = |part: &Part| match part {
        Part::ToolCall(call) => Part::ToolCall(vault.conceal_call(call)),
        part => part.clone(),
    };
    Message { role: message.role, parts: message.parts.iter().map(shown).collect() }
}

/// A result as it enters the conversation: what never ran quotes the call, and a page its address.
pub(super) fn in_result(vault: &Vault, result: &mut ToolResult) {
    vault.conceal_in(&mut result.name);
    vault.conceal_in(&mut result.text);
    if let Some(text) = &mut result.origin {
        vault.conceal_in(text);
    }
    if let Some(data) = &mut result.data {
        vault.conceal_data(data);
    }
}

/// A message as it is stored: reasoning that holds a value is left out whole, since what a provider has
/// signed is worth nothing once it is changed.
pub(super) fn to_store<'a>(vault: &Vault, message: &'a Message) -> Cow<'a, Message> {
    let holds = |part: &Part| match part {
        Part::Reasoning { text, opaque } => {
            vault.conceal_in(&mut text.clone())
                || opaque.clone().is_some_and(|mut opaque| vault.conceal_data(&mut opaque))
        }
        _ => false,
    };
    if !message.parts.iter().any(holds) {
        return Cow::Borrowed(message);
    }
    let parts = message.parts.iter().filter(|part| !holds(part)).cloned().collect();
    Cow::Owned(Message { role: message.role, parts })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::Role;

    #[test]
    fn reasoning_with_a_value_is_not_stored_wherever_it_has_it() {
        let vault = Vault::new([("A_TOKEN".to_owned(), "canary-1234".to_owned())]);
        let thought = |text: &str, opaque| Part::Reasoning { text: text.to_owned(), opaque };
        let said = Part::Text { text: "done".to_owned() };
        let harmless = thought("hm", Some(json!({"signature": "x"})));
        let parts = vec![
            thought("it is canary-1234", None),
            harmless.clone(),
            thought("hm", Some(json!({"details": [{"text": "canary-1234"}]}))),
            said.clone(),
        ];
        let message = Message { role: Role::Assistant, parts };
        assert_eq!(to_store(&vault, &message).parts, [harmless, said]);
        let plain = Message::text(Role::Assistant, "x");
        assert!(matches!(to_store(&vault, &plain), Cow::Borrowed(_)));
    }
}
