//! What the agent tells the launcher and the keeper, and what they answer, as bytes on sockets.
//!
//! Length-prefixed fields in a fixed order: both ends are the same executable, so there are no
//! versions, and the helper starts without a parser for anything larger.

use crate::sandbox::limit::Limit;

use super::landlock::Grant;
use super::landlock::Rights;

/// What all commands of a launcher have in common: sent to it once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The process that must still be the launcher's parent.
    pub(super) parent: u64,
    /// Of [`ENFORCE`], [`NAMESPACES`], [`NETWORK`] and [`HOSTS`].
    pub(super) flags: u64,
    pub(super) grants: Vec<Grant>,
    /// Directories that are empty inside (namespaces).
    pub(super) hidden: Vec<Vec<u8>>,
    /// Directories that nobody can rename or remove (namespaces), parents first.
    pub(super) pinned: Vec<Vec<u8>>,
    /// Self-test: a file that must not be creatable. Empty: none known.
    pub(super) forbidden: Vec<u8>,
    pub(super) limits: Limits,
}

/// What each command may use up, beside processor time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes, of each process and of all together.
    pub(super) memory: u64,
    /// Bytes.
    pub(super) file_size: u64,
    /// Processes and threads.
    pub(super) processes: u64,
    pub(super) open_files: u64,
}

/// One command: sent to its keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) argv: Vec<Vec<u8>>,
    /// What `argv` is the shell for, where it can do without; else empty.
    pub(super) without_shell: Vec<Vec<u8>>,
    /// `NAME=value`.
    pub(super) env: Vec<Vec<u8>>,
    pub(super) cwd: Vec<u8>,
    /// Of [`PROBE`].
    pub(super) flags: u64,
    /// Bound read-only (namespaces): git metadata, configuration.
    pub(super) read_only: Vec<Vec<u8>>,
    /// Seconds of processor time per process.
    pub(super) cpu_seconds: u64,
}

/// Bounds are set up (off: `danger-full-access`).
pub(super) const ENFORCE: u64 = 1;
/// In own namespaces.
pub(super) const NAMESPACES: u64 = 1 << 1;
/// The network is open.
pub(super) const NETWORK: u64 = 1 << 2;
/// The network leads to the agent's proxy, and nowhere else (in own namespaces only).
pub(super) const HOSTS: u64 = 1 << 3;
/// Nothing is executed: the bounds are tested, and that is all.
pub(super) const PROBE: u64 = 1;
/// The standard streams are a terminal that becomes the command's own.
pub(super) const TERMINAL: u64 = 1 << 1;

/// What a command can connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Closed,
    /// This port of the loopback device of an otherwise empty network namespace.
    Proxy(u16),
    Open,
}

impl Bounds {
    pub(super) fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 8];
        put_number(&mut out, self.parent);
        put_number(&mut out, self.flags);
        put_number(&mut out, self.grants.len() as u64);
        for grant in &self.grants {
            put_number(&mut out, grant.rights as u64);
            put_bytes(&mut out, &grant.path);
        }
        put_list(&mut out, &self.hidden);
        put_list(&mut out, &self.pinned);
        put_bytes(&mut out, &self.forbidden);
        let Limits { memory, file_size, processes, open_files } = self.limits;
        for number in [memory, file_size, processes, open_files] {
            put_number(&mut out, number);
        }
        with_length(out)
    }

    /// Without the eight bytes of the length.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            parent: reader.number()?,
            flags: reader.number()?,
            grants: (0..reader.number()?)
                .map(|_| {
                    let rights = Rights::from_number(reader.number()?)?;
                    Some(Grant { rights, path: reader.bytes()? })
                })
                .collect::<Option<_>>()?,
            hidden: reader.list()?,
            pinned: reader.list()?,
            forbidden: reader.bytes()?,
            limits: Limits {
                memory: reader.number()?,
                file_size: reader.number()?,
                processes: reader.number()?,
                open_files: reader.number()?,
            },
        })
    }
}

