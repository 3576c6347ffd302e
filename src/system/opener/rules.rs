//! What may be read and written, as values; judged on real paths only.
//!
//! Nothing here opens anything: the caller resolves links first.

use std::ffi::OsStr;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::error::OpenError;

/// Directories of the operating system, readable at every level.
pub const SYSTEM_READ: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/systemd/resolve",
    "/System/Library",
];

/// Files of procfs that say something about the machine and nothing about a process.
const PROC_READ: [&str; 9] = [
    "cpuinfo",
    "meminfo",
    "version",
    "loadavg",
    "uptime",
    "stat",
    "filesystems",
    "swaps",
    "partitions",
];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Access {
    pub(super) fn participle(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
        }
    }
}

/// The rules as the composition root states them; paths may be relative to `cwd` and need not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathRules {
    /// The workspace: readable, and what relative paths are relative to.
    pub cwd: PathBuf,
    /// Readable in addition to `cwd` and the system's directories.
    pub read: Vec<PathBuf>,
    /// Writable (and readable). `cwd` is writable only if it is listed.
    pub write: Vec<PathBuf>,
    /// Git directories with other names than `.git`, and files that are its configuration under another name:
    /// nothing is written there or below.
    pub git: Vec<PathBuf>,
    /// Everything may be read and written but `protected`.
    pub full: bool,
    /// Configuration, trust and data of the agent: neither read nor written, even below a root.
    pub protected: Vec<PathBuf>,
}

/// Rules whose roots are real paths.
#[derive(Debug)]
pub(super) struct Rules {
    cwd: PathBuf,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    git: Vec<PathBuf>,
    full: bool,
    protected: Vec<PathBuf>,
}

impl Rules {
    pub(super) fn new(rules: PathRules) -> Self {
        let cwd = real_root(Path::new("/"), &rules.cwd);
        let resolved = |paths: Vec<PathBuf>| {
            paths.iter().map(|path| real_root(&cwd, path)).collect::<Vec<_>>()
        };
        let mut read = resolved(rules.read);
        read.push(cwd.clone());
        Self {
            read,
            write: resolved(rules.write),
            git: resolved(rules.git),
            full: rules.full,
            protected: resolved(rules.protected),
            cwd,
        }
    }

    /// Whether everything may be written, but for what is the agent's own.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Judges a real path. `path` is how the caller spelled it, for the error.
    pub(super) fn verdict(
        &self,
        path: &Path,
        real: &Path,
        access: Access,
    ) -> Result<(), OpenError> {
        if self.protected.iter().any(|root| is_below_ignoring_case(real, root))
            && (!self.full || access == Access::Write)
        {
            return Err(OpenError::Protected { path: path.to_path_buf() });
        }
        if self.full {
            return Ok(());
        }
        let reason = match access {
            Access::Read => self.why_not_read(real),
            Access::Write => self.why_not_write(real),
        };
        match reason {
            None => Ok(()),
            Some(reason) => Err(OpenError::Denied { path: path.to_path_buf(), access, reason }),
        }
    }

    fn why_not_read(&self, real: &Path) -> Option<String> {
        if self.read.iter().chain(&self.write).any(|root| real.starts_with(root)) {
            return None;
        }
        if is_secret_of_etc(real) {
            return Some("it holds secrets of the system".to_owned());
        }
        if SYSTEM_READ.iter().any(|root| real.starts_with(root)) || is_proc_of_the_machine(real) {
            return None;
        }
        Some(format!(
            "it is outside the workspace `{}` and of what was made readable",
            self.cwd.display()
        ))
    }

    fn why_not_write(&self, real: &Path) -> Option<String> {
        if self.write.is_empty() {
            return Some("the sandbox level is `read-only`".to_owned());
        }
        if !self.write.iter().any(|root| real.starts_with(root)) {
            return Some("it is outside of what may be written".to_owned());
        }
        let is_in_one = |git: &PathBuf| is_below_ignoring_case(real, git);
        if is_git_metadata(real) || self.git.iter().any(is_in_one) {
            return Some("git's own files decide what a later `git` runs".to_owned());
        }
        if is_agent_directory(real) {
            return Some(
                "a project's `.agi-agent` directory decides what the agent may do".to_owned(),
            );
        }
        None
    }
}

/// Git metadata, present or not: anything called `.git` and everything below it, and what a file
/// system may take for that name: HFS+ skips invisible characters, NTFS drops dots and blanks at the
/// end, what follows a colon, and has a short name (git refuses the same, CVE-2014-9390).
pub fn is_git_metadata(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(part) => part.to_str().is_some_and(is_dot_git),
        _ => false,
    })
}

fn is_dot_git(name: &str) -> bool {
    let visible: String = name.chars().filter(|character| !is_invisible(*character)).collect();
    let name = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

/// Characters that HFS+ leaves out when it compares names.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// A project's configuration directory, and everything below it.
pub fn is_agent_directory(path: &Path) -> bool {
    has_component(path, ".agi-agent")
}

/// Files of `/etc` that are not readable even where the process could (as root).
pub fn is_secret_of_etc(real: &Path) -> bool {
    let Ok(below) = real.strip_prefix("/etc") else {
        return false;
    };
    let mut parts = below.components().map(|part| part.as_os_str().as_encoded_bytes());
    let Some(first) = parts.next() else {
        return false;
    };
    let starts = [&b"shadow"[..], b"gshadow", b"sudoers", b"krb5.keytab"];
    starts.iter().any(|name| first.starts_with(name))
        || first == b"ssh"
        || first == b"NetworkManager"
        || first == b"wireguard"
        || (first == b"ssl" && parts.next() == Some(b"private"))
}

fn is_proc_of_the_machine(real: &Path) -> bool {
    let Ok(below) = real.strip_prefix("/proc") else {
        return false;
    };
    below.starts_with("sys") || PROC_READ.iter().any(|name| below == Path::new(name))
}

fn has_component(path: &Path, name: &str) -> bool {
    path.components().any(|part| match part {
        // A file system may ignore case; to deny `.GIT` everywhere costs nothing.
        Component::Normal(part) => part.eq_ignore_ascii_case(name),
        _ => false,
    })
}

fn is_below_ignoring_case(path: &Path, root: &Path) -> bool {
    let mut parts = path.components().map(Component::as_os_str);
    root.components()
        .map(Component::as_os_str)
        .all(|wanted: &OsStr| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(wanted)))
}

/// The real path of a root; what does not exist yet keeps its spelling below the deepest directory
/// that does.
fn real_root(cwd: &Path, path: &Path) -> PathBuf {
    let absolute = cwd.join(path);
    for ancestor in absolute.ancestors() {
        if let Ok(real) = std::fs::canonicalize(ancestor) {
            return match absolute.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    absolute
}
