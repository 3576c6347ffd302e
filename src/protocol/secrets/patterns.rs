//! What a secret looks like: by the form of its value, or by the name it is assigned to.
//!
//! Pure text. A pattern matches rather too much: what is taken for a secret by mistake is put back
//! when it is written.

use std::ops::Range;

/// Ends of the parts of a name that say its value is a secret. `GIT_AUTHOR_NAME` has none.
const SECRET_WORDS: [&str; 14] = [
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASS",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "KEY",
    "KEYS",
    "AUTH",
    "CRED",
    "CREDENTIALS",
    "PRIVATE",
];

/// The shortest assigned value that is taken for a secret.
const ASSIGNED: usize = 8;

/// A value with a fixed beginning.
struct Form {
    kind: &'static str,
    prefix: &'static str,
    /// Characters that follow at least.
    least: usize,
    /// Whether `-`, `_` and `.` may be among them.
    marks: bool,
}

const fn form(kind: &'static str, prefix: &'static str, least: usize, marks: bool) -> Form {
    Form { kind, prefix, least, marks }
}

const FORMS: [Form; 22] = [
    form("github-token", "ghp_", 20, false),
    form("github-token", "gho_", 20, false),
    form("github-token", "ghu_", 20, false),
    form("github-token", "ghs_", 20, false),
    form("github-token", "ghr_", 20, false),
    form("github-token", "github_pat_", 20, true),
    form("gitlab-token", "glpat-", 16, true),
    form("aws-key", "AKIA", 16, false),
    form("aws-key", "ASIA", 16, false),
    form("google-key", "AIza", 30, true),
    form("jwt", "eyJ", 20, true),
    form("slack-token", "xoxa-", 10, true),
    form("slack-token", "xoxb-", 10, true),
    form("slack-token", "xoxe-", 10, true),
    form("slack-token", "xoxp-", 10, true),
    form("slack-token", "xoxr-", 10, true),
    form("slack-token", "xoxs-", 10, true),
    form("api-key", "sk-", 20, true),
    form("api-key", "sk_live_", 16, false),
    form("api-key", "rk_live_", 16, false),
    form("npm-token", "npm_", 30, false),
    form("huggingface-token", "hf_", 30, false),
];

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) kind: &'static str,
}

/// Whether a variable's name says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.split(['_', '-', '.']).any(|part| SECRET_WORDS.iter().any(|word| part.ends_with(word)))
}

/// Whether a text has a word for secrets anywhere in it, however it is spelled together.
pub fn sounds_secret(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| text.contains(word))
}

/// Whether a value has the form of a secret.
pub fn has_secret(text: &str) -> bool {
    !find(text).is_empty()
}

/// Whether a value that has the form of a secret begins anywhere in a text, however short it is.
pub fn has_beginning_of_secret(text: &str) -> bool {
    FORMS.iter().any(|form| text.contains(form.prefix))
}

/// Every secret of a text by its form; ranges may overlap.
pub(super) fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for form in &FORMS {
        find_form(text, form, &mut found);
    }
    find_pem(text, &mut found);
    find_url_passwords(text, &mut found);
    find_assignments(text, &mut found);
    found
}

fn find_form(text: &str, form: &Form, found: &mut Vec<Found>) {
    for (start, _) in text.match_indices(form.prefix) {
        if text[..start].ends_with(is_word) {
            continue;
        }
        let rest = &text[start + form.prefix.len()..];
        let belongs =
            |c: char| c.is_ascii_alphanumeric() || (form.marks && matches!(c, '-' | '_' | '.'));
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        // The end of a sentence is not part of it.
        let length = rest[..length].trim_end_matches('.').len();
        if length >= form.least {
            let end = start + form.prefix.len() + length;
            found.push(Found { range: start..end, kind: form.kind });
        }
    }
}

/// Private keys, from the first line to the last; one that is cut off, to the end.
fn find_pem(text: &str, found: &mut Vec<Found>) {
    const BEGIN: &str = "-----BEGIN ";
    for (start, _) in text.match_indices(BEGIN) {
        let rest = &text[start + BEGIN.len()..];
        let Some(label) = rest.split("-----").next().filter(|label| label.len() < 60) else {
            continue;
        };
        if !label.contains("PRIVATE KEY") {
            continue;
        }
        let end_mark = format!("-----END {label}-----");
        let end =
            rest.find(&end_mark).map_or(text.len(), |at| start + BEGIN.len() + at + end_mark.len());
        found.push(Found { range: start..end, kind: "private-key" });
    }
}

