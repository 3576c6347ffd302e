//! What git's own files say about where its directories are and what it runs. Nothing of git is run here, and
//! nothing is written.

pub mod config;

pub(super) mod directories;

pub(super) mod included;

mod layouts;

pub mod obeyed;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a file that are read: a larger `.git` is none to git either (`read_gitfile_gently`).
const MOST_BYTES: u64 = 1 << 20;

/// A regular file's contents, links followed. `None`: there is none, or it is too large.
fn read(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MOST_BYTES).then_some(bytes)
}
