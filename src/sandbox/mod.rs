//! Runs commands inside bounds that the operating system enforces.
//!
//! One value, [`Policy`], says what a child may reach; `system::opener` enforces the same value for
//! what this process opens itself. What the platform cannot hold is refused
//! ([`SandboxError::Unavailable`], exit code 44), never silently weakened: the [`Rung`] that held is
//! part of every result.
//!
//! Nothing here decides whether a command may run (`agent::approval` does) or what a model is told.

pub mod command;

pub mod environment;

pub mod error;

pub mod git;

mod limit;

#[cfg(target_os = "linux")]
mod linux;

pub mod macos;

pub mod policy;

#[cfg(not(target_os = "linux"))]
mod portable;

mod repair;

mod scratch;

#[cfg(unix)]
mod second_names;

mod snapshot;

mod spill;

#[cfg(windows)]
mod windows;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use tokio_util::sync::CancellationToken;

use crate::config::env::Environment;
use crate::protocol::Outlet;
use crate::system::process::executable;

pub use command::Captured;
pub use command::CommandSpec;
pub use command::EndStatus;
pub use command::Finished;
pub use command::Input;
pub use command::Live;
pub use error::SandboxError;
pub use limit::Limit;
pub use policy::NetRule;
pub use policy::Policy;
pub use policy::Reach;
pub use policy::Rung;
pub use repair::any_under_way as any_repair_under_way;
pub use spill::Kept;

use git::obeyed::Seen;
use scratch::Scratch;

/// The first argument with which this program is started again as the launcher of commands.
pub const HELPER_ARGUMENT: &str = "__agi_helper";

/// Why hosts that the policy names are not open to commands.
pub const NO_HOSTS: &str = "single hosts are opened in a network namespace, which cannot be had here; \
                            `--net all` opens the whole network";

/// Starts commands under one policy. Shared by all tools of a run (`Arc`).
#[derive(Debug)]
pub struct Sandbox {
    policy: Policy,
    /// The program to start again; `None`: this one.
    helper: Option<PathBuf>,
    /// Where agents tell each other in which workspaces their commands run.
    running: Option<PathBuf>,
    /// Before the launchers and all that they keep: dropped first.
    repairs: repair::Repairs,
    /// Before the temporary directory: dropped first, it ends what may still write there.
    #[cfg(target_os = "linux")]
    launchers: linux::Launchers,
    scratch: OnceLock<Option<Scratch>>,
    earlier_snapshots: Arc<snapshot::Earlier>,
    /// Where long output is kept.
    room: OnceLock<Option<Arc<spill::Room>>>,
    /// What children see of the environment; read once.
    environment: OnceLock<Vec<(std::ffi::OsString, std::ffi::OsString)>>,
    /// How commands get to the hosts that the policy names; `None`: not at all.
    outlet: Option<Arc<dyn Outlet>>,
    /// Set once namespaces could not be had; the next command does not try again.
    without_namespaces: AtomicBool,
    /// The last: dropped when no command runs any more.
    #[cfg(unix)]
    footprint: Option<snapshot::Footprint>,
}

