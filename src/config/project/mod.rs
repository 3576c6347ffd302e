//! The projects around a working directory: which files of theirs could take power, and whether
//! their content is trusted.
//!
//! Never asks git anything and never follows what a repository says about another place: a project
//! is a directory with a real path and files with contents.

pub mod dotenv;
pub mod trust;

use std::path::Path;
use std::path::PathBuf;

use super::error::Diagnostic;
use super::source;
use super::source::Links;
use super::source::Owner;
use trust::ContentHash;

/// Files that could take power, relative to the project.
pub const FILES: [&str; 4] =
    [".agi-agent/config.json", ".agi-agent/tools.yaml", "tools.yaml", ".env"];

/// Directories that are looked into at most, from the working directory upwards.
const MAX_DEPTH: usize = 64;

/// One file of a project, read once: what is hashed is what is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// One of [`FILES`].
    pub name: &'static str,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// A directory with files that could take power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its real path.
    pub directory: PathBuf,
    /// Never empty.
    pub files: Vec<ProjectFile>,
}

/// What became of a project's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectState {
    pub directory: PathBuf,
    pub files: Vec<PathBuf>,
    pub hash: ContentHash,
    pub trusted: bool,
    /// Keys and variables that were asked for and ignored because it is not trusted.
    pub ignored: Vec<String>,
}

impl Project {
    /// The files of one directory; `None` where there are none.
    pub fn read(directory: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut files = Vec::new();
        let inside = directory.join(".agi-agent").is_dir();
        for name in FILES {
            if name.starts_with(".agi-agent") && !inside {
                continue;
            }
            let path = directory.join(name);
            match source::read(&path, Links::Refused, Owner::Person) {
                Ok(Some(bytes)) if name == ".env" && !dotenv::concerns_us(&bytes) => {}
                Ok(Some(bytes)) => files.push(ProjectFile { name, path, bytes }),
                Ok(None) => {}
                // Other programs' files may be links or pipes; ours must not.
                Err(_) if !name.starts_with(".agi-agent") => {}
                Err(error) => diagnostics.push(error),
            }
        }
        (!files.is_empty()).then(|| Self { directory: directory.to_path_buf(), files })
    }

    /// The hash that trust is bound to.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(self.files.iter().map(|file| (file.name, file.bytes.as_slice())))
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> Option<&ProjectFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// The directories that a project could be in, the outermost first: the working directory and those
/// above it up to its repository, but never the home directory or above it, nor a directory in which
/// everybody may put files (`/tmp`) or above it. A nested repository does not inherit.
pub fn directories(from: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let real = std::fs::canonicalize(from).unwrap_or_else(|_| from.to_path_buf());
    let home = home.and_then(|home| std::fs::canonicalize(home).ok());
    let mut found = Vec::new();
    for directory in real.ancestors().take(MAX_DEPTH) {
        let is_top = directory.parent().is_none();
        let is_home = home.as_deref() == Some(directory);
        if directory != real && (is_top || is_home || is_for_everybody(directory)) {
            break;
        }
        found.push(directory.to_path_buf());
        // A file as well: worktrees and submodules have one.
        if is_home || std::fs::symlink_metadata(directory.join(".git")).is_ok() {
            break;
        }
    }
    found.reverse();
    found
}

/// Whether any user of the machine may create files in it.
#[cfg(unix)]
fn is_for_everybody(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS_WRITE: u32 = 0o002;
    std::fs::metadata(directory).is_ok_and(|found| found.mode() & OTHERS_WRITE != 0)
}

/// Whether any user of the machine may create files in it: Windows gives temporary directories to one
/// user each.
#[cfg(not(unix))]
fn is_for_everybody(_directory: &Path) -> bool {
    false
}

/// The projects around `from`, the outermost first.
pub fn discover(
    from: &Path,
    home: Option<&Path>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Project> {
    directories(from, home)
        .iter()
        .filter_map(|directory| Project::read(directory, diagnostics))
        .collect()
}

/// The project that `agi-agent trust DIR` is about: the directory itself, or the nearest above it
/// that has files.
pub fn nearest(from: &Path, home: Option<&Path>) -> Result<Option<Project>, Diagnostic> {
    let mut diagnostics = Vec::new();
    let found = discover(from, home, &mut diagnostics).pop();
    diagnostics.into_iter().next().map_or(Ok(found), Err)
}
