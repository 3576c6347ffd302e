//! `--output-schema`: the final answer as JSON that meets a schema, whatever the provider offers.
//!
//! Pure: finds the JSON in an answer, checks it, and words what the model is told when it does not
//! fit. How often it may try again is [`REPAIRS`]; asking is the loop's business.

use jsonschema::Validator;
use serde_json::Value;

use crate::protocol::JsonText;

/// Further turns that a model gets to mend its answer.
pub const REPAIRS: u32 = 2;

/// So many violations are told at once.
const TOLD: usize = 8;

/// A schema that compiles.
#[derive(Debug, Clone)]
pub struct OutputSchema {
    /// As given; sent to providers that take schemas.
    pub schema: Value,
    validator: std::sync::Arc<Validator>,
}

impl OutputSchema {
    /// Compiles a schema; the error is one line. References to other documents are not followed.
    pub fn new(schema: Value) -> Result<Self, String> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err("an output schema is a JSON object".to_owned());
        }
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| format!("the output schema is not valid: {error}"))?;
        Ok(Self { schema, validator: std::sync::Arc::new(validator) })
    }

    /// The answer's JSON as it was written, or what is wrong with it, one line each.
    pub fn check(&self, answer: &str) -> Result<JsonText, Vec<String>> {
        let found = find_json(answer, |value| self.validator.is_valid(value));
        let Some((value, text)) = found else {
            return Err(vec!["the answer is not JSON".to_owned()]);
        };
        let problems: Vec<String> = self
            .validator
            .iter_errors(&value)
            .take(TOLD)
            .map(|error| {
                let path = error.instance_path().to_string();
                if path.is_empty() { error.to_string() } else { format!("at `{path}`: {error}") }
            })
            .collect();
        if problems.is_empty() { Ok(JsonText::new(&text, &value)) } else { Err(problems) }
    }
}

/// What the model is told about an answer that does not fit.
pub fn repair_prompt(schema: &OutputSchema, problems: &[String]) -> String {
    let mut text = String::from("Your answer does not meet the required JSON Schema:\n");
    for problem in problems {
        text.push_str("- ");
        text.push_str(problem);
        text.push('\n');
    }
    text.push_str("Schema: ");
    text.push_str(&schema.schema.to_string());
    text.push_str("\nAnswer again with the JSON value only.");
    text
}

/// The JSON of an answer: all of it, else the last fenced block that parses, else the outermost
/// braces or brackets. Among several candidates one that `fits` wins. With each its text.
fn find_json(answer: &str, fits: impl Fn(&Value) -> bool) -> Option<(Value, String)> {
    let parsed = |text: &str| Some((serde_json::from_str(text).ok()?, text.to_owned()));
    let mut candidates: Vec<(Value, String)> = Vec::new();
    candidates.extend(parsed(answer.trim()));
    let fenced = fenced_blocks(answer);
    candidates.extend(fenced.iter().rev().filter_map(|block| parsed(block)));
    for (open, close) in [('{', '}'), ('[', ']')] {
        if let (Some(start), Some(end)) = (answer.find(open), answer.rfind(close))
            && start < end
        {
            candidates.extend(parsed(&answer[start..=end]));
        }
    }
    let fitting = candidates.iter().position(|(value, _)| fits(value)).unwrap_or(0);
    (fitting < candidates.len()).then(|| candidates.swap_remove(fitting))
}

/// The contents of Markdown fences, in order; the word after the opening fence does not count.
fn fenced_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        match (&mut open, fence) {
            (None, true) => open = Some(String::new()),
            (Some(_), true) => blocks.extend(open.take()),
            (Some(block), false) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> OutputSchema {
        OutputSchema::new(json!({
            "type": "object",
            "properties": {"count": {"type": "integer", "minimum": 0}},
            "required": ["count"],
            "additionalProperties": false
        }))
        .unwrap()
    }

    #[test]
    fn json_is_found_bare_fenced_and_in_prose() {
        let answers = [
            "{\"count\": 3}",
            "Here you are:\n```json\n{\"count\": 3}\n```\nThat's all.",
            "```\n{\"other\": 1}\n```\nno, rather\n```json\n{\"count\": 3}\n```",
            "```\n{\"count\": 3}\n```\nas in\n```json\n{\"example\": 1}\n```",
            "I found {\"count\": 3} of them",
            "  {\"count\": 3}\n",
        ];
        for answer in answers {
            assert_eq!(
                schema().check(answer),
                Ok(JsonText::from(&json!({"count": 3}))),
                "{answer}"
            );
        }
    }

    #[test]
    fn violations_are_named_with_their_place() {
        let problems = schema().check("{\"count\": -1, \"x\": 2}").unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().any(|problem| problem.starts_with("at `/count`")), "{problems:?}");
        assert_eq!(schema().check("three").unwrap_err(), ["the answer is not JSON"]);
        assert_eq!(schema().check("").unwrap_err(), ["the answer is not JSON"]);
        let prompt = repair_prompt(&schema(), &problems);
        assert!(prompt.contains("at `/count`") && prompt.contains("\"minimum\":0"), "{prompt}");
    }

    #[test]
    fn a_schema_that_is_none_is_an_error_and_nothing_is_fetched() {
        assert!(OutputSchema::new(json!({"type": "integerr"})).is_err());
        assert!(OutputSchema::new(json!("object")).is_err());
        let remote = OutputSchema::new(json!({"$ref": "http://127.0.0.1:9/schema.json"}));
        assert!(remote.is_err());
    }
}
