//! Why a command was not run.

use std::io;

use crate::system::process::executable;

/// A command that did not start, or whose bounds could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The bounds that were asked for cannot be had here (exit code 44). The command did not run.
    #[error("the sandbox is not available: {reason}")]
    Unavailable { reason: String, hint: String },
    /// The program could not be executed.
    #[error("`{program}` could not be started: {source}")]
    Start { program: String, source: io::Error },
    /// Python in a child is this program again, whose file is not found.
    #[error("this program's own file cannot be started again: {source}")]
    OwnFile { source: io::Error },
    /// The working directory is no directory of the workspace.
    #[error("`{path}` cannot be the working directory: {reason}")]
    WorkingDirectory { path: String, reason: String },
    /// A file of the agent's own has a second name where commands reach it; the command did not run.
    #[error("`{name}` is another name (a hard link) of the agent's own `{own}`")]
    SecondName { own: String, name: String },
    /// The operating system refused a pipe, a process or a descriptor.
    #[error("a child process could not be managed: {source}")]
    Process { source: io::Error },
    /// The command's processes did not all end, by force either.
    #[error("processes of the command could not be ended in time")]
    Survivors,
    /// What is to be put back after the command could not be looked at before; the command did not run.
    #[error(
        "`{path}` is protected from commands, and what is there cannot be remembered: {source}"
    )]
    Unseen { path: String, source: io::Error },
    /// A protected file is too large to be kept, or there is no place for it, and nothing else keeps a command
    /// from it (exit code 44). The command did not run.
    #[error(
        "`{path}` is protected from commands, and its {size} bytes cannot be kept to be put back: {source}"
    )]
    Unkept { path: String, size: u64, source: io::Error },
    /// A protected file was changed by the command and could not be put back.
    #[error("`{path}` was changed by the command and could not be restored: {source}")]
    Restore { path: String, source: io::Error },
}

impl SandboxError {
    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unavailable { hint, .. } => Some(hint),
            Self::OwnFile { .. } => Some(executable::HINT),
            Self::SecondName { .. } => Some(
                "commands could read or change it by that name: remove the link, or copy the file",
            ),
            Self::Survivors => Some(
                "each ends as soon as the machine, which they may overload, lets it: \
                 see that none is left before you go on",
            ),
            Self::Unkept { .. } => Some(
                "move it out of `.git` or `.agi-agent`, or make space where the agent keeps its data; \
                 `--sandbox read-only` needs no copy",
            ),
            _ => None,
        }
    }

    pub(crate) fn process(source: io::Error) -> Self {
        Self::Process { source }
    }
}
