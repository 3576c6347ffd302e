//! "Did you mean": the existing name most like one that does not exist.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

/// Entries looked at; a larger directory gives a guess from its first part only.
const ENTRIES: usize = 5_000;

/// The entry of `directory` most similar to `name`, if any is similar enough to be meant.
pub(super) fn nearest_name(directory: &Path, name: &OsStr) -> Option<PathBuf> {
    let wanted = name.to_string_lossy().to_lowercase();
    let entries = std::fs::read_dir(directory).ok()?;
    entries
        .take(ENTRIES)
        .flatten()
        .map(|entry| {
            let likeness =
                strsim::jaro_winkler(&wanted, &entry.file_name().to_string_lossy().to_lowercase());
            (likeness, entry.path())
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, path)| path)
}
