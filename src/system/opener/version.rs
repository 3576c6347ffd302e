//! By what a file is recognised as the one that was read: cheaper than its contents, and compared
//! again right before it is replaced.

use std::fs::File;
use std::io;

/// What must be there for a replacement to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Nothing.
    Absent,
    /// This very file, unchanged.
    Version(Version),
}

/// One state of one file. Programs that write without asking anybody are noticed by size and times;
/// the finest step of the clock of files is a few milliseconds on older systems, so of two writes of
/// equal length within one step the second is not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Device and inode, where there are such.
    identity: Option<(u64, u64)>,
    size: u64,
    /// Of the contents and of everything (mode, owner, links), in seconds and nanoseconds.
    changed: [(i64, i64); 2],
}

impl Version {
    /// The state of an open file now.
    #[cfg(unix)]
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::of_stat(&rustix::fs::fstat(file)?))
    }

    /// The state of an open file now.
    #[cfg(not(unix))]
    pub fn of(file: &File) -> io::Result<Self> {
        Self::of_metadata(&file.metadata()?)
    }

    #[cfg(unix)]
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::useless_conversion,
        reason = "the types of these fields differ by platform"
    )]
    pub(super) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            identity: Some((stat.st_dev as u64, stat.st_ino as u64)),
            size: stat.st_size as u64,
            changed: [
                (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
                (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            ],
        }
    }

    #[cfg(not(unix))]
    pub(super) fn of_metadata(metadata: &std::fs::Metadata) -> io::Result<Self> {
        let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let modified =
            (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos().into());
        Ok(Self { identity: None, size: metadata.len(), changed: [modified; 2] })
    }
}
