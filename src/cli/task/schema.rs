//! Reads `--output-schema`: the schema itself, or a file that holds it.

use std::path::Path;

use serde_json::Value;

use crate::cli::error::CommandError;

/// JSON text where it begins with a brace, else a file's name.
pub fn load(text: &str) -> Result<Value, CommandError> {
    let (place, text) = if text.trim_start().starts_with('{') {
        ("--output-schema".to_owned(), text.to_owned())
    } else {
        let read = std::fs::read_to_string(Path::new(text)).map_err(|error| {
            CommandError::input(format!("cannot read the output schema `{text}`: {error}"))
        })?;
        (text.to_owned(), read)
    };
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        CommandError::input(format!(
            "{place}:{line}:{column}: the output schema is not JSON: {error}"
        ))
    })
}