impl Spec {
    pub(super) fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 8];
        put_list(&mut out, &self.argv);
        put_list(&mut out, &self.without_shell);
        put_list(&mut out, &self.env);
        put_bytes(&mut out, &self.cwd);
        put_number(&mut out, self.flags);
        put_list(&mut out, &self.read_only);
        put_number(&mut out, self.cpu_seconds);
        with_length(out)
    }

    /// Without the eight bytes of the length.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            argv: reader.list()?,
            without_shell: reader.list()?,
            env: reader.list()?,
            cwd: reader.bytes()?,
            flags: reader.number()?,
            read_only: reader.list()?,
            cpu_seconds: reader.number()?,
        })
    }
}

/// Fills in how many bytes follow the first eight.
fn with_length(mut out: Vec<u8>) -> Vec<u8> {
    let length = (out.len() - 8) as u64;
    out[..8].copy_from_slice(&length.to_ne_bytes());
    out
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_ne_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_list(out: &mut Vec<u8>, list: &[Vec<u8>]) {
    put_number(out, list.len() as u64);
    for bytes in list {
        put_bytes(out, bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*number))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        (0..self.number()?).map(|_| self.bytes()).collect()
    }
}

/// Where setting up or starting went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// The command itself could not be executed.
    Execute = 1,
    Directory,
    Input,
    Limits,
    Fork,
    Unshare,
    UserMap,
    Mounts,
    ReadOnlyMount,
    ProcMount,
    Capabilities,
    Privileges,
    Landlock,
    Seccomp,
    ReadTest,
    WriteTest,
    SocketTest,
    NamespaceTest,
    Loopback,
    RouteTest,
}

impl Step {
    const ALL: [(Self, &'static str); 20] = [
        (Self::Execute, "executing the command"),
        (Self::Directory, "entering the working directory"),
        (Self::Input, "the standard input"),
        (Self::Limits, "resource limits"),
        (Self::Fork, "forking"),
        (Self::Unshare, "creating namespaces"),
        (Self::UserMap, "mapping the user into a namespace"),
        (Self::Mounts, "making mounts private"),
        (Self::ReadOnlyMount, "mounting git metadata read-only"),
        (Self::ProcMount, "mounting procfs"),
        (Self::Capabilities, "dropping capabilities"),
        (Self::Privileges, "giving up new privileges"),
        (Self::Landlock, "Landlock"),
        (Self::Seccomp, "the seccomp filter"),
        (Self::ReadTest, "the self-test: a forbidden directory could be read"),
        (Self::WriteTest, "the self-test: a forbidden file could be written"),
        (Self::SocketTest, "the self-test: a network socket could be opened"),
        (Self::NamespaceTest, "the self-test: a namespace could be created"),
        (Self::Loopback, "the way to the proxy of `--net`"),
        (Self::RouteTest, "the self-test: a way past the proxy of `--net` is open"),
    ];

    /// Whether something else than this one command is the reason.
    pub(super) fn is_of_bounds(self) -> bool {
        !matches!(self, Self::Execute | Self::Directory | Self::Input | Self::Limits | Self::Fork)
    }

    pub(super) fn words(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, words)| words)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().map(|(step, _)| *step).find(|step| *step as u8 == number)
    }
}

/// What the keeper says. Each is nine bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// The first: the keeper is there, and its pidfd comes along.
    Started,
    Exited {
        code: i32,
        survivors: bool,
    },
    Signaled {
        signal: i32,
        survivors: bool,
    },
    /// The keeper ended it, because all its processes together exceeded a limit.
    Stopped {
        limit: Limit,
        survivors: bool,
    },
    Failed {
        step: Step,
        errno: i32,
    },
    /// The last: some of the processes could not be ended.
    Left,
}

/// Bytes of an encoded report.
pub(super) const REPORT_BYTES: usize = 9;

