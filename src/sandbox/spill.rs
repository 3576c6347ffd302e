//! The whole output of a command in a private file, where it is too long to be kept in memory: so that
//! its reader can page through it.
//!
//! The files lie beside the private temporary directory of children, out of their reach, and are gone
//! with it. A file has a bound, all files of a sandbox have one together, and a full disk ends the
//! keeping and nothing else.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Bytes of one stream that are kept.
const MOST_OF_ONE: u64 = 64 << 20;
/// Bytes of all streams of a sandbox.
const MOST_OF_ALL: u64 = 512 << 20;
/// Shorter streams are kept in memory alone. Not above any `CommandSpec::output_limit` that is used
/// together with this.
pub(super) const AFTER: u64 = 16 << 10;

/// Where files of a sandbox may be made, and what is left of its bound.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    left: AtomicU64,
    count: AtomicU64,
}

impl Room {
    /// `directory` is made with the first file.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, left: AtomicU64::new(MOST_OF_ALL), count: AtomicU64::new(0) }
    }

    /// Takes up to `wanted` bytes out of what is left.
    fn take(&self, wanted: u64) -> u64 {
        let before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(wanted))
            })
            .unwrap_or(0);
        before.min(wanted)
    }

    fn create(&self) -> std::io::Result<(PathBuf, File)> {
        super::scratch::create_private(&self.directory).or_else(|error| {
            let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
            if is_there { Ok(()) } else { Err(error) }
        })?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("output-{number}"));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok((path, file))
    }
}

/// A file with the beginning of a stream, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub path: PathBuf,
    /// Bytes in it.
    pub bytes: u64,
    /// Why it is not the whole stream.
    pub cut: Option<String>,
}

/// One stream on its way into a file.
#[derive(Debug)]
pub(super) struct Spill {
    room: Arc<Room>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// All of the stream is still in memory.
    Waiting,
    Writing(File, Kept),
    Ended(Option<Kept>),
}

impl Spill {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { room, state: State::Waiting }
    }

    /// Keeps `bytes`, the next of the stream; `before` is all of it so far, as long as nothing was
    /// written yet.
    pub(super) fn push(&mut self, before: [&[u8]; 3], bytes: &[u8]) {
        if matches!(self.state, State::Waiting) {
            let length: usize = before.iter().map(|part| part.len()).sum();
            if (length + bytes.len()) as u64 <= AFTER {
                return;
            }
            self.state = match self.room.create() {
                Ok((path, file)) => State::Writing(file, Kept { path, bytes: 0, cut: None }),
                Err(error) => {
                    tracing::warn!(%error, "output is not kept in a file");
                    State::Ended(None)
                }
            };
            for part in before {
                self.write(part);
            }
        }
        self.write(bytes);
    }

    fn write(&mut self, bytes: &[u8]) {
        let State::Writing(file, kept) = &mut self.state else { return };
        let wanted = (bytes.len() as u64).min(MOST_OF_ONE.saturating_sub(kept.bytes));
        let room = usize::try_from(self.room.take(wanted)).unwrap_or(usize::MAX).min(bytes.len());
        let written = file.write_all(&bytes[..room]);
        if written.is_ok() {
            kept.bytes += room as u64;
        }
        let cut = match written {
            Err(error) => Some(error.to_string()),
            Ok(()) if room < bytes.len() => Some("it is larger than what is kept".to_owned()),
            Ok(()) => None,
        };
        if cut.is_some() {
            kept.cut = cut;
            let kept = kept.clone();
            self.state = State::Ended(Some(kept));
        }
    }

    pub(super) fn finish(self) -> Option<Kept> {
        match self.state {
            State::Waiting => None,
            State::Writing(_, kept) => Some(kept),
            State::Ended(kept) => kept,
        }
    }
}

/// The directory of a sandbox's files, beside the directory that its children have.
pub(super) fn directory(temporary: &Path) -> Option<PathBuf> {
    Some(temporary.parent()?.join("output"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::AFTER;
    use super::Room;
    use super::Spill;

    fn room() -> (tempfile::TempDir, Arc<Room>) {
        let place = tempfile::tempdir().unwrap();
        let room = Arc::new(Room::new(place.path().join("output")));
        (place, room)
    }

    #[test]
    fn a_short_stream_makes_no_file_and_a_long_one_is_whole() {
        let (place, room) = room();
        let mut spill = Spill::new(Arc::clone(&room));
        spill.push([b"", b"", b""], b"short");
        assert_eq!(spill.finish(), None);
        assert!(!place.path().join("output").exists());
        let mut spill = Spill::new(room);
        let first = vec![b'a'; usize::try_from(AFTER).unwrap()];
        spill.push([b"", b"", b""], &first);
        spill.push([&first[..10], &first[10..20], &first[20..]], b"bc");
        spill.push([b"", b"", b""], b"d");
        let kept = spill.finish().unwrap();
        assert_eq!((kept.bytes, &kept.cut), (AFTER + 3, &None));
        assert_eq!(std::fs::read(&kept.path).unwrap(), [&first[..], b"bcd"].concat());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
            assert_eq!(mode(&kept.path) & 0o777, 0o600);
            assert_eq!(mode(kept.path.parent().unwrap()) & 0o777, 0o700);
        }
    }

    #[test]
    fn what_is_left_for_all_bounds_each() {
        let (_place, room) = room();
        room.left.store(AFTER + 5, Ordering::Relaxed);
        let mut spill = Spill::new(Arc::clone(&room));
        spill.push([b"", b"", b""], &vec![b'x'; 1 << 20]);
        spill.push([b"", b"", b""], b"more");
        let kept = spill.finish().unwrap();
        assert_eq!(kept.bytes, AFTER + 5);
        assert_eq!(kept.path.metadata().unwrap().len(), AFTER + 5);
        assert!(kept.cut.is_some());
    }
}