/// The password in `scheme://name:password@host`.
fn find_url_passwords(text: &str, found: &mut Vec<Found>) {
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = &text[start..];
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>' | '?' | '#');
        let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let Some((credentials, _)) = authority.rsplit_once('@') else { continue };
        let Some((name, password)) = credentials.split_once(':') else { continue };
        if password.len() >= 3 && !password.starts_with(['$', '{', '[']) {
            let from = start + name.len() + 1;
            found.push(Found { range: from..from + password.len(), kind: "password" });
        }
    }
}

/// `API_KEY=value` and `"api_key": "value"`.
fn find_assignments(text: &str, found: &mut Vec<Found>) {
    for (at, mark) in text.match_indices(['=', ':']) {
        let before = &text[..at];
        let name = if mark == "=" {
            let start = before
                .rfind(|c: char| !is_word(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
            let name = &before[start..];
            let shouts = !name.contains(|c: char| c.is_ascii_lowercase());
            if !shouts {
                continue;
            }
            name
        } else {
            let Some(quoted) = before.trim_end().strip_suffix('"') else { continue };
            quoted.rsplit('"').next().unwrap_or_default()
        };
        if name.is_empty() || name.len() > 80 || !is_secret_name(name) {
            continue;
        }
        let rest = &text[at + 1..];
        let blanks = if mark == ":" { rest.len() - rest.trim_start_matches(' ').len() } else { 0 };
        let rest = &rest[blanks..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        if mark == ":" && quote.is_none() {
            continue;
        }
        let inside = &rest[quote.map_or(0, char::len_utf8)..];
        let ends = |c: char| match quote {
            Some(quote) => c == quote || c == '\n',
            None => c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'' | ','),
        };
        let value = &inside[..inside.find(ends).unwrap_or(inside.len())];
        if value.len() >= ASSIGNED && !is_reference(value) {
            let from = at + 1 + blanks + quote.map_or(0, char::len_utf8);
            found.push(Found { range: from..from + value.len(), kind: "value" });
        }
    }
}

/// A value that names where the secret is, and is not the secret.
fn is_reference(value: &str) -> bool {
    value.starts_with(['$', '/', '<', '{', '(', '`', '~', '['])
        || value.contains("${")
        || value.contains('(')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|found| &text[found.range]).collect()
    }

    /// Written in two parts, so that no scanner of this repository takes it for a real one.
    fn joined(prefix: &str, rest: &str) -> String {
        format!("{prefix}{rest}")
    }

    #[test]
    fn case_31_values_are_known_by_their_form() {
        let letters = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
        let rows = [
            joined("ghp_", letters),
            joined("github_pat_", letters),
            joined("glpat-", letters),
            joined("AKIA", "IOSFODNN7EXAMPLE"),
            joined("AIza", letters),
            joined("eyJ", "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
            joined("xoxb-", "123456789012-abcdef"),
            joined("sk-", "ant-api03-a1B2c3D4e5F6g7H8i9J0"),
            joined("npm_", letters),
            joined("-----BEGIN RSA PRIVATE ", "KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
        ];
        for secret in &rows {
            assert!(secrets(&format!("a {secret} b.")).contains(&secret.as_str()), "{secret}");
            assert!(secrets(&format!("x={secret}.\n")).contains(&secret.as_str()), "{secret}");
        }
        assert_eq!(secrets("git clone https://ada:hunter2@example.org/x"), ["hunter2"]);
        assert_eq!(secrets("postgres://u:p%40ss@db:5432/x"), ["p%40ss"]);
    }

    #[test]
    fn values_are_known_by_the_name_they_are_assigned_to() {
        assert_eq!(secrets("export DB_PASSWORD=correct-horse\n"), ["correct-horse"]);
        assert_eq!(secrets("DB_PASSWORD='correct horse'"), ["correct horse"]);
        assert_eq!(
            secrets("{\"api_key\": \"0123456789\", \"name\": \"0123456789\"}"),
            ["0123456789"]
        );
        assert_eq!(secrets("3\tAPI_TOKEN=abcdefgh;x"), ["abcdefgh"]);
    }

    #[test]
    fn what_only_looks_like_one_is_left() {
        for text in [
            "let token = parse(input);",
            "API_KEY=$(pass show key)",
            "API_KEY=${KEY}",
            "KEY_FILE=/etc/ssl/private/key.pem",
            "ghp_short",
            "see https://example.org:8080/a@b",
            "task-force and risk-free",
            "TOKEN=short",
            "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
            "",
        ] {
            assert_eq!(secrets(text), Vec::<&str>::new(), "{text}");
        }
    }
}