impl Sandbox {
    /// A sandbox that holds `policy`. Nothing is probed or created before the first command.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            helper: None,
            running: None,
            repairs: repair::Repairs::default(),
            #[cfg(target_os = "linux")]
            launchers: linux::Launchers::default(),
            scratch: OnceLock::new(),
            earlier_snapshots: Arc::default(),
            room: OnceLock::new(),
            environment: OnceLock::new(),
            outlet: None,
            without_namespaces: AtomicBool::new(false),
            #[cfg(unix)]
            footprint: None,
        }
    }

    /// Opens the hosts that the policy names to commands, by way of `outlet`, where a rung can hold them
    /// to it.
    #[must_use]
    pub fn with_outlet(mut self, outlet: Arc<dyn Outlet>) -> Self {
        self.outlet = Some(outlet);
        self
    }

    /// What commands can reach on a rung.
    pub fn reach(&self, rung: Rung) -> Reach {
        match &self.policy.net {
            _ if !self.policy.is_enforced() => Reach::All,
            NetRule::All => Reach::All,
            NetRule::Hosts(_) if self.outlet.is_some() && rung == Rung::Namespaces => Reach::Hosts,
            NetRule::Hosts(_) | NetRule::Off => Reach::Nothing,
        }
    }

    /// Starts `program` as the helper instead of this executable: for programs that link this library
    /// and whose own `main` does not hand over to [`helper_main`] (integration tests).
    #[must_use]
    pub fn with_helper(mut self, program: &Path) -> Self {
        self.helper = Some(program.to_path_buf());
        self
    }

    /// Goes by what other agents of this user saw, whose commands run in the same workspace. They leave
    /// it in `directory`, which is made on demand and has to be out of the reach of commands.
    #[must_use]
    pub fn with_others_in(mut self, directory: Option<PathBuf>) -> Self {
        self.running = directory;
        self
    }

    /// Leaves the directory where agents meet as it is now (`--ephemeral`), as far as others do.
    #[must_use]
    pub fn leaving_nothing(mut self) -> Self {
        #[cfg(unix)]
        {
            self.footprint = self.running.as_deref().map(snapshot::Footprint::of);
        }
        #[cfg(not(unix))]
        self.running.take();
        self
    }

    /// Does not try namespaces, as where they are forbidden.
    #[must_use]
    pub fn without_namespaces(self) -> Self {
        self.without_namespaces.store(true, std::sync::atomic::Ordering::Relaxed);
        self
    }

    /// This executable, as children can start it.
    pub fn program(&self) -> Result<PathBuf, SandboxError> {
        let found = || executable::path().map_err(|source| SandboxError::OwnFile { source });
        self.helper.clone().map_or_else(found, Ok)
    }

    /// What is enforced.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The private temporary directory of children, created on first use; gone when the sandbox is
    /// dropped. `None` where none can be created.
    pub fn temporary_directory(&self) -> Option<&Path> {
        self.scratch
            .get_or_init(|| Scratch::create(&Environment::of_process()))
            .as_ref()
            .map(Scratch::path)
    }

    /// An empty directory that children can write, gone with the sandbox; `None` where there is none.
    pub fn fresh_directory(&self, name: &str) -> Option<PathBuf> {
        self.temporary_directory()?;
        self.scratch.get()?.as_ref()?.fresh(name)
    }

    /// A file for a stream of this command, if it is to be kept whole and there is a place for it.
    fn spill(&self, command: &CommandSpec) -> Option<spill::Spill> {
        if !command.keep_whole {
            return None;
        }
        let room = self.room.get_or_init(|| {
            let directory = spill::directory(self.temporary_directory()?)?;
            Some(Arc::new(spill::Room::new(directory)))
        });
        room.clone().map(spill::Spill::new)
    }

    /// The environment that children get, by the allow-list and the policy's own names.
    pub fn child_environment(&self) -> &[(std::ffi::OsString, std::ffi::OsString)] {
        self.environment
            .get_or_init(|| environment::for_children(&Environment::of_process(), &self.policy.env))
    }

    /// What a command that can write must not have changed when it ends.
    async fn snapshot(&self, rung: Rung) -> Result<Option<snapshot::Snapshot>, SandboxError> {
        if self.policy.write.is_empty() {
            return Ok(None);
        }
        let (write, running) = (self.policy.write.clone(), self.running.clone());
        let (earlier, git) = (Arc::clone(&self.earlier_snapshots), self.policy.git.clone());
        // In namespaces what is there is mounted read-only.
        let exposed = rung != Rung::Namespaces;
        let take = move || {
            let running = running.as_deref();
            snapshot::Snapshot::take(&write, &git, running, &earlier, exposed)
        };
        repair::aside(take, drop).await?.map(Some)
    }

    /// What a later git goes by where commands and tools may write, and is not put back.
    pub fn obeyed_by_git(&self) -> Seen {
        match (&*self.policy.write, self.policy.is_enforced()) {
            ([], false) => Seen::below(std::slice::from_ref(&self.policy.cwd)),
            (write, _) => Seen::below(write),
        }
    }

    /// Whether something that a command has changed is being put back; that command's result is not known
    /// before.
    pub fn is_putting_back(&self) -> bool {
        self.repairs.are_under_way()
    }

    /// A file of the agent's own may have another name where commands reach it.
    #[cfg(unix)]
    async fn refuse_second_names(&self) -> Result<(), SandboxError> {
        second_names::refuse(&self.policy).await
    }

    #[cfg(not(unix))]
    async fn refuse_second_names(&self) -> Result<(), SandboxError> {
        std::future::ready(Ok(())).await
    }

    /// Runs a command to its end and returns what it printed. On time-out or cancellation the whole
    /// tree of processes is ended first; nothing is left behind when this returns.
    pub async fn run(
        &self,
        command: CommandSpec,
        cancel: CancellationToken,
    ) -> Result<Finished, SandboxError> {
        platform::run(self, command, cancel).await
    }

    /// The rung that holds here, found by starting a child that tests its own bounds.
    pub async fn probe(&self) -> Result<Rung, SandboxError> {
        platform::probe(self).await
    }
}

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use portable as platform;

/// What a child of the bridge does to itself before it runs the person's own Python: no connections
/// (Linux: by a filter of system calls), ended with its parent, no core files. It keeps the person's
/// files and devices. To be called while the process has one thread.
pub fn hold_child() -> std::io::Result<()> {
    platform::hold_child()
}

/// The helper's whole life: `main` calls this first when the first argument is [`HELPER_ARGUMENT`].
/// No runtime, no argument parser, no interpreter is started on this way.
pub fn helper_main() -> ! {
    platform::helper_main()
}
