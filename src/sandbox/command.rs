//! A command to run and what came of it, as values.

mod input;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::limit::Limit;
use super::policy::Reach;
use super::policy::Rung;
use super::spill::Kept;
use super::spill::Spill;
use crate::protocol::Traffic;

pub use input::Input;

/// A command for [`super::Sandbox::run`].
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// Program and arguments; a program without `/` is looked for in the child's `PATH`.
    pub argv: Vec<OsString>,
    /// The same without the shell that `argv` starts: tried first, and `argv` where it cannot be executed.
    /// Empty: there is no such thing. On Linux; elsewhere `argv` it is.
    pub without_shell: Vec<OsString>,
    pub cwd: PathBuf,
    /// Variables on top of the allow-list.
    pub env: Vec<(OsString, OsString)>,
    pub stdin: Input,
    pub timeout: Duration,
    /// Bytes kept of each of stdout and stderr, half at the head and half at the tail.
    pub output_limit: usize,
    /// True: a stream that is longer than a few pages is kept in a private file as well.
    pub keep_whole: bool,
    /// True: the command has a terminal of 120 columns for all three streams; everything that it prints
    /// is its stdout. Not everywhere: [`super::SandboxError::Start`] where it cannot be had.
    pub terminal: bool,
    pub live: Live,
}

/// Who gets the output of a command while it comes.
#[derive(Debug, Clone, Default)]
pub enum Live {
    #[default]
    Nobody,
    /// Both streams as they are read. A slow reader loses pieces; the command never waits for it.
    Shown(mpsc::Sender<Bytes>),
    /// Every byte of each stream. The command waits for a slow reader, as it would for that of a pipe of
    /// its own; where the reader is gone, writing more is an error for the command (SIGPIPE).
    HandedOn {
        /// Nobody else may send there.
        stdout: mpsc::Sender<Bytes>,
        stderr: mpsc::Sender<Bytes>,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndStatus {
    Exited(i32),
    /// Ended by a signal that was not ours.
    Signaled(i32),
    /// We ended it: its time was over.
    TimedOut,
    /// We ended it: the run was cancelled.
    Cancelled,
}

impl EndStatus {
    /// As a shell would say it: 128 + n for a signal, 124 for a time-out, 130 when cancelled.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
            Self::TimedOut => 124,
            Self::Cancelled => 130,
        }
    }
}

/// A command that has ended; no process of it is left.
#[derive(Debug, Clone)]
pub struct Finished {
    pub status: EndStatus,
    pub stdout: Captured,
    pub stderr: Captured,
    pub duration: Duration,
    /// Processes that outlived the command and still held its output when we stopped to wait; they
    /// were ended.
    pub pipe_held_by: Vec<u32>,
    /// Protected paths that the command changed and that were put back.
    pub restored: Vec<PathBuf>,
    /// It was ended because it exceeded this.
    pub stopped_by: Option<Limit>,
    /// What it could connect to.
    pub reach: Reach,
    /// What it asked the proxy for, where there is one.
    pub traffic: Traffic,
    pub rung: Rung,
}

impl Finished {
    /// The limit that made the command fail: certain where it was ended for it, else by what it said
    /// itself on standard error.
    pub fn limit(&self) -> Option<Limit> {
        if self.stopped_by.is_some() {
            return self.stopped_by;
        }
        let said = [&self.stderr.tail, &self.stderr.head].map(|part| String::from_utf8_lossy(part));
        Limit::of(self.status, &said)
    }

    /// The rung's name, with `+restore` where something had to be put back.
    pub fn sandbox(&self) -> String {
        let restored = if self.restored.is_empty() { "" } else { "+restore" };
        format!("{}{restored}", self.rung.as_str())
    }
}

/// The head and the tail of a stream, and how long it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
    /// All bytes of the stream, kept or not.
    pub total: u64,
    /// Where all of it can be read, up to a bound, for as long as the sandbox lives.
    pub file: Option<Kept>,
}

impl Captured {
    /// Bytes between head and tail that were not kept.
    pub fn left_out(&self) -> u64 {
        self.total - (self.head.len() + self.tail.len()) as u64
    }

    /// As text; invalid UTF-8 is replaced, and a mark says how much is missing.
    pub fn text(&self) -> String {
        if self.left_out() == 0 {
            let whole: Vec<u8> = [self.head.as_slice(), self.tail.as_slice()].concat();
            return String::from_utf8_lossy(&whole).into_owned();
        }
        // A character that was cut at the border would show as a replacement: cut it off instead.
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        let (head, tail) = (head.trim_end_matches('\u{fffd}'), tail.trim_start_matches('\u{fffd}'));
        format!("{head}\n… {} bytes left out …\n{tail}", self.left_out())
    }
}

/// Keeps head and tail of a stream in bounded memory.
#[derive(Debug)]
pub(super) struct Recorder {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    spill: Option<Spill>,
}

impl Recorder {
    pub(super) fn new(limit: usize, spill: Option<Spill>) -> Self {
        let half = (limit / 2).max(1);
        Self { half, head: Vec::new(), tail: VecDeque::new(), total: 0, spill }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if let Some(spill) = &mut self.spill {
            let (first, second) = self.tail.as_slices();
            spill.push([&self.head, first, second], bytes);
        }
        self.total += bytes.len() as u64;
        let room = self.half - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        let rest = &rest[rest.len().saturating_sub(self.half)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.half);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    pub(super) fn finish(self) -> Captured {
        let file = self.spill.and_then(Spill::finish);
        Captured { head: self.head, tail: self.tail.into(), total: self.total, file }
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;

    #[test]
    fn head_and_tail_are_exact_for_any_split() {
        let whole: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for piece in [1, 3, 7, 64, 999, 1000] {
            let mut recorder = Recorder::new(100, None);
            whole.chunks(piece).for_each(|bytes| recorder.push(bytes));
            let captured = recorder.finish();
            assert_eq!(captured.head, &whole[..50]);
            assert_eq!(captured.tail, &whole[950..]);
            assert_eq!((captured.total, captured.left_out()), (1000, 900));
        }
    }

    #[test]
    fn what_fits_is_whole_even_where_a_character_lies_on_the_border() {
        let mut recorder = Recorder::new(6, None);
        recorder.push("aa".as_bytes());
        recorder.push("äöb".as_bytes().split_at(3).0);
        let captured = recorder.finish();
        assert_eq!(captured.left_out(), 0);
        assert!(captured.text().starts_with("aaä"));
    }

    #[test]
    fn a_cut_is_said_and_cuts_no_character() {
        let mut recorder = Recorder::new(7, None);
        recorder.push("ääääääää".as_bytes());
        assert_eq!(recorder.finish().text(), "ä\n… 10 bytes left out …\nä");
    }
}
