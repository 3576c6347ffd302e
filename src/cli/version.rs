//! `--version`, and `--version --verbose`: everything that is inside the file.
//!
//! What is inside was written down by the build (build.rs names the file); nothing is asked of
//! the interpreter, which this command must not start.

use serde_json::Map;
use serde_json::Value;

use crate::memory;
use crate::protocol::ExitCode;

use super::context::CommandContext;
use super::error::CommandError;

/// The bill of materials in its short form, JSON.
const BUILD_INFO: &str = include_str!(env!("AGI_BUILD_INFO"));

/// One line; with `--verbose` the parts and their versions, with `--json` as one object.
pub fn print(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let name = concat!("agi-agent ", env!("CARGO_PKG_VERSION"));
    let verbose = context.global.verbose > 0;
    if context.global.json {
        context.output.json(&Value::Object(parts(verbose)))?;
        return Ok(ExitCode::Done);
    }
    context.output.line(name)?;
    if verbose {
        for line in lines(&Value::Object(parts(true))) {
            context.output.line(&line)?;
        }
    }
    Ok(ExitCode::Done)
}

fn parts(verbose: bool) -> Map<String, Value> {
    let mut parts = Map::new();
    parts.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    if verbose {
        if let Ok(Value::Object(built)) = serde_json::from_str(BUILD_INFO) {
            parts.extend(built);
        }
        parts.insert("sqlite".into(), memory::sqlite_version().into());
    }
    parts
}

/// `a.b: value` per leaf; lists stand on one line.
fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    flatten("", value, &mut lines);
    lines
}

fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, field, lines);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            lines.push(format!("{path}: {}", items.join(", ")));
        }
        leaf => lines.push(format!("{path}: {}", plain(leaf))),
    }
}

/// A leaf without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_build_information_is_an_object_that_names_the_build() {
        let parts = parts(true);
        assert!(parts["build"].is_string(), "{parts:?}");
        assert!(parts["sqlite"].as_str().is_some_and(|version| version.starts_with('3')));
    }

    #[test]
    fn every_leaf_has_a_line() {
        let value = json!({"cpython": {"version": "3.13.5", "patches": ["a", "b"]}, "n": 3});
        assert_eq!(lines(&value), ["cpython.version: 3.13.5", "cpython.patches: a, b", "n: 3"]);
    }
}
