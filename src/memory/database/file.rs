//! What surrounds an SQLite connection: the file's path, its creation, its file system.
//!
//! Must never open the database file itself, nor its `-wal` and `-shm`: closing any descriptor of
//! them drops every POSIX lock that SQLite holds in this process. `stat` and `mknod` open nothing.

use std::ffi::OsString;
use std::fs;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;

use crate::memory::error::Failure;
use crate::memory::error::MemoryError;
use crate::system::durable;

/// The database, its write-ahead log, the log's index, and the journal of network file systems.
pub(in crate::memory) fn family(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix))
}

/// `path` with something appended to its last component.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// The metadata of those files of the family that exist.
pub(in crate::memory) fn protected(path: &Path) -> Vec<Metadata> {
    family(path).iter().filter_map(|file| fs::metadata(file).ok()).collect()
}

/// True where `path` is one of the database's files under any name.
pub(in crate::memory) fn is_of_family(path: &Path, database: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else {
        return family(database).iter().any(|own| own == path);
    };
    protected(database).iter().any(|own| same_file(own, &metadata))
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Without stable file numbers: size and times are as near as metadata comes.
#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.created().ok() == b.created().ok()
}

/// True where the database exists; an error where something else has its name.
pub(super) fn exists(path: &Path) -> Result<bool, MemoryError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(metadata) => {
            let kind = if metadata.is_dir() { "a directory" } else { "a special file" };
            Err(MemoryError::NotAFile { path: path.to_path_buf(), kind })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(MemoryError::Io { action: "look at", path: path.to_path_buf(), source }),
    }
}

/// Makes the directory (0700) and an empty file (0600), where they are missing.
pub(super) fn create(path: &Path) -> Result<(), MemoryError> {
    if exists(path)? {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directory(parent)
            .map_err(|source| denied("create the directory", parent, source))?;
    }
    match create_empty(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(denied("create", path, error))
        }
        _ => Ok(()),
    }
}

fn denied(action: &'static str, path: &Path, source: io::Error) -> MemoryError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            MemoryError::ReadOnly { path: path.to_path_buf(), detail: source.to_string() }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            MemoryError::Full { path: path.to_path_buf() }
        }
        _ => MemoryError::Io { action, path: path.to_path_buf(), source },
    }
}

#[cfg(unix)]
fn create_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// `mknod` makes the file with its mode and opens nothing (see the head of this file).
#[cfg(target_os = "linux")]
fn create_empty(path: &Path) -> io::Result<()> {
    use rustix::fs::FileType;
    use rustix::fs::Mode;
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::RegularFile, Mode::RUSR | Mode::WUSR, 0)?;
    Ok(())
}

/// The file is new, so nothing in this process can hold a lock on it yet.
#[cfg(not(target_os = "linux"))]
fn create_empty(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// True on file systems where processes on several machines may meet: there, the shared memory that
/// a write-ahead log needs cannot be relied on.
#[cfg(target_os = "linux")]
pub fn is_on_network(path: &Path) -> bool {
    // linux/magic.h and the file systems' own sources.
    const NETWORK: [rustix::fs::FsWord; 16] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB2
        0x0102_1997, // 9p: WSL's \\wsl.localhost and drvfs, gVisor
        0x6573_5546, // FUSE: sshfs and its kin, virtiofs
        0x0BD0_0BD0, // Lustre
        0x4750_4653, // GPFS
        0x00C3_6400, // Ceph
        0x5346_414F, // AFS
        0x6B41_4653, // kAFS
        0x7375_7245, // Coda
        0x7461_636F, // OCFS2
        0x0116_1970, // GFS2
        0x1983_0326, // BeeGFS
        0x786F_4256, // VirtualBox shared folders
    ];
    rustix::fs::statfs(path).is_ok_and(|facts| NETWORK.contains(&facts.f_type))
}

#[cfg(not(target_os = "linux"))]
pub fn is_on_network(_path: &Path) -> bool {
    false
}

/// Locks on the database or its log's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Held while something is written.
    Write,
    /// Held by everybody who has the database open, too.
    Any,
}

