//! What a child may reach, as values. No system call is made here but to look paths up.

use std::path::Path;
use std::path::PathBuf;

use crate::config::settings::CommandLimits;
use crate::config::settings::SandboxLevel;
use crate::config::settings::SandboxSettings;
use crate::protocol::host_rule;
use crate::system::opener::PathRules;

use super::git::directories;

/// What children may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetRule {
    /// Nothing.
    Off,
    /// Host rules (`protocol::host_rule`). Children reach them through a proxy of this process, out of a
    /// network namespace of their own, and nothing else; where that cannot be had they have no network.
    Hosts(Vec<String>),
    /// Everything.
    All,
}

impl NetRule {
    /// From the words of the configuration: `all`, or host patterns.
    pub fn from_words(words: &[String]) -> Self {
        if host_rule::opens_all(words) {
            return Self::All;
        }
        if words.is_empty() { Self::Off } else { Self::Hosts(words.to_vec()) }
    }

    /// Whether children have the whole network.
    pub fn is_open_to_children(&self) -> bool {
        *self == Self::All
    }
}

/// What commands can really connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    /// The hosts of the policy.
    Hosts,
    All,
}

impl Reach {
    /// The name in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "off",
            Self::Hosts => "hosts",
            Self::All => "on",
        }
    }
}

/// How bounds are enforced, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Linux: own user, mount, process and network namespaces, with Landlock and seccomp inside.
    Namespaces,
    /// Linux: Landlock and seccomp.
    Landlock,
    /// macOS: a Seatbelt profile.
    Seatbelt,
    /// Nothing is enforced: `danger-full-access`.
    None,
}

impl Rung {
    /// The name in results, events and `doctor`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Landlock => "landlock",
            Self::Seatbelt => "seatbelt",
            Self::None => "none",
        }
    }
}

/// What a child may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub level: SandboxLevel,
    /// The workspace.
    pub cwd: PathBuf,
    /// Readable in addition to the workspace and the system's directories.
    pub read: Vec<PathBuf>,
    /// Writable: the workspace and added directories at `workspace-write`, else empty.
    pub write: Vec<PathBuf>,
    /// Git directories that are one of these, or lie in one and are not its `.git`.
    pub git: Vec<PathBuf>,
    /// Files in them that the configuration of their repositories includes.
    pub included: Vec<PathBuf>,
    pub net: NetRule,
    /// Names of further environment variables that children see.
    pub env: Vec<String>,
    /// The agent's own configuration, trust and data: neither read nor written by children.
    pub protected: Vec<PathBuf>,
    /// Nothing is made in it so that it can be hidden: a home directory that does not exist.
    pub unmade: Option<PathBuf>,
    /// What each command may use up.
    pub limits: CommandLimits,
}

impl Policy {
    /// The policy of a run in `cwd`, with the limits of an unconfigured one. `add_dirs` are readable at
    /// every level.
    pub fn new(settings: &SandboxSettings, cwd: &Path, protected: Vec<PathBuf>) -> Self {
        let resolved = |path: &PathBuf| {
            let path = cwd.join(path);
            std::fs::canonicalize(&path).unwrap_or(path)
        };
        let cwd = resolved(&cwd.to_path_buf());
        let mut read: Vec<PathBuf> = settings.read.iter().map(resolved).collect();
        let added: Vec<PathBuf> = settings.add_dirs.iter().map(resolved).collect();
        let write = if settings.level == SandboxLevel::WorkspaceWrite {
            std::iter::once(cwd.clone()).chain(added).collect()
        } else {
            read.extend(added);
            Vec::new()
        };
        Self {
            level: settings.level,
            read,
            git: directories::of(&write),
            included: directories::included_below(&write).into_iter().collect(),
            write,
            net: NetRule::from_words(&settings.net),
            env: settings.env.clone(),
            protected: distinct(protected.iter().map(resolved)),
            unmade: None,
            limits: CommandLimits::default(),
            cwd,
        }
    }

    /// The same policy for `system::opener`.
    pub fn path_rules(&self) -> PathRules {
        PathRules {
            cwd: self.cwd.clone(),
            read: self.read.clone(),
            write: self.write.clone(),
            git: self.git.iter().chain(&self.included).cloned().collect(),
            full: !self.is_enforced(),
            protected: self.protected.clone(),
        }
    }

    /// False at `danger-full-access`.
    pub fn is_enforced(&self) -> bool {
        self.level != SandboxLevel::DangerFullAccess
    }
}

/// Each path once, in the order in which they come: what is protected is looked at before every command.
fn distinct(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut list = Vec::new();
    for path in paths {
        if !list.contains(&path) {
            list.push(path);
        }
    }
    list
}
