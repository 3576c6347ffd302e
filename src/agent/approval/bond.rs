//! What a person's yes is bound to: this call, in this directory, with this environment and these
//! files. When any of them is another one by the time the call runs, the yes is void.
//!
//! Only looks; decides nothing. Files are those that the call names: the target of a file tool, the
//! programs and operands of a command.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;

use super::shell;
use super::shell::unwrap::unwrap;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;

/// Bytes of a file that are compared; of what is longer, also the length and the times.
const COMPARED: u64 = 4 << 20;

/// Files of one call that are looked at.
const MAX_FILES: usize = 32;

/// A call as it was shown to a person.
#[derive(Debug, Clone)]
pub struct Bond {
    tool: String,
    arguments: Value,
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
    files: Vec<PathBuf>,
    /// Knows which files must not be opened in this process.
    opener: Opener,
    seal: Seal,
}

/// Digests of the parts, so that a change can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seal {
    directory: [u8; 32],
    files: [u8; 32],
}

impl Bond {
    /// Looks at the world as it is now.
    pub fn new(
        tool: &str,
        arguments: &Value,
        directory: &Path,
        environment: &[(OsString, OsString)],
        files: Vec<PathBuf>,
        opener: &Opener,
    ) -> Self {
        let files_seal = files_digest(&files, opener);
        let seal = Seal { directory: directory_digest(directory), files: files_seal };
        Self {
            tool: tool.to_owned(),
            arguments: arguments.clone(),
            directory: directory.to_path_buf(),
            environment: environment.to_vec(),
            files,
            opener: opener.clone(),
            seal,
        }
    }

    /// The call without its files: what a yes for the whole session is bound to.
    pub fn key(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(bytes);
        };
        part(self.tool.as_bytes());
        part(self.arguments.to_string().as_bytes());
        part(&self.seal.directory);
        for (name, value) in &self.environment {
            part(name.as_encoded_bytes());
            part(value.as_encoded_bytes());
        }
        digest.finalize().into()
    }

    /// What has changed since it was made, in words; `Ok` where nothing has.
    pub fn check(&self) -> Result<(), String> {
        if directory_digest(&self.directory) != self.seal.directory {
            return Err(changed("the directory"));
        }
        if files_digest(&self.files, &self.opener) != self.seal.files {
            return Err(changed("a file that it names"));
        }
        Ok(())
    }
}

fn changed(what: &str) -> String {
    format!("{what} is not the one that was approved any more")
}

/// The files that a shell command names: its programs where `PATH` finds them, and every word that
/// is a file.
pub fn files_of_command(text: &str, directory: &Path, search: &[PathBuf]) -> Vec<PathBuf> {
    let Ok(script) = shell::parse(text) else { return Vec::new() };
    let mut files = Vec::new();
    for command in script.commands.iter().flat_map(unwrap) {
        let program = command.words.first().map(|word| word.text.as_str()).unwrap_or_default();
        if !program.contains('/') {
            let found = search.iter().map(|place| place.join(program));
            files.extend(found.into_iter().find(|file| file.is_file()));
        }
        let words = command.words.iter().filter(|word| word.fixed);
        files.extend(words.map(|word| directory.join(&word.text)).filter(|path| path.is_file()));
    }
    files.truncate(MAX_FILES);
    files
}

/// Which directory it is, not how it is called.
fn directory_digest(directory: &Path) -> [u8; 32] {
    let mut digest = Sha256::new();
    if let Ok(real) = directory.canonicalize() {
        digest.update(real.as_os_str().as_encoded_bytes());
    }
    if let Ok(metadata) = std::fs::metadata(directory) {
        digest.update(identity(&metadata));
    }
    digest.finalize().into()
}

fn files_digest(files: &[PathBuf], opener: &Opener) -> [u8; 32] {
    let mut digest = Sha256::new();
    for file in files {
        digest.update(file.as_os_str().as_encoded_bytes());
        if let Ok(real) = file.canonicalize() {
            digest.update(real.as_os_str().as_encoded_bytes());
        }
        digest.update(content_digest(file, opener));
    }
    digest.finalize().into()
}

