//! What a model says in the form of data, calls above all: shown and stored without the values that are
//! known. What is carried out is the call itself, which nothing here changes.

use std::borrow::Cow;

use serde_json::Value;

use super::Vault;
use crate::protocol::ToolCall;

impl Vault {
    /// A call as it is shown and stored.
    pub fn conceal_call(&self, call: &ToolCall) -> ToolCall {
        ToolCall {
            id: call.id.clone(),
            name: self.conceal_said(&call.name).into_owned(),
            arguments: self.conceal_arguments(&call.arguments).into_owned(),
        }
    }

    /// Arguments of a call: JSON, or what should have been. JSON stays JSON.
    fn conceal_arguments<'a>(&self, arguments: &'a str) -> Cow<'a, str> {
        let said = self.conceal_said(arguments);
        let Ok(mut value) = serde_json::from_str::<Value>(arguments) else { return said };
        // Escapes hide a value from the text, a key that stands twice hides one from the data.
        if self.conceal_data(&mut value) || matches!(said, Cow::Owned(_)) {
            Cow::Owned(value.to_string())
        } else {
            Cow::Borrowed(arguments)
        }
    }

    /// Conceals in every text, key and number of a JSON value; whether there was anything to conceal.
    pub fn conceal_data(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.conceal_in(text),
            Value::Number(number) => {
                let Cow::Owned(concealed) = self.conceal_said(&number.to_string()) else {
                    return false;
                };
                *value = Value::String(concealed);
                true
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.conceal_data(item) | found)
            }
            Value::Object(fields) => {
                let mut found = false;
                for field in fields.values_mut() {
                    found |= self.conceal_data(field);
                }
                if fields.keys().any(|key| matches!(self.conceal_said(key), Cow::Owned(_))) {
                    found = true;
                    *fields = std::mem::take(fields)
                        .into_iter()
                        .map(|(key, field)| (self.conceal_said(&key).into_owned(), field))
                        .collect();
                }
                found
            }
            Value::Null | Value::Bool(_) => false,
        }
    }

    /// Conceals in a text; whether there was anything to conceal.
    pub fn conceal_in(&self, text: &mut String) -> bool {
        match self.conceal_said(text) {
            Cow::Borrowed(_) => false,
            Cow::Owned(concealed) => {
                *text = concealed;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(vault: &Vault, arguments: &str) -> String {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "shell".to_owned(),
            arguments: arguments.to_owned(),
        };
        vault.conceal_call(&call).arguments
    }

    #[test]
    fn a_call_is_shown_without_values_wherever_they_stand() {
        let known = [("A_TOKEN", "canary\"1234"), ("PIN_KEY", "4711081512")];
        let vault = Vault::new(known.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (arguments, expected) in [
            (r#"{"command":"echo canary\"1234"}"#, r#"{"command":"echo [secret:A_TOKEN]"}"#),
            (r#"{"a":["\u0063anary\u00221234"]}"#, r#"{"a":["[secret:A_TOKEN]"]}"#),
            (r#"{"canary\"1234":1}"#, r#"{"[secret:A_TOKEN]":1}"#),
            (r#"{"n":4711081512}"#, r#"{"n":"[secret:PIN_KEY]"}"#),
            (r#"{"n":"4711081512","n":"x"}"#, r#"{"n":"x"}"#),
            (r#"not JSON: canary"1234"#, "not JSON: [secret:A_TOKEN]"),
            (r#"{ "as" : "it was" }"#, r#"{ "as" : "it was" }"#),
        ] {
            assert_eq!(shown(&vault, arguments), expected);
            assert_eq!(shown(&vault, expected), expected, "twice is as good as once");
        }
        let mut data = json!({"x": 1, "y": [null, true]});
        assert!(!vault.conceal_data(&mut data));
    }

    #[test]
    fn the_name_of_a_placeholder_is_no_secret() {
        let known = [("DEPLOY_TOKEN", "canary-1234"), ("NAME_KEY", "DEPLOY_TOKEN")];
        let vault = Vault::new(known.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let once = vault.conceal_said("canary-1234 and DEPLOY_TOKEN").into_owned();
        assert_eq!(once, "[secret:DEPLOY_TOKEN] and [secret:NAME_KEY]");
        assert_eq!(vault.conceal_said(&once), once);
    }
}
