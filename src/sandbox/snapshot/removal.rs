//! Removes a directory tree that somebody may have built to be hard to remove: as deep, as wide and as
//! closed as they like.
//!
//! What lies deep is moved up into the doomed directory itself before it is emptied, so that no more than
//! two levels are open at a time, and memory is used for the names of directories only. Links are removed,
//! never followed. One name that cannot be removed does not keep the others.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::io::Errno;

use super::descriptors::DIRECTORY;
use super::descriptors::look_at_open;
use super::descriptors::set_mode;
use crate::system::listing::each_entry;

/// How often a directory is gone through: a listing may leave out what is moved in meanwhile.
const PASSES: u32 = 16;
/// What a directory's owner needs to empty it.
const WRITABLE: u64 = 0o700;

/// Removes whatever stands under a name.
pub(in crate::sandbox) fn remove_at(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    if unlink(parent, name)? {
        return Ok(());
    }
    let mut doomed = Doomed { top: open(parent, name)?, moved: 0, trouble: None };
    for _ in 0..PASSES {
        doomed.empty();
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) if doomed.trouble.is_none() => {}
            Err(error) => return Err(doomed.trouble.unwrap_or_else(|| error.into())),
        }
    }
    Err(io::Error::from(Errno::NOTEMPTY))
}

struct Doomed {
    top: OwnedFd,
    /// Directories that were moved up so far; each gets a number for its name.
    moved: u64,
    /// The first thing that could not be done.
    trouble: Option<io::Error>,
}

impl Doomed {
    fn empty(&mut self) {
        // Names of directories that stand at the top and have something in them.
        let mut full: Vec<OsString> = Vec::new();
        let listed = each_entry(&self.top, |name, _| {
            let name = OsStr::from_bytes(name.to_bytes());
            match unlink(self.top.as_fd(), name) {
                Ok(true) => {}
                Ok(false) => full.push(name.to_os_string()),
                Err(error) => note(&mut self.trouble, error),
            }
            Ok(())
        });
        self.bear(listed);
        while let Some(name) = full.pop() {
            let emptied = self.empty_one(&name, &mut full);
            self.bear(emptied);
        }
    }

    /// Empties a directory at the top; what is full in it is moved to the top as well.
    fn empty_one(&mut self, name: &OsStr, full: &mut Vec<OsString>) -> io::Result<()> {
        let directory = open(self.top.as_fd(), name)?;
        each_entry(&directory, |name, _| {
            let name = OsStr::from_bytes(name.to_bytes());
            match unlink(directory.as_fd(), name) {
                Ok(true) => {}
                Ok(false) => match self.move_up(directory.as_fd(), name) {
                    Ok(name) => full.push(name),
                    Err(error) => note(&mut self.trouble, error),
                },
                Err(error) => note(&mut self.trouble, error),
            }
            Ok(())
        })?;
        match rustix::fs::unlinkat(&self.top, name, AtFlags::REMOVEDIR) {
            // The next pass finds what the listing left out.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn move_up(&mut self, from: BorrowedFd<'_>, name: &OsStr) -> io::Result<OsString> {
        loop {
            self.moved += 1;
            let new = OsString::from(format!(".agi-agent-doomed-{}", self.moved));
            let attempt = || rustix::fs::renameat(from, name, &self.top, new.as_os_str());
            let moved = match attempt() {
                // Its own `..` is written, so it has to be writable itself.
                Err(Errno::ACCESS) => {
                    open(from, name)?;
                    attempt()
                }
                moved => moved,
            };
            match moved {
                Ok(()) => return Ok(new),
                // Somebody has taken the name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn bear(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            note(&mut self.trouble, error);
        }
    }
}

fn note(trouble: &mut Option<io::Error>, error: io::Error) {
    trouble.get_or_insert(error);
}

/// Removes a file, or a directory that is empty. False: there is something in it.
fn unlink(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    match rustix::fs::unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        // A directory: Linux says so, POSIX says that it is not permitted.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(Errno::NOTDIR) => Err(io::Error::from(Errno::PERM)),
        Err(error) => Err(error.into()),
    }
}

/// A directory that is to be emptied, with the permissions for that.
fn open(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let directory = rustix::fs::openat(at, name, DIRECTORY, Mode::empty())?;
    let mode = look_at_open(&directory)?.stamp.mode();
    if mode & WRITABLE != WRITABLE {
        // Where it is somebody else's, what cannot be done in it says so.
        drop(set_mode(directory.as_fd(), mode | WRITABLE));
    }
    Ok(directory)
}
