//! Copies of protected files that are too large to be held in memory: in the agent's data directory, out of
//! the reach of commands, and made once for each version of a file.
//!
//! Where the file system can share blocks between files (reflinks) a copy costs next to nothing. A hard
//! link would not do: writing in place goes through it.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest as _;
use sha2::Sha256;

use super::looks::Stamp;
use crate::sandbox::scratch::create_private;

/// Bytes that are compared at a time.
const PIECE: u64 = 64 << 10;

/// The copy of a file as it stands; one that is there already is not made again if the file is `settled`, so
/// that its stamp says which version it is.
pub(super) fn keep(
    store: &Path,
    path: &Path,
    file: &File,
    stamp: Stamp,
    settled: bool,
) -> io::Result<PathBuf> {
    let copy = store.join(name(path, stamp, settled));
    if settled && is_whole(&copy, stamp) {
        return Ok(copy);
    }
    create_private(store).or_else(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
    })?;
    let new = store.join("new");
    let made = make(&new, file, stamp).and_then(|()| std::fs::rename(&new, &copy));
    if let Err(error) = made {
        // A full disk needs the space.
        drop(std::fs::remove_file(&new));
        return Err(error);
    }
    Ok(copy)
}

fn make(new: &Path, file: &File, stamp: Stamp) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let to = options.open(new)?;
    fill(&to, file)?;
    if to.metadata()?.len() == stamp.size() {
        return Ok(());
    }
    Err(io::Error::other("somebody is writing it"))
}

/// Makes an empty file the same as another, which was not read from.
pub(super) fn fill(mut to: &File, mut from: &File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    io::copy(&mut from, &mut to).map(|_| ())
}

/// Opens a copy, if it is whole.
pub(super) fn open(copy: &Path, stamp: Stamp) -> io::Result<File> {
    if is_whole(copy, stamp) { File::open(copy) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Whether a copy holds what a file of the same length does.
pub(super) fn is_same(copy: &Path, file: &File) -> io::Result<bool> {
    let copy = File::open(copy)?;
    loop {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        (&copy).take(PIECE).read_to_end(&mut one)?;
        file.take(PIECE).read_to_end(&mut other)?;
        if one != other || one.is_empty() {
            return Ok(one == other);
        }
    }
}

fn is_whole(copy: &Path, stamp: Stamp) -> bool {
    std::fs::symlink_metadata(copy)
        .is_ok_and(|found| found.is_file() && found.len() == stamp.size())
}

/// Which version of which file. One that may still change under the same stamp has a name of its own.
fn name(path: &Path, stamp: Stamp, settled: bool) -> String {
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    stamp.0.iter().for_each(|field| hash.update(field.to_le_bytes()));
    let digest = hash.finalize();
    let (first, _) = digest.split_at(16);
    let number = first.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    format!("{number:032x}{}", if settled { "" } else { "-unsettled" })
}
