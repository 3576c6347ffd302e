//! AGENTS.md: what a project asks of agents, from the repository's root down to the working
//! directory.
//!
//! Who wrote a file matters: one that belongs to somebody else than us or root is skipped, and a
//! link is followed only within the repository. Reads through an opener of its own that opens the
//! repository and nothing else; pipes and devices are refused there.

use std::fs::Metadata;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::system::opener::OpenError;
use crate::system::opener::Opener;
use crate::system::opener::PathRules;

/// The name in every directory.
const FILE_NAME: &str = "AGENTS.md";

/// Bytes of all files together; the farthest from the working directory is cut first.
pub const LIMIT: usize = 32 * 1024;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instructions {
    /// The files' text, the nearest last; empty when there is none.
    pub text: String,
    /// The files that were read, the nearest last.
    pub files: Vec<PathBuf>,
    /// One line for each file that was skipped or cut.
    pub warnings: Vec<String>,
}

/// Reads the instructions that hold in `cwd`. `user` is our own id where the system has owners;
/// `protected` are files that must not even be opened (the database).
pub fn load(cwd: &Path, user: Option<u32>, protected: &[Metadata]) -> Instructions {
    let mut found = Instructions::default();
    // A working directory that is gone has no instructions.
    let Ok(cwd) = cwd.canonicalize() else { return found };
    let root = repository_root(&cwd);
    let opener = Opener::new(PathRules { cwd: root.clone(), ..PathRules::default() });
    opener.protect(protected);
    let mut texts = Vec::new();
    let mut bytes_left = LIMIT;
    // The nearest is read first, since it is the one to keep.
    for directory in cwd.ancestors().take_while(|directory| directory.starts_with(&root)) {
        let path = directory.join(FILE_NAME);
        match read(&opener, &path, &root, user, bytes_left) {
            Ok(None) => {}
            Ok(Some(Text { text, was_cut })) => {
                if was_cut {
                    found.warnings.push(format!(
                        "`{}` was cut: instructions are read up to {LIMIT} bytes in all",
                        path.display()
                    ));
                }
                bytes_left = bytes_left.saturating_sub(text.len());
                if !text.trim().is_empty() {
                    texts.push(text);
                    found.files.push(path);
                }
            }
            Err(reason) => {
                found.warnings.push(format!("`{}` was skipped: {reason}", path.display()));
            }
        }
    }
    texts.reverse();
    found.files.reverse();
    found.text = texts.iter().map(|text| text.trim()).collect::<Vec<_>>().join("\n\n");
    found
}

/// The nearest directory upwards with a `.git` in it (a directory, or the file of a worktree); the
/// directory itself where there is none.
fn repository_root(cwd: &Path) -> PathBuf {
    cwd.ancestors()
        .find(|directory| directory.join(".git").symlink_metadata().is_ok())
        .unwrap_or(cwd)
        .to_path_buf()
}

struct Text {
    text: String,
    was_cut: bool,
}

/// `None` where there is no such file.
fn read(
    opener: &Opener,
    path: &Path,
    root: &Path,
    user: Option<u32>,
    limit: usize,
) -> Result<Option<Text>, String> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    // The opener would follow a link into the system's directories too, which hold no instructions.
    let real = path.canonicalize().map_err(|error| error.to_string())?;
    if !real.starts_with(root) {
        return Err("it is a link out of the repository".to_owned());
    }
    let file = match opener.open_read(path) {
        Ok(file) => file,
        Err(OpenError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if let Some(owner) = foreign_owner(&metadata, user) {
        return Err(format!("it belongs to another user (id {owner})"));
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let was_cut = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Some(Text { text: text_of(bytes), was_cut }))
}

/// Invalid UTF-8 is replaced, but a letter that the cut has split is dropped.
fn text_of(mut bytes: Vec<u8>) -> String {
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(unix)]
fn foreign_owner(metadata: &Metadata, user: Option<u32>) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let owner = metadata.uid();
    (owner != 0 && user.is_some_and(|user| user != owner)).then_some(owner)
}

#[cfg(not(unix))]
fn foreign_owner(_metadata: &Metadata, _user: Option<u32>) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
#[path = "instructions_tests.rs"]
mod tests;
