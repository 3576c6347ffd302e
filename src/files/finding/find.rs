//! Finds files and directories by name, size and age.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::first::First;
use super::name::NameGlob;
use super::search::name_of;
use super::walk::Found;
use super::walk::Problems;
use super::walk::Visitor;
use super::walk::Walk;
use super::walk::walk;
use crate::files::FileError;
use crate::system::opener::EntryKind;
use crate::system::opener::Opener;

/// What results are ordered by; ties by path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    #[default]
    Name,
    Size,
    Modified,
}

/// What to find; every condition that is given must hold.
#[derive(Debug, Clone)]
pub struct Find {
    pub walk: Walk,
    pub name: Option<NameGlob>,
    /// `None`: files, directories, links and all else.
    pub kind: Option<EntryKind>,
    /// Bytes; only files have a size.
    pub min_size: Option<u64>,
    pub max_size: Option<u64>,
    pub newer_than: Option<OffsetDateTime>,
    pub older_than: Option<OffsetDateTime>,
    pub sort: SortBy,
    pub descending: bool,
    pub limit: usize,
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// As a person would write it.
    pub path: PathBuf,
    pub kind: EntryKind,
    /// Bytes of a file; 0 for all else.
    pub size: u64,
    /// UTC; the epoch where the file system knows none.
    pub modified: OffsetDateTime,
}

/// What was found, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindResult {
    /// At most `limit`.
    pub entries: Vec<FoundEntry>,
    pub total: u64,
    /// Bytes of all files that were found, shown or not.
    pub total_size: u64,
    pub problems: Problems,
}

/// Orders by number, then path; either direction of the number, always upward by path.
type Key = (Option<i128>, Option<Reverse<PathBuf>>, PathBuf);

/// Finds.
pub fn find(
    opener: &Opener,
    find: &Find,
    cancel: &CancellationToken,
) -> Result<FindResult, FileError> {
    let kept = Mutex::new((First::new(find.limit), 0_u64));
    let visitor = || {
        let kept = &kept;
        Box::new(move |found: &Found| {
            if let Some(entry) = entry_that_fits(find, found)? {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.1 += entry.size;
                kept.0.add(key(find, &entry), entry);
            }
            Ok(())
        }) as Visitor<'_>
    };
    let problems = walk(opener, &find.walk, cancel, &visitor)?;
    let (first, total_size) = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let total = first.total();
    Ok(FindResult { entries: first.into_values(), total, total_size, problems })
}

fn entry_that_fits(find: &Find, found: &Found) -> Result<Option<FoundEntry>, FileError> {
    if find.kind.is_some_and(|kind| kind != found.kind)
        || find.name.as_ref().is_some_and(|name| !name.matches(name_of(found)))
    {
        return Ok(None);
    }
    let metadata = match std::fs::symlink_metadata(&found.path) {
        Ok(metadata) => metadata,
        // Gone since it was listed: it is not there.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::io(&found.shown, source)),
    };
    let is_file = found.kind == EntryKind::File;
    let size = if is_file { metadata.len() } else { 0 };
    let modified = metadata.modified().map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from);
    let sized = find.min_size.is_some() || find.max_size.is_some();
    let fits = (!sized || is_file)
        && find.min_size.is_none_or(|least| size >= least)
        && find.max_size.is_none_or(|most| size <= most)
        && find.newer_than.is_none_or(|moment| modified >= moment)
        && find.older_than.is_none_or(|moment| modified < moment);
    let entry = FoundEntry { path: found.shown.clone(), kind: found.kind, size, modified };
    Ok(fits.then_some(entry))
}

fn key(find: &Find, entry: &FoundEntry) -> Key {
    let number = match find.sort {
        SortBy::Name => None,
        SortBy::Size => Some(i128::from(entry.size)),
        SortBy::Modified => Some(entry.modified.unix_timestamp_nanos()),
    };
    let backward = find.descending && find.sort == SortBy::Name;
    (
        number.map(|number| if find.descending { -number } else { number }),
        backward.then(|| Reverse(entry.path.clone())),
        entry.path.clone(),
    )
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
