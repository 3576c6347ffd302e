//! What is wrong with a configuration, and where: values, no words about rendering.
//!
//! Loading never stops at the first finding; a [`ConfigError`] carries all of them and ends the
//! program with 52.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; told by `config check` and `doctor` only.
    Note,
    /// The work goes on without what is named.
    Warning,
    /// Nothing is done.
    Error,
}

/// The kind of a finding; `as_str` is an interface (SARIF rules, `--json`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    Unreadable,
    NotAFile,
    TooLarge,
    Encoding,
    Syntax,
    DuplicateKey,
    UnknownKey,
    WrongType,
    OutOfRange,
    NewerVersion,
    PlainSecret,
    Untrusted,
    Clamped,
    Legacy,
    Place,
}

impl Rule {
    /// All rules with what they say.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Unreadable, "the file cannot be read"),
        (Self::NotAFile, "the path is no regular file"),
        (Self::TooLarge, "the file is too large for a configuration"),
        (Self::Encoding, "the file is not UTF-8 text"),
        (Self::Syntax, "the file is not JSON with comments"),
        (Self::DuplicateKey, "a key stands in an object twice"),
        (Self::UnknownKey, "no setting has this name"),
        (Self::WrongType, "the value is of another type than the setting"),
        (Self::OutOfRange, "the value is outside of what the setting allows"),
        (Self::NewerVersion, "the file was written for a newer program"),
        (Self::PlainSecret, "a secret is written into the configuration"),
        (Self::Untrusted, "a project that is not trusted asks for more than it may"),
        (Self::Clamped, "the organisation allows less"),
        (Self::Legacy, "an old name that means something else today"),
        (Self::Place, "a place that the configuration names does not exist"),
    ];

    /// The name in `--json` and SARIF.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAFile => "not-a-file",
            Self::TooLarge => "too-large",
            Self::Encoding => "encoding",
            Self::Syntax => "syntax",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::WrongType => "wrong-type",
            Self::OutOfRange => "out-of-range",
            Self::NewerVersion => "newer-version",
            Self::PlainSecret => "plain-secret",
            Self::Untrusted => "untrusted",
            Self::Clamped => "clamped",
            Self::Legacy => "legacy",
            Self::Place => "place",
        }
    }
}

/// Where a value or a finding stands. `Display` is what editors can jump to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    BuiltIn,
    /// Line and column count from 1; columns count characters.
    File {
        path: Arc<Path>,
        line: usize,
        column: usize,
    },
    Variable(String),
    /// `--flag` or `-c key`.
    Flag(String),
}

impl Place {
    pub fn file(path: &Path, line: usize, column: usize) -> Self {
        Self::File { path: path.into(), line, column }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("built in"),
            Self::File { path, line, column } => {
                write!(formatter, "{}:{line}:{column}", path.display())
            }
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(flag) => write!(formatter, "command line {flag}"),
        }
    }
}

/// The line of a file that a finding is about, fit to be shown: control characters and secrets are
/// replaced, long lines are cut around the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    pub text: String,
    /// Characters before the marked part.
    pub start: usize,
    /// Characters of the marked part, at least 1.
    pub width: usize,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub rule: Rule,
    /// Dotted key, where the finding is about one.
    pub key: Option<String>,
    pub place: Place,
    pub excerpt: Option<Excerpt>,
    /// One line, lower case, no period at the end.
    pub message: String,
    /// What to do next.
    pub remedy: Option<String>,
}

impl Diagnostic {
    pub fn error(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            key: None,
            place,
            excerpt: None,
            message: message.into(),
            remedy: None,
        }
    }

    pub fn warning(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, place, message) }
    }

    pub fn note(rule: Rule, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(rule, place, message) }
    }

    #[must_use]
    pub fn about(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Everything but the remedy, as a compiler says it.
    pub fn headline(&self) -> String {
        let mut text = format!("{}: {}", self.place, self.message);
        if let (Some(excerpt), Place::File { line, .. }) = (&self.excerpt, &self.place) {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let mark = format!("{}{}", " ".repeat(excerpt.start), "^".repeat(excerpt.width));
            let shown = &excerpt.text;
            text.extend([
                "\n", &gutter, " |\n", &number, " | ", shown, "\n", &gutter, " | ", &mark,
            ]);
        }
        text
    }
}

/// A configuration that cannot be used: every error, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Never empty.
    pub errors: Vec<Diagnostic>,
}

impl From<Diagnostic> for ConfigError {
    fn from(error: Diagnostic) -> Self {
        Self { errors: vec![error] }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{}: {}", error.place, error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
