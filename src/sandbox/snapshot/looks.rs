//! How something in a watched directory looks, as values: enough to tell whether it is what it was.

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) stamp: Stamp,
    /// Where it is a directory and the file system says when it was made.
    pub(super) birth: Option<Birth>,
    /// It is a file that has other names, as far as the file system says so.
    pub(super) has_other_names: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link,
    Other,
}

/// Changes with every change of contents, owner, mode or name; an ordinary process cannot set the time in it:
/// device, inode, mode, bytes, the time of the last change in seconds and nanoseconds, owner and group. What
/// a platform does not say is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) [u64; 8]);

/// Which directory it is, for ever: device, inode, and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Birth(pub(super) [u64; 4]);

/// Seconds after which every file system's clock has gone on: what was changed within them can be changed
/// again without showing another time.
const COARSEST_CLOCK: u64 = 2;

impl Stamp {
    /// Permissions, with the bits that say what it is.
    pub(super) fn mode(self) -> u64 {
        self.0[2]
    }

    pub(super) fn size(self) -> u64 {
        self.0[3]
    }

    /// Who may do what with it: permissions, owner, group.
    pub(super) fn rights(self) -> [u64; 3] {
        [self.mode() & 0o7777, self.0[6], self.0[7]]
    }

    #[cfg(unix)]
    pub(super) fn is_of_same_object(self, other: Self) -> bool {
        self.0[..2] == other.0[..2]
    }

    /// Whether every later change shows in it, as seen at `now` (seconds since 1970).
    pub(super) fn is_settled(self, now: i64) -> bool {
        u64::try_from(now).is_ok_and(|now| self.0[4].saturating_add(COARSEST_CLOCK) < now)
    }
}
