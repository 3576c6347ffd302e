//! Secrets of a conversation: what stands for them in everything that is shown, sent or stored.
//!
//! A [`Vault`] takes secrets out of a text and leaves placeholders, `[secret:github-token-1]`; what is
//! written to a file gets the value back. It holds values in memory only, and no part of it is ever
//! printed or serialised. Text that merely looks like a placeholder gets one of its own, so that
//! nobody but the vault can write a true one.

mod digits;
mod encoded;
mod forms;
mod patterns;
mod said;
mod vault;

pub use patterns::has_beginning_of_secret;
pub use patterns::has_secret;
pub use patterns::is_secret_name;
pub use patterns::sounds_secret;
pub use vault::Misplaced;
pub use vault::Vault;

use serde_json::Value;

/// Applies `change` to every text of a JSON value, keys left as they are.
pub fn each_text<E>(
    value: &mut Value,
    change: &mut impl FnMut(&mut String) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_text(item, change)),
        Value::Object(fields) => fields.values_mut().try_for_each(|item| each_text(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}
