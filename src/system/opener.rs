//! The one place where a path that a person or a model named is opened in this process.
//!
//! Two things are held here and nowhere else: the rules of what may be read and written (the same
//! values that children get as a sandbox), and the inodes of the memory database. Opening and
//! closing a database file anywhere in this process would cancel `SQLite`'s POSIX locks, so every
//! object is pinned (`O_PATH`) and compared before a normal descriptor of it exists.
//!
//! The verdict is always about the object, never about the spelling: a path is resolved to its real
//! path first, and the real path is opened without following any symbolic link, so that a link which
//! is swapped in between makes the call fail instead of reaching outside.

mod error;
mod exclusive;
mod nearest;
mod rules;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg(unix)]
mod unix;
mod version;
#[cfg(windows)]
mod windows;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

pub use error::OpenError;
pub use exclusive::Cancelled;
pub use exclusive::Exclusive;
pub use rules::Access;
pub use rules::PathRules;
pub use rules::SYSTEM_READ;
pub use rules::is_agent_directory;
pub use rules::is_git_metadata;
pub use rules::is_secret_of_etc;
pub use version::Expected;
pub use version::Version;

use rules::Rules;
#[cfg(unix)]
use unix as backend;
#[cfg(windows)]
use windows as backend;

/// What a directory entry is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    /// FIFO, socket or device.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: OsString,
    /// The directory's real path joined with the name.
    pub path: PathBuf,
    pub kind: EntryKind,
}

/// Opens paths under one policy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opener {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rules: Rules,
    /// (device, inode) of files that must never be opened here.
    inodes: Mutex<HashSet<(u64, u64)>>,
    /// Single files outside of the rules that may be read all the same.
    revealed: Mutex<HashSet<PathBuf>>,
    /// Directories in which left-over temporary files were looked for.
    swept: Mutex<HashSet<PathBuf>>,
}

/// Where a path really is.
#[derive(Debug)]
struct Located {
    real: PathBuf,
    /// The object itself; `None`: nothing there, but `real` is where it would be.
    object: Option<backend::Pinned>,
}

