//! Names of files as text, and globs over them.

use std::ffi::OsStr;
use std::path::Path;

use globset::Glob;
use globset::GlobBuilder;
use globset::GlobMatcher;

use crate::files::FileError;

/// A path as one line of text: bytes that are not UTF-8 become `�`, and control characters (a name
/// may hold a line feed or a terminal escape) are written as in Rust strings.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if !text.chars().any(char::is_control) {
        return text.into_owned();
    }
    text.chars().fold(String::new(), |mut line, next| {
        if next.is_control() {
            line.extend(next.escape_default());
        } else {
            line.push(next);
        }
        line
    })
}

/// A glob: with a slash it is matched against the path below the root, without against the name.
#[derive(Debug, Clone)]
pub struct NameGlob {
    matcher: GlobMatcher,
    whole_path: bool,
    negated: bool,
}

impl NameGlob {
    /// `*`, `?`, `[a-z]`, `{a,b}`, `**/`; a leading `!` means all others.
    pub fn new(text: &str) -> Result<Self, FileError> {
        let (negated, pattern) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        let glob: Glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| FileError::pattern(format!("glob `{text}`: {}", error.kind())))?;
        Ok(Self { matcher: glob.compile_matcher(), whole_path: pattern.contains('/'), negated })
    }

    /// `relative`: the path below the root of the walk.
    pub fn matches(&self, relative: &Path) -> bool {
        let found = if self.whole_path {
            self.matcher.is_match(relative)
        } else {
            self.matcher.is_match(relative.file_name().unwrap_or(OsStr::new("")))
        };
        found != self.negated
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::NameGlob;
    use super::shown;

    #[test]
    fn globs_match_names_or_paths() {
        for (glob, path, expected) in [
            ("*.rs", "src/main.rs", true),
            ("*.rs", "src/main.py", false),
            ("!*.rs", "src/main.py", true),
            ("main.?s", "src/main.rs", true),
            ("*.{rs,py}", "a/b/c.py", true),
            ("src/*.rs", "src/main.rs", true),
            ("./src/*.rs", "src/main.rs", true),
            ("src/*.rs", "src/deep/main.rs", false),
            ("src/**/*.rs", "src/deep/main.rs", true),
            ("**/deep/*", "src/deep/main.rs", true),
        ] {
            let found = NameGlob::new(glob).unwrap().matches(Path::new(path));
            assert_eq!(found, expected, "{glob} on {path}");
        }
    }

    #[test]
    fn a_broken_glob_says_why() {
        let error = NameGlob::new("a[b").unwrap_err().to_string();
        assert!(error.starts_with("glob `a[b`: unclosed character class"), "{error}");
    }

    #[test]
    fn names_stay_on_one_line() {
        assert_eq!(shown(Path::new("a\nb\u{1b}[31m")), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(Path::new("käse")), "käse");
    }
}