/// A file that cannot be read is as good as one that is not there. The memory database is told by its
/// identity: to open and close it here would cancel SQLite's locks.
fn content_digest(file: &Path, opener: &Opener) -> [u8; 32] {
    let mut digest = Sha256::new();
    let Ok(metadata) = std::fs::metadata(file) else { return digest.finalize().into() };
    if matches!(opener.check_read(file), Err(OpenError::Protected { .. })) {
        digest.update([2]);
        digest.update(identity(&metadata));
        return digest.finalize().into();
    }
    // Devices and pipes are not read: that would change them, or never end.
    if metadata.is_file()
        && let Ok(file) = File::open(file)
    {
        digest.update([1]);
        digest.update(metadata.len().to_le_bytes());
        let mut content = Vec::new();
        if file.take(COMPARED).read_to_end(&mut content).is_ok() {
            digest.update(&content);
        }
        if metadata.len() > COMPARED {
            digest.update(identity(&metadata));
            digest.update(format!("{:?}", metadata.modified().ok()));
        }
    }
    digest.finalize().into()
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> [u8; 16] {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&metadata.dev().to_le_bytes());
    bytes[8..].copy_from_slice(&metadata.ino().to_le_bytes());
    bytes
}

/// Elsewhere the time of creation tells one directory from another of the same name.
#[cfg(not(unix))]
fn identity(metadata: &std::fs::Metadata) -> [u8; 16] {
    let created = metadata.created().ok();
    let since = created.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::system::opener::PathRules;

    fn opener(cwd: &Path) -> Opener {
        Opener::new(PathRules { cwd: cwd.to_path_buf(), full: true, ..PathRules::default() })
    }

    #[test]
    fn a_bond_breaks_when_the_directory_or_a_file_changes() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("work");
        std::fs::create_dir(&work).unwrap();
        std::fs::write(work.join("run.sh"), "echo a").unwrap();
        let files = files_of_command("sh run.sh", &work, &[]);
        assert_eq!(files, [work.join("run.sh")]);
        let arguments = json!({"command": "sh run.sh"});
        let bond = Bond::new("shell", &arguments, &work, &[], files, &opener(root.path()));
        assert_eq!(bond.check(), Ok(()));
        std::fs::write(work.join("run.sh"), "echo b").unwrap();
        assert!(bond.check().unwrap_err().contains("a file"));
        std::fs::write(work.join("run.sh"), "echo a").unwrap();
        assert_eq!(bond.check(), Ok(()));
        std::fs::rename(&work, root.path().join("old")).unwrap();
        std::fs::create_dir(&work).unwrap();
        std::fs::write(work.join("run.sh"), "echo a").unwrap();
        assert!(bond.check().unwrap_err().contains("the directory"));
    }

    /// That a protected file is not opened shows in that its contents do not count.
    #[test]
    fn a_protected_file_is_not_opened() {
        let root = tempfile::tempdir().unwrap();
        let (file, opener) = (root.path().join("agent.db"), opener(root.path()));
        std::fs::write(&file, "one").unwrap();
        opener.protect(&[file.metadata().unwrap()]);
        let bond =
            Bond::new("file_write", &json!({}), root.path(), &[], vec![file.clone()], &opener);
        std::fs::write(&file, "two").unwrap();
        assert_eq!(bond.check(), Ok(()));
        std::fs::rename(&file, root.path().join("old")).unwrap();
        std::fs::write(&file, "two").unwrap();
        assert!(bond.check().is_err());
    }

    #[test]
    fn a_key_is_the_call_in_its_place() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key =
            |tool: &str, command: &str, place: &Path, environment: &[(OsString, OsString)]| {
                let arguments = json!({"command": command});
                Bond::new(tool, &arguments, place, environment, Vec::new(), &opener(place)).key()
            };
        let first = key("shell", "a", here.path(), &[]);
        assert_eq!(first, key("shell", "a", here.path(), &[]));
        assert_ne!(first, key("shell", "b", here.path(), &[]));
        assert_ne!(first, key("other", "a", here.path(), &[]));
        assert_ne!(first, key("shell", "a", there.path(), &[]));
        assert_ne!(first, key("shell", "a", here.path(), &[("X".into(), "1".into())]));
    }
}
