//! What a person is shown before a call runs: exactly what would run, nothing shortened that could
//! hide something.

use serde_json::Value;

/// The text for an approver: the tool and its target, then the arguments that are not the target.
pub(super) fn of_call(tool: &str, arguments: &Value, target: &str) -> String {
    let mut summary = format!("{tool}: {target}");
    let Some(arguments) = arguments.as_object() else { return summary };
    for (name, value) in arguments {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text == target {
            continue;
        }
        summary.push('\n');
        summary.push_str(name);
        summary.push_str(if text.contains('\n') { ":\n" } else { ": " });
        summary.push_str(&text);
    }
    summary
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::of_call;

    #[test]
    fn everything_that_would_happen_is_shown() {
        let arguments = json!({"path": "a.txt", "content": "one\ntwo", "append": true});
        assert_eq!(
            of_call("file_write", &arguments, "a.txt"),
            "file_write: a.txt\ncontent:\none\ntwo\nappend: true"
        );
        let command = "rm -rf ".to_owned() + &"x".repeat(5_000);
        assert!(of_call("shell", &json!({"command": command}), &command).ends_with('x'));
    }
}