impl Opener {
    /// An opener for these rules. Resolves the roots once.
    pub fn new(rules: PathRules) -> Self {
        let inner = Inner {
            rules: Rules::new(rules),
            inodes: Mutex::new(HashSet::new()),
            revealed: Mutex::new(HashSet::new()),
            swept: Mutex::new(HashSet::new()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Registers the files (database, write-ahead log, shared memory) that must never be opened here,
    /// whatever name leads to them. They take the place of those of an earlier call: the number of a file
    /// that is gone may be another file's by now. With none, the earlier ones stay.
    pub fn protect(&self, files: &[Metadata]) {
        let found: HashSet<_> = files.iter().filter_map(backend::identity).collect();
        if !found.is_empty() {
            *self.inner.inodes.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }

    /// Lets one file be read, by its real path, wherever it lies: what the agent itself wrote for the
    /// model to read.
    pub fn reveal(&self, real: &Path) {
        let mut revealed = self.inner.revealed.lock().unwrap_or_else(PoisonError::into_inner);
        revealed.insert(real.to_path_buf());
    }

    /// Absolute, against the working directory of the rules; `~` is not expanded and `..` is left to
    /// the file system (`link/..` is not `.`).
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.inner
            .rules
            .cwd()
            .join(path)
            .components()
            .filter(|part| !matches!(part, Component::CurDir))
            .collect()
    }

    /// Whether the path may be read; nothing is opened for reading.
    pub fn check_read(&self, path: &Path) -> Result<(), OpenError> {
        let located = self.locate(path, Access::Read)?;
        self.judge(path, &located, Access::Read)
    }

    /// Whether the path may be written or created.
    pub fn check_write(&self, path: &Path) -> Result<(), OpenError> {
        let located = self.locate(path, Access::Write)?;
        self.judge(path, &located, Access::Write)
    }

    /// Opens a regular file for reading. FIFOs, sockets, devices and directories are refused without
    /// blocking.
    pub fn open_read(&self, path: &Path) -> Result<File, OpenError> {
        let located = self.locate(path, Access::Read)?;
        self.judge(path, &located, Access::Read)?;
        let Some(object) = located.object else {
            return Err(self.not_found(path, &located.real));
        };
        object.must_be_file(path)?;
        let inner = &self.inner;
        backend::open_read(&object, &located.real, |identity| inner.is_protected(identity))
            .map_err(|source| OpenError::io(path, source))
    }

    /// The entries of a directory in the order of the file system. An entry that is listed is not yet
    /// allowed: every one is judged when it is opened.
    pub fn read_dir(&self, path: &Path) -> Result<Vec<Entry>, OpenError> {
        let located = self.locate(path, Access::Read)?;
        self.judge(path, &located, Access::Read)?;
        if located.object.is_none() {
            return Err(self.not_found(path, &located.real));
        }
        let directory =
            backend::open_directory(&located.real).map_err(|source| OpenError::io(path, source))?;
        backend::entries(&directory, &located.real).map_err(|source| OpenError::io(path, source))
    }

    /// Replaces a file's contents or creates it, so that a reader (or a crash) sees the old or the new
    /// contents and nothing between: a temporary file in the same directory, written, synced, renamed,
    /// and the directory synced.
    ///
    /// `mode`: permission bits; `None` keeps those of the old file, or those the umask gives to a new
    /// one. The owner is kept where this process may. A symbolic link is followed if what it leads to
    /// is inside the rules. A file with further hard links is refused, as the other name may be outside;
    /// where everything may be written it is replaced, and the other names keep the old contents.
    pub fn replace(
        &self,
        path: &Path,
        contents: &[u8],
        mode: Option<u32>,
    ) -> Result<(), OpenError> {
        self.replace_if(path, &Expected::Anything, contents, mode)
    }

    /// As [`Self::replace`], but only if the file still is what it is expected to be, looked at right
    /// before the new one takes its name; otherwise nothing changes: [`OpenError::Changed`].
    pub fn replace_if(
        &self,
        path: &Path,
        expected: &Expected,
        contents: &[u8],
        mode: Option<u32>,
    ) -> Result<(), OpenError> {
        let (located, directory) = self.replaceable(path)?;
        let (parent, name) = split(path, &located.real)?;
        self.sweep(&directory, parent);
        let new = backend::New { contents, mode };
        match backend::replace(&directory, name, located.object.as_ref(), expected, &new) {
            Ok(true) => Ok(()),
            Ok(false) => Err(OpenError::Changed { path: path.to_path_buf() }),
            Err(source) => Err(OpenError::io(path, source)),
        }
    }

    /// Whether nothing is there, not even what a link leads to.
    pub fn is_absent(&self, path: &Path) -> Result<bool, OpenError> {
        Ok(self.locate(path, Access::Write)?.object.is_none())
    }

    /// By how many names beside this one a file is known (hard links); 0 where it is not there.
    pub fn other_names(&self, path: &Path) -> u64 {
        let located = self.locate(path, Access::Read).ok();
        located.and_then(|located| located.object).map_or(0, |object| object.other_names())
    }

    /// Waits until no other writer of ours, in this process or another, is at work in the directory of
    /// `path`, and keeps them out until the value is dropped; see [`Exclusive`]. `is_cancelled` is asked
    /// every few milliseconds.
    pub fn exclusive(
        &self,
        path: &Path,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Exclusive, Cancelled> {
        let directory = self.locate(path, Access::Write).ok().and_then(|located| {
            self.judge(path, &located, Access::Write).ok()?;
            backend::open_directory(located.real.parent()?).ok()
        });
        // Whatever is wrong with the path is said by what is to be done with it.
        directory.map_or_else(|| Ok(Exclusive::none()), |held| Exclusive::wait(held, is_cancelled))
    }

    /// Whether [`Self::replace`] could do its work now, as far as that can be told without writing.
    pub fn check_replace(&self, path: &Path) -> Result<(), OpenError> {
        let (_, directory) = self.replaceable(path)?;
        backend::takes_names(&directory).map_err(|source| OpenError::io(path, source))
    }

    /// What [`Self::replace`] would replace, and the directory that it is in.
    fn replaceable(&self, path: &Path) -> Result<(Located, backend::Directory), OpenError> {
        let located = self.locate(path, Access::Write)?;
        self.judge(path, &located, Access::Write)?;
        if let Some(object) = &located.object {
            object.must_be_file(path)?;
            // Who may write everywhere may write under the other name too.
            if !self.inner.rules.is_full() {
                object.must_have_one_name(path)?;
            }
        }
        let (parent, _) = split(path, &located.real)?;
        let directory = backend::open_directory(parent)
            .map_err(|source| self.parent_error(path, parent, source))?;
        Ok((located, directory))
    }

    /// Creates a directory and what is missing above it.
    pub fn create_dir_all(&self, path: &Path) -> Result<(), OpenError> {
        let located = self.locate(path, Access::Write)?;
        self.judge(path, &located, Access::Write)?;
        match &located.object {
            Some(object) => object.must_be_directory(path),
            None => backend::create_directories(&located.real)
                .map_err(|source| OpenError::io(path, source)),
        }
    }

    /// Removes a file, or a symbolic link as such.
    pub fn remove_file(&self, path: &Path) -> Result<(), OpenError> {
        let absolute = self.resolve(path);
        let (parent, name) = split(path, &absolute)?;
        let located = self.locate(parent, Access::Write)?;
        let place = Located { real: located.real.join(name), object: None };
        self.judge(path, &place, Access::Write)?;
        let directory = backend::open_directory(&located.real)
            .map_err(|source| self.parent_error(path, parent, source))?;
        let protected = |identity| self.inner.is_protected(identity);
        match backend::remove_file(&directory, &located.real, name, protected) {
            Ok(true) => Ok(()),
            Ok(false) => Err(OpenError::Protected { path: path.to_path_buf() }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(self.not_found(path, &place.real))
            }
            Err(source) => Err(OpenError::io(path, source)),
        }
    }

    /// Resolves a path to its real path and pins what is there.
    fn locate(&self, path: &Path, access: Access) -> Result<Located, OpenError> {
        if path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().contains(&0) {
            let source = io::Error::new(
                io::ErrorKind::InvalidInput,
                "a path is never empty and holds no NUL byte",
            );
            return Err(OpenError::io(path, source));
        }
        let absolute = self.resolve(path);
        // The common case in one system call: no link and no `..` on the way.
        if !absolute.components().any(|part| part == Component::ParentDir)
            && let Ok(object) = backend::pin(&absolute)
        {
            return Ok(Located { real: absolute, object: Some(object) });
        }
        match std::fs::canonicalize(&absolute) {
            Ok(real) => match backend::pin(&real) {
                Ok(object) => Ok(Located { real, object: Some(object) }),
                Err(source) => Err(OpenError::io(path, source)),
            },
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                locate_absent(path, &absolute, access)
            }
            Err(source) => Err(OpenError::io(path, source)),
        }
    }

    fn judge(&self, path: &Path, located: &Located, access: Access) -> Result<(), OpenError> {
        if let Some(object) = &located.object
            && let Some(identity) = object.identity()
            && self.inner.is_protected(identity)
        {
            return Err(OpenError::Protected { path: path.to_path_buf() });
        }
        if access == Access::Read && self.inner.is_revealed(&located.real) {
            return Ok(());
        }
        self.inner.rules.verdict(path, &located.real, access)
    }

    fn not_found(&self, path: &Path, real: &Path) -> OpenError {
        let nearest = real
            .parent()
            .filter(|parent| self.inner.rules.verdict(path, parent, Access::Read).is_ok())
            .and_then(|parent| nearest::nearest_name(parent, real.file_name()?));
        OpenError::NotFound { path: path.to_path_buf(), nearest }
    }

    fn parent_error(&self, path: &Path, parent: &Path, source: io::Error) -> OpenError {
        if source.kind() == io::ErrorKind::NotFound {
            return self.not_found(parent, parent);
        }
        OpenError::io(path, source)
    }

    /// Removes temporary files that a killed agent left, once per directory.
    fn sweep(&self, directory: &backend::Directory, real: &Path) {
        let mut swept = self.inner.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.insert(real.to_path_buf()) {
            backend::sweep(directory);
        }
    }
}

impl Inner {
    fn is_revealed(&self, real: &Path) -> bool {
        self.revealed.lock().unwrap_or_else(PoisonError::into_inner).contains(real)
    }

    fn is_protected(&self, identity: (u64, u64)) -> bool {
        self.inodes.lock().unwrap_or_else(PoisonError::into_inner).contains(&identity)
    }
}

/// Where a path that does not exist would be: the real path of the deepest directory that does, and
/// the rest. Through a dangling link nothing is made: its target could appear anywhere later.
fn locate_absent(path: &Path, absolute: &Path, access: Access) -> Result<Located, OpenError> {
    let mut rest: Vec<&std::ffi::OsStr> = Vec::new();
    let mut current = absolute;
    loop {
        if std::fs::symlink_metadata(current).is_ok() {
            let real = std::fs::canonicalize(current).map_err(|_| match access {
                Access::Read => OpenError::Dangling { path: path.to_path_buf() },
                Access::Write => OpenError::Denied {
                    path: path.to_path_buf(),
                    access,
                    reason: "it is or goes through a symbolic link whose target does not exist"
                        .to_owned(),
                },
            })?;
            let real = rest.iter().rev().fold(real, |real, name| real.join(name));
            return Ok(Located { real, object: None });
        }
        let (Some(parent), Some(name)) = (current.parent(), current.file_name()) else {
            // `missing/..`, or not even a root.
            return Err(OpenError::NotFound { path: path.to_path_buf(), nearest: None });
        };
        rest.push(name);
        current = parent;
    }
}

fn split<'a>(path: &Path, real: &'a Path) -> Result<(&'a Path, &'a std::ffi::OsStr), OpenError> {
    match (real.parent(), real.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(OpenError::NotAFile { path: path.to_path_buf(), kind: "a directory" }),
    }
}
