//! Findings as data: JSON for programs, SARIF 2.1.0 for code scanning in CI.
//!
//! Text is [`Diagnostic::headline`]'s. Prints nothing.

use serde_json::Value;
use serde_json::json;

use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use super::error::Severity;

/// One finding: `severity`, `rule`, `place` (in words), `message`; where they are known `file`,
/// `line`, `column`, `key`, `excerpt`, `remedy`.
pub fn as_json(finding: &Diagnostic) -> Value {
    let mut object = json!({
        "severity": finding.severity,
        "rule": finding.rule.as_str(),
        "place": finding.place.to_string(),
        "message": finding.message,
    });
    if let Place::File { path, line, column } = &finding.place {
        object["file"] = json!(path.to_string_lossy());
        object["line"] = json!(line);
        object["column"] = json!(column);
    }
    if let Some(key) = &finding.key {
        object["key"] = json!(key);
    }
    if let Some(excerpt) = &finding.excerpt {
        object["excerpt"] = json!(excerpt);
    }
    if let Some(remedy) = &finding.remedy {
        object["remedy"] = json!(remedy);
    }
    object
}

/// All findings as one SARIF log. `version`: of this program.
pub fn as_sarif(findings: &[Diagnostic], version: &str) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|(rule, words)| json!({"id": rule.as_str(), "shortDescription": {"text": words}}))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "agi-agent", "version": version, "rules": rules}},
            // Columns count characters, not UTF-16 units.
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Diagnostic) -> Value {
    let level = match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let text = match &finding.remedy {
        Some(remedy) => format!("{}; {remedy}", finding.message),
        None => finding.message.clone(),
    };
    let index = Rule::ALL.iter().position(|(rule, _)| *rule == finding.rule);
    json!({
        "ruleId": finding.rule.as_str(),
        "ruleIndex": index,
        "level": level,
        "message": {"text": text},
        "locations": [location(finding)],
    })
}

/// A file with its region; a variable or a flag as a place that has a name only.
fn location(finding: &Diagnostic) -> Value {
    let Place::File { path, line, column } = &finding.place else {
        return json!({"logicalLocations": [{"fullyQualifiedName": finding.place.to_string()}]});
    };
    let width = finding.excerpt.as_ref().map_or(1, |excerpt| excerpt.width);
    let region = json!({"startLine": line, "startColumn": column, "endColumn": column + width});
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": region}})
}

/// Relative paths stay relative: code scanning resolves them against the repository.
fn uri(path: &std::path::Path) -> String {
    let whole = url::Url::from_file_path(path).map(String::from);
    whole.unwrap_or_else(|()| path.to_string_lossy().replace('\\', "/").replace(' ', "%20"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::as_json;
    use super::as_sarif;
    use crate::config::error::Diagnostic;
    use crate::config::error::Place;
    use crate::config::error::Rule;

    #[test]
    fn a_finding_has_its_place_in_every_form() {
        let place = Place::file(Path::new("/a b/c.json"), 3, 7);
        let found = Diagnostic::error(Rule::UnknownKey, place, "unknown setting `x`")
            .about("x")
            .with_remedy("did you mean `y`?");
        assert_eq!(
            as_json(&found),
            json!({"severity": "error", "rule": "unknown-key", "place": "/a b/c.json:3:7",
                   "message": "unknown setting `x`", "file": "/a b/c.json", "line": 3, "column": 7,
                   "key": "x", "remedy": "did you mean `y`?"})
        );
        let log = as_sarif(&[found], "1.2.3");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["message"]["text"], "unknown setting `x`; did you mean `y`?");
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "file:///a%20b/c.json");
        assert_eq!(physical["region"], json!({"startLine": 3, "startColumn": 7, "endColumn": 8}));
        let rule = result["ruleIndex"].as_u64().unwrap();
        let rules = &log["runs"][0]["tool"]["driver"]["rules"];
        assert_eq!(rules[usize::try_from(rule).unwrap()]["id"], "unknown-key");
    }

    #[test]
    fn a_variable_is_a_place_without_a_file() {
        let place = Place::Variable("AGI_X".into());
        let log = as_sarif(&[Diagnostic::warning(Rule::UnknownKey, place, "m")], "1");
        let location = &log["runs"][0]["results"][0]["locations"][0];
        assert!(location["physicalLocation"].is_null());
    }
}