impl Report {
    pub(super) fn encode(self) -> [u8; REPORT_BYTES] {
        let (kind, first, second) = match self {
            Self::Started => (4, 0, 0),
            Self::Exited { code, survivors } => (1, code, i32::from(survivors)),
            Self::Signaled { signal, survivors } => (2, signal, i32::from(survivors)),
            Self::Failed { step, errno } => (3, i32::from(step as u8), errno),
            Self::Stopped { limit, survivors } => (5, limit as i32, i32::from(survivors)),
            Self::Left => (6, 0, 0),
        };
        let mut out = [0; REPORT_BYTES];
        out[0] = kind;
        out[1..5].copy_from_slice(&first.to_ne_bytes());
        out[5..].copy_from_slice(&second.to_ne_bytes());
        out
    }

    pub(super) fn decode(bytes: [u8; REPORT_BYTES]) -> Option<Self> {
        let (kind, numbers) = bytes.split_first()?;
        let (first, second) = numbers.split_first_chunk()?;
        let first = i32::from_ne_bytes(*first);
        let second = i32::from_ne_bytes(*second.first_chunk()?);
        Some(match *kind {
            1 => Self::Exited { code: first, survivors: second != 0 },
            2 => Self::Signaled { signal: first, survivors: second != 0 },
            3 => {
                Self::Failed { step: Step::from_number(u8::try_from(first).ok()?)?, errno: second }
            }
            4 => Self::Started,
            5 => Self::Stopped { limit: Limit::from_number(first)?, survivors: second != 0 },
            6 => Self::Left,
            _ => return None,
        })
    }
}

/// Agent to launcher, with the descriptors of one command: its keeper's socket, standard output,
/// standard error and, where something is to be read, standard input.
pub(super) const LAUNCH: u8 = b'L';
/// Launcher to agent, once, where [`HOSTS`] is set: with the socket that the proxy is to listen on, or
/// without one where it could not be had.
pub(super) const LISTENER: u8 = b'P';
/// Agent to keeper: end the command politely, then by force.
pub(super) const TERMINATE: u8 = b'T';
/// Agent to keeper: end everything now.
pub(super) const KILL: u8 = b'K';

#[cfg(test)]
mod tests {
    use super::Bounds;
    use super::Grant;
    use super::Limit;
    use super::Limits;
    use super::Report;
    use super::Rights;
    use super::Spec;
    use super::Step;

    #[test]
    fn a_spec_survives_the_way_and_a_cut_one_is_refused() {
        let spec = Spec {
            argv: vec![b"sh".to_vec(), Vec::new(), vec![0xff, b'\n']],
            without_shell: vec![b"ls".to_vec()],
            env: vec![b"A=b".to_vec()],
            cwd: b"/".to_vec(),
            flags: super::PROBE,
            read_only: vec![b"/w/.git".to_vec()],
            cpu_seconds: 1,
        };
        let bytes = spec.encode();
        assert_eq!(Spec::decode(&bytes[8..]), Some(spec));
        for cut in 8..bytes.len() {
            assert_eq!(Spec::decode(&bytes[8..cut]), None);
        }
    }

    #[test]
    fn bounds_survive_the_way_and_cut_ones_are_refused() {
        let bounds = Bounds {
            parent: 7,
            flags: super::ENFORCE | super::NETWORK,
            grants: vec![Grant { rights: Rights::Write, path: b"/w".to_vec() }],
            hidden: vec![b"/y".to_vec()],
            pinned: vec![b"/z".to_vec()],
            forbidden: b"/x".to_vec(),
            limits: Limits { memory: 2, file_size: 3, processes: 4, open_files: 5 },
        };
        let bytes = bounds.encode();
        assert_eq!(Bounds::decode(&bytes[8..]), Some(bounds));
        for cut in 8..bytes.len() {
            assert_eq!(Bounds::decode(&bytes[8..cut]), None);
        }
    }

    #[test]
    fn reports_survive_the_way() {
        for (step, words) in Step::ALL {
            assert_eq!(step.words(), words);
            let report = Report::Failed { step, errno: 13 };
            assert_eq!(Report::decode(report.encode()), Some(report));
        }
        let stopped = Report::Stopped { limit: Limit::Processes, survivors: true };
        let exited = Report::Exited { code: 255, survivors: true };
        for report in [Report::Started, exited, stopped, Report::Left] {
            assert_eq!(Report::decode(report.encode()), Some(report));
        }
    }
}