/// The other processes that hold such a lock. Empty also where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn lock_holders(path: &Path, lock: Lock) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt;
    /// The kernel gives the table in pieces, and a line may slip between two of them while others
    /// take and give back locks.
    const LOOKS: usize = 4;
    let inodes: Vec<u64> = protected(path).iter().map(MetadataExt::ino).collect();
    let read = |_| {
        let table = fs::read_to_string("/proc/locks").unwrap_or_default();
        holders_in(&table, &inodes, lock, std::process::id())
    };
    (0..LOOKS).map(read).find(|holders| !holders.is_empty()).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lock_holders(_path: &Path, _lock: Lock) -> Vec<u32> {
    Vec::new()
}

/// Lines look like `1: POSIX  ADVISORY  WRITE 1234 fe:00:4567 120 120`.
#[cfg(target_os = "linux")]
fn holders_in(table: &str, inodes: &[u64], lock: Lock, own: u32) -> Vec<u32> {
    let mut holders = Vec::new();
    for line in table.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "POSIX", _, kind, pid, place, ..] = fields[..] else { continue };
        let inode = place.rsplit(':').next().and_then(|text| text.parse::<u64>().ok());
        if let (Ok(pid), Some(inode)) = (pid.parse::<u32>(), inode)
            && pid != 0
            && (kind == "WRITE" || lock == Lock::Any)
            && pid != own
            && inodes.contains(&inode)
            && !holders.contains(&pid)
        {
            holders.push(pid);
        }
    }
    holders
}

/// Writes a compact copy of the database to `target`, which appears whole or not at all.
pub(super) fn vacuum_into(connection: &Connection, target: &Path) -> Result<(), Failure> {
    let failed = |action, source| MemoryError::Io { action, path: target.to_path_buf(), source };
    if fs::symlink_metadata(target).is_ok() {
        return Err(failed("write", io::Error::from(io::ErrorKind::AlreadyExists)).into());
    }
    let partial = with_suffix(target, &format!(".partial-{}", std::process::id()));
    // SQLite would write the copy to the nearest name of Unicode, and the empty file would pass for it.
    let name = partial.to_str().ok_or_else(|| {
        let reason = "the path of a copy must be Unicode";
        failed("write", io::Error::new(io::ErrorKind::InvalidInput, reason))
    })?;
    create_empty(&partial).map_err(|source| denied("write", target, source))?;
    let copied = copy_and_sync(connection, name).and_then(|()| {
        fs::rename(&partial, target).map_err(|source| failed("write", source).into())
    });
    if copied.is_err() {
        // What stopped the copy is the error to tell; the left-over would only take up space.
        fs::remove_file(&partial).ok();
    }
    copied?;
    // A migration goes ahead only with a backup that is there to stay.
    durable::sync_parent(target).map_err(|source| failed("sync", source).into())
}

/// `VACUUM INTO` leaves syncing to its caller. The copy is a file of its own, so opening it
/// endangers no lock.
fn copy_and_sync(connection: &Connection, partial: &str) -> Result<(), Failure> {
    connection.execute("VACUUM INTO ?1", [partial])?;
    fs::File::open(partial).and_then(|file| file.sync_all()).map_err(|source| {
        MemoryError::Io { action: "sync", path: PathBuf::from(partial), source }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::create;
    use super::exists;
    use super::family;

    #[cfg(unix)]
    #[test]
    fn files_are_private_and_created_once() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/agent.db");
        assert!(!exists(&path).unwrap());
        create(&path).unwrap();
        create(&path).unwrap();
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_directory_in_its_place_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = exists(directory.path()).unwrap_err().to_string();
        assert!(error.contains("a directory"), "{error}");
    }

    #[test]
    fn the_family_has_sqlite_s_suffixes() {
        let names = family("/d/agent.db".as_ref());
        assert_eq!(names[1], std::path::Path::new("/d/agent.db-wal"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn lock_holders_are_read_from_the_kernel_s_table() {
        let table = "1: POSIX  ADVISORY  WRITE 41 fe:00:77 120 120\n\
                     2: POSIX  ADVISORY  READ 42 fe:00:77 124 124\n\
                     3: FLOCK  ADVISORY  WRITE 43 fe:00:77 0 EOF\n\
                     3: -> POSIX  ADVISORY  WRITE 44 fe:00:77 0 EOF\n\
                     4: POSIX  ADVISORY  WRITE 9 fe:00:77 120 120\n\
                     5: POSIX  ADVISORY  WRITE 45 fe:00:78 120 120\n";
        assert_eq!(super::holders_in(table, &[77], super::Lock::Write, 9), vec![41]);
        assert_eq!(super::holders_in(table, &[77], super::Lock::Any, 9), vec![41, 42]);
    }
}
