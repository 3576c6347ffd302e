//! What a secret looks like: by the form of its value, or by the name it is assigned to.
//!
//! Pure text. A pattern matches rather too much: what is taken for a secret by mistake is put back
//! when it is written.

use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem;
use memchr::memmem::Finder;

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
pub(super) struct Form {
    pub(super) kind: &'static str,
    pub(super) prefix: &'static str,
    /// Characters that follow at least.
    pub(super) least: usize,
    /// Whether `-`, `_` and `.` may be among them.
    pub(super) marks: bool,
}

const fn form(kind: &'static str, prefix: &'static str, least: usize, marks: bool) -> Form {
    Form { kind, prefix, least, marks }
}

pub(super) const FORMS: [Form; 22] = [
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

/// Every secret of a text by its form; ranges may overlap. Takes time in proportion to the text, whatever
/// it repeats: strangers write what is looked through here.
pub(super) fn find(text: &str) -> Vec<Found> {
    static FINDERS: OnceLock<Vec<Finder<'static>>> = OnceLock::new();
    let finders = FINDERS
        .get_or_init(|| FORMS.iter().map(|form| Finder::new(form.prefix.as_bytes())).collect());
    let mut found = Vec::new();
    for (form, finder) in FORMS.iter().zip(finders) {
        find_form(text, form, finder, &mut found);
    }
    find_pem(text, &mut found);
    find_url_passwords(text, &mut found);
    find_assignments(text, &mut found);
    found
}

fn find_form(text: &str, form: &Form, finder: &Finder<'_>, found: &mut Vec<Found>) {
    let mut run: Option<Run> = None;
    for start in finder.find_iter(text.as_bytes()) {
        let from = start + form.prefix.len();
        let is_inside = run.as_ref().is_some_and(|run| run.is_found && from <= run.end);
        if is_inside || text[..start].ends_with(is_word) {
            continue;
        }
        let run = Run::at(&mut run, from, || {
            let belongs =
                |c: char| c.is_ascii_alphanumeric() || (form.marks && matches!(c, '-' | '_' | '.'));
            let rest = &text[from..];
            let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
            // The end of a sentence is not part of it.
            Run::new(from + length, from + rest[..length].trim_end_matches('.').len())
        });
        if run.mark >= from + form.least {
            run.is_found = true;
            found.push(Found { range: start..run.mark, kind: form.kind });
        }
    }
}

/// A stretch of text that was looked through once for all that begins in it.
struct Run {
    end: usize,
    /// A place in it that its reader wants to know.
    mark: usize,
    is_found: bool,
}

impl Run {
    fn new(end: usize, mark: usize) -> Self {
        Self { end, mark, is_found: false }
    }

    /// The run that `from` lies in: the last one, or the next.
    fn at(last: &mut Option<Self>, from: usize, next: impl FnOnce() -> Self) -> &mut Self {
        if last.as_ref().is_some_and(|run| from > run.end) {
            *last = None;
        }
        last.get_or_insert_with(next)
    }
}

/// Private keys, from the first line to the last; one that is cut off, to the end.
fn find_pem(text: &str, found: &mut Vec<Found>) {
    const BEGIN: &str = "-----BEGIN ";
    let mut at = 0;
    for start in memmem::find_iter(text.as_bytes(), BEGIN) {
        // In a key that was found already.
        if start < at {
            continue;
        }
        let rest = &text[start + BEGIN.len()..];
        // Longer labels are none.
        let label = match memmem::find(&rest.as_bytes()[..rest.len().min(64)], b"-----") {
            Some(end) => Some(&rest[..end]),
            // The text ends in it.
            None => Some(rest).filter(|rest| rest.len() < 60),
        };
        let Some(label) = label.filter(|label| label.contains("PRIVATE KEY")) else { continue };
        let end_mark = format!("-----END {label}-----");
        let end =
            rest.find(&end_mark).map_or(text.len(), |at| start + BEGIN.len() + at + end_mark.len());
        found.push(Found { range: start..end, kind: "private-key" });
        at = end;
    }
}

/// The password in `scheme://name:password@host`.
fn find_url_passwords(text: &str, found: &mut Vec<Found>) {
    for at in memmem::find_iter(text.as_bytes(), "://") {
        let start = at + "://".len();
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
    let (mut plain, mut single, mut double) = (None, None, None);
    for at in memchr::memchr2_iter(b'=', b':', text.as_bytes()) {
        let is_json = text.as_bytes()[at] == b':';
        if !assigned_name(&text[..at], is_json).is_some_and(is_secret_name) {
            continue;
        }
        let rest = &text[at + 1..];
        let blanks = if is_json { rest.len() - rest.trim_start_matches(' ').len() } else { 0 };
        let quote = rest[blanks..].chars().next().filter(|c| matches!(c, '"' | '\''));
        if is_json && quote.is_none() {
            continue;
        }
        let from = at + 1 + blanks + quote.map_or(0, char::len_utf8);
        let last = match quote {
            None => &mut plain,
            Some('"') => &mut double,
            Some(_) => &mut single,
        };
        let run = Run::at(last, from, || value_at(text, from, quote));
        // The mark is where it says last that it refers to something else.
        let value = &text[from..run.end];
        if value.len() >= ASSIGNED && run.mark < from && !value.starts_with(REFERENCES) {
            if !run.is_found {
                found.push(Found { range: from..run.end, kind: "value" });
            }
            run.is_found = true;
        }
    }
}

/// The name before `=` or `:`, if it has the shape of one that is assigned to.
fn assigned_name(before: &str, is_json: bool) -> Option<&str> {
    let name = if is_json {
        before.trim_end().strip_suffix('"')?.rsplit('"').next().unwrap_or_default()
    } else {
        let begin = |at: usize| at + before[at..].chars().next().map_or(1, char::len_utf8);
        let name = &before[before.rfind(|c: char| !is_word(c)).map_or(0, begin)..];
        // It shouts.
        Some(name).filter(|name| !name.contains(|c: char| c.is_ascii_lowercase()))?
    };
    Some(name).filter(|name| !name.is_empty() && name.len() <= 80)
}

/// The value that begins here, to its end.
fn value_at(text: &str, from: usize, quote: Option<char>) -> Run {
    let ends = |c: char| match quote {
        Some(quote) => c == quote || c == '\n',
        None => c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'' | ','),
    };
    let inside = &text[from..];
    let value = &inside[..inside.find(ends).unwrap_or(inside.len())];
    let refers = value.rfind("${").max(value.rfind('('));
    // Before all of it where it does not refer to anything: what begins at 0 is no value.
    Run::new(from + value.len(), refers.map_or(0, |at| from + at))
}

/// How a value begins that names where the secret is, and is not the secret; `(` and `${` inside of it do
/// the same.
const REFERENCES: [char; 8] = ['$', '/', '<', '{', '(', '`', '~', '['];

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

    /// Each of these took minutes for a megabyte when every beginning was followed to its end.
    #[test]
    fn what_repeats_a_beginning_takes_no_longer() {
        for unit in [
            "sk-",
            "xoxb-a.",
            "A_KEY=",
            "A_KEY=(",
            "A_KEY='",
            "\"a_key\": \"",
            "-----BEGIN PRIVATE KEY-----",
            "://a:bcd@",
            "c2st",
            "736b2d",
            "%73%6b%2d",
        ] {
            let text = unit.repeat((1 << 20) / unit.len());
            let started = std::time::Instant::now();
            let count = find(&text).len() + super::super::encoded::find(&text).len();
            let elapsed = started.elapsed();
            assert!(elapsed < std::time::Duration::from_secs(10), "{unit}: {elapsed:?}, {count}");
        }
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
