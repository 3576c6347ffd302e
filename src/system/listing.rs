//! The entries of an open directory, one at a time: the same loop for everybody who walks by descriptors.
//!
//! Follows no link, and keeps nothing: a directory may have more entries than memory has room for.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;

/// Shows each entry but `.` and `..`: its name, and what it is (a link is a link). The descriptor may be one
/// that only stands for the directory (`O_PATH`). Ends with the first error, of the directory or of `show`.
/// Entries may be removed meanwhile; whether those that are added are shown is the file system's choice.
pub fn each_entry(
    directory: impl AsFd,
    mut show: impl FnMut(&CStr, FileType) -> io::Result<()>,
) -> io::Result<()> {
    let directory = directory.as_fd();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let stream = rustix::fs::openat(directory, c".", flags, Mode::empty())?;
    for entry in rustix::fs::Dir::new(stream)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        show(name, kind)?;
    }
    Ok(())
}
