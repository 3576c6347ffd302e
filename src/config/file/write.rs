//! Replaces a configuration file as a whole: a reader sees the old text or the new.
//!
//! Commands of ours write one after the other and notice each other's changes. What another program
//! writes is noticed until just before the renaming; no file system offers more than that. Decides
//! nothing about the text. Only commands that the person gave write here.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::system::durable;

/// Puts `new` where `old` stood (`None`: where nothing stood). Fails with `WouldBlock` where the
/// file holds something else by now. A link stays a link, the mode of an existing file is kept, a new
/// file is the owner's alone.
pub fn replace(path: &Path, old: Option<&str>, new: &str) -> io::Result<()> {
    let path = behind_links(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let _turn = turn(folder)?;
    let (temporary, mut file) = create_beside(&path)?;
    let written = file.write_all(new.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
        if let Ok(metadata) = path.metadata() {
            std::fs::set_permissions(&temporary, metadata.permissions())?;
        }
        if current(&path)?.as_deref() != old {
            let message = "the file was changed meanwhile";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        std::fs::rename(&temporary, &path)
    });
    if written.is_err() {
        // The first error is the one to tell.
        drop(std::fs::remove_file(&temporary));
    }
    written?;
    durable::sync_parent(&path)
}

/// The right to write in a directory, until it is dropped. Advisory, among commands of ours.
#[cfg(unix)]
fn turn(folder: &Path) -> io::Result<Option<File>> {
    let lock = match File::open(folder) {
        Ok(lock) => lock,
        // It may be written and entered, but not read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.lock() {
        Ok(()) => Ok(Some(lock)),
        // A file system without locks.
        Err(_) => Ok(None),
    }
}

/// A directory cannot be locked here.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn turn(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// The text of a file; `None` where there is none.
pub fn current(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Dotfiles are often links to where the person keeps them.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            Ok(path.to_path_buf())
        }
        Err(error) => Err(error),
    }
}

/// A new file beside `path`, for the owner alone. The process id does not make its name unique: in a
/// container every agent is process 1, and one that was killed leaves its file behind.
pub(in crate::config) fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut count = 0_u32;
    loop {
        let beside = path.with_file_name(format!(".{name}.{}-{count}", std::process::id()));
        match options.open(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            opened => return Ok((beside, opened?)),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn links_and_modes_stay_and_foreign_changes_are_not_lost() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real.json"), root.path().join("link.json"));
        replace(&real, None, "one").unwrap();
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, Some("one"), "two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "two");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        let error = replace(&real, Some("one"), "three").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "two");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn writers_of_ours_lose_no_change_of_each_other() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.json");
        replace(&path, None, "").unwrap();
        let add = |letter: &str| {
            for _ in 0..50 {
                loop {
                    let old = current(&path).unwrap().unwrap();
                    match replace(&path, Some(&old), &format!("{old}{letter}")) {
                        Ok(()) => break,
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for letter in ["a", "b", "c"] {
                scope.spawn(move || add(letter));
            }
        });
        assert_eq!(current(&path).unwrap().unwrap().len(), 150);
    }

    #[test]
    fn what_a_killed_process_of_our_id_left_is_in_nobodys_way() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.json");
        let left = root.path().join(format!(".a.json.{}-0", std::process::id()));
        std::fs::write(&left, "half").unwrap();
        replace(&path, None, "one").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(&left).unwrap(), "half");
    }
}
