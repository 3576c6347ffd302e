//! Reads the source tree for the tests that hold it to its rules.

use std::path::Path;
use std::path::PathBuf;

/// A source file: its path from the repository's top, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The module below `src` or `tests` that the file belongs to (`main` and `lib` for those).
    pub(crate) fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// The lines before the file's own tests, comments and doc lines left out, numbered from 1.
    /// A file of tests (`tests.rs`, `x_tests.rs`) has none.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let only_tests = self.path.ends_with("tests.rs");
        self.text
            .lines()
            .enumerate()
            .filter(move |_| !only_tests)
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }
}

/// All files with this ending below a folder of the repository, sorted by path.
pub(crate) fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&top.join(folder), ending, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            text: std::fs::read_to_string(&path).expect("a readable source file"),
            path: path.strip_prefix(top).expect("below the top").to_string_lossy().into_owned(),
        })
        .collect()
}

fn collect(folder: &Path, ending: &str, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && (name.starts_with('.') || name == "target" || name == "dist") {
            continue;
        }
        if path.is_dir() {
            collect(&path, ending, paths);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            paths.push(path);
        }
    }
}
