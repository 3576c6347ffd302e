//! Which projects a person trusts: one small file for each, bound to the project's real path and to
//! the content of its files.
//!
//! The files lie in the data directory of the person, where neither tools nor their children can
//! write (`cli::wiring` protects it). Must not be asked by anything but the loader and the `trust`
//! command.

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use super::Project;
use crate::config::file::write::create_beside;
use crate::protocol::hex;
use crate::system::durable;

/// SHA-256 over names and contents, as `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// Of files in a fixed order; lengths are part of it, so that no two lists look alike.
    pub fn of<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut hasher = Sha256::new();
        for (name, bytes) in files {
            for part in [name.as_bytes(), bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Self(format!("sha256:{}", hex(&hasher.finalize())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is kept of a trusted project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its real path.
    pub directory: PathBuf,
    pub content: ContentHash,
    /// When it was trusted (RFC 3339, UTC).
    pub since: String,
}

/// The person's trust. Absent without a home directory: then nothing is trusted.
#[derive(Debug, Clone)]
pub struct TrustStore {
    directory: PathBuf,
}

/// Largest record that is read (bytes): a path and two short texts.
const MAX_RECORD: u64 = 64 * 1024;

impl TrustStore {
    /// The store below the person's data directory (the platform's own, whatever `data_dir` says:
    /// that key is known only after projects were judged).
    pub fn new(data: &Path) -> Self {
        Self { directory: data.join("trust") }
    }

    /// Where the records lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether this content of this project is trusted. A record that cannot be read is none.
    pub fn trusts(&self, project: &Project, hash: &ContentHash) -> bool {
        self.record(&project.directory)
            .is_some_and(|record| record.directory == project.directory && record.content == *hash)
    }

    /// The record of a directory, whatever content it was made for.
    pub fn record(&self, directory: &Path) -> Option<Record> {
        read(&self.path(directory)?)
    }

    /// Trusts a project as it is now. `since`: RFC 3339.
    pub fn add(&self, project: &Project, since: String) -> io::Result<Record> {
        let path = self.path(&project.directory).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the path of the project is not Unicode")
        })?;
        let directory = project.directory.clone();
        let record = Record { directory, content: project.hash(), since };
        create_private_directory(&self.directory)?;
        let text = serde_json::to_string_pretty(&record).map_err(io::Error::from)?;
        let (temporary, mut file) = create_beside(&path)?;
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&temporary, &path));
        if written.is_err() {
            // The first error is the one to tell.
            drop(std::fs::remove_file(&temporary));
        }
        written.and_then(|()| durable::sync_parent(&path)).map(|()| record)
    }

    /// Forgets a directory; false where it was not known.
    pub fn remove(&self, directory: &Path) -> io::Result<bool> {
        let Some(path) = self.path(directory) else { return Ok(false) };
        match std::fs::remove_file(&path) {
            // A trust that was taken back must not come back after a power failure.
            Ok(()) => durable::sync_parent(&path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All records, by directory.
    pub fn list(&self) -> io::Result<Vec<Record>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut records: Vec<Record> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .filter_map(|path| read(&path))
            .collect();
        records.sort_by(|left, right| left.directory.cmp(&right.directory));
        Ok(records)
    }

    /// A file name that any path fits into.
    fn path(&self, directory: &Path) -> Option<PathBuf> {
        let name = hex(&Sha256::digest(directory.to_str()?.as_bytes()));
        Some(self.directory.join(format!("{}.json", &name[..32])))
    }
}

fn read(path: &Path) -> Option<Record> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_RECORD {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(unix)]
fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ContentHash;
    use super::TrustStore;
    use crate::config::project::Project;

    fn project(directory: &Path, config: &str) -> Project {
        std::fs::create_dir_all(directory.join(".agi-agent")).unwrap();
        std::fs::write(directory.join(".agi-agent/config.json"), config).unwrap();
        let found = Project::read(&directory.canonicalize().unwrap(), &mut Vec::new());
        found.unwrap()
    }

    #[test]
    fn trust_is_of_a_place_and_a_content() {
        let root = tempfile::tempdir().unwrap();
        let store = TrustStore::new(&root.path().join("data"));
        let first = project(&root.path().join("a"), "{}");
        assert!(!store.trusts(&first, &first.hash()));
        store.add(&first, "now".into()).unwrap();
        assert!(store.trusts(&first, &first.hash()));
        // The same content elsewhere, and another content here.
        let copy = project(&root.path().join("b"), "{}");
        assert_eq!(copy.hash(), first.hash());
        assert!(!store.trusts(&copy, &copy.hash()));
        let edited = project(&root.path().join("a"), "{ }");
        assert!(!store.trusts(&edited, &edited.hash()));
        assert_eq!(store.list().unwrap().len(), 1);
        assert!(store.remove(&first.directory).unwrap());
        assert!(!store.remove(&first.directory).unwrap());
        assert!(!store.trusts(&first, &first.hash()));
    }

    #[test]
    fn moving_bytes_between_files_changes_the_hash() {
        let of = |files: &[(&str, &str)]| {
            ContentHash::of(files.iter().map(|(name, text)| (*name, text.as_bytes())))
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_ne!(of(&[("a", "x"), ("b", "")]), of(&[("a", ""), ("b", "x")]));
    }
}
