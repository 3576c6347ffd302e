//! What a task brings along, before a model sees it. Reads nothing: files and streams are the command line's.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Part;
use crate::protocol::secrets::Vault;

use super::events::Emitter;

/// The input without its secrets: it goes to the model, the session and the events. Says which those were,
/// since the task may not mean the same without them.
pub(super) fn concealed(mut input: Vec<Part>, vault: &Vault, emitter: &Emitter) -> Vec<Part> {
    let mut found = BTreeSet::new();
    for part in &mut input {
        if let Part::Text { text } = part
            && let Cow::Owned(concealed) = vault.conceal(text, None)
        {
            found.extend(Vault::placeholders_in(&concealed).map(|name| format!("`{name}`")));
            *text = concealed;
        }
    }
    if !found.is_empty() {
        let names = Vec::from_iter(found).join(", ");
        let message = format!(
            "the model does not get to see what the input has for {names}; the value of a variable \
             that is no secret is left alone without that variable (`env -u NAME`)"
        );
        emitter.instant(ItemStatus::Completed, ItemBody::Error { message });
    }
    input
}
