//! What a command reads as its standard input.
//!
//! Descriptors of this process are not handed on as they are: through a terminal a command could type
//! for the person, through a socket it could speak to whoever is at the other end, and a file that is
//! open can be changed in ways that no path rule sees (its permissions). A pipe can only be read.

use std::fs::File;
use std::io;
use std::io::PipeReader;
use std::sync::Arc;

use crate::system::terminal;
use crate::system::terminal::Stream;

/// The standard input of a command.
#[derive(Debug, Clone, Default)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    Nothing,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// The reading end of a pipe. Whoever holds its other end decides when it ends.
    Pipe(Arc<File>),
}

impl Input {
    /// What this process was given: nothing where that is a terminal, a pipe as it is, and the bytes of
    /// everything else by a pipe that a thread fills for as long as the process lives. That thread may
    /// read more than the command does.
    pub fn of_this_process() -> io::Result<Self> {
        if terminal::is_terminal(Stream::Input) {
            return Ok(Self::Nothing);
        }
        if let Some(pipe) = own_pipe()? {
            return Ok(Self::Pipe(Arc::new(pipe)));
        }
        let (reader, mut writer) = io::pipe()?;
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            // A command that does not read its input to the end is within its rights.
            if let Err(error) = io::copy(&mut io::stdin().lock(), &mut writer) {
                tracing::debug!(%error, "standard input was not handed on to its end");
            }
        })?;
        Ok(Self::Pipe(Arc::new(file(reader))))
    }
}

/// Our standard input where that is a pipe which can be read only.
#[cfg(unix)]
fn own_pipe() -> io::Result<Option<File>> {
    use std::os::fd::AsFd as _;

    use rustix::fs::FileType;
    use rustix::fs::OFlags;

    let stdin = io::stdin();
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&stdin)?.st_mode);
    let is_readable_only = rustix::fs::fcntl_getfl(&stdin)? & OFlags::ACCMODE == OFlags::RDONLY;
    if kind != FileType::Fifo || !is_readable_only {
        return Ok(None);
    }
    Ok(Some(File::from(stdin.as_fd().try_clone_to_owned()?)))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn own_pipe() -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(unix)]
fn file(pipe: PipeReader) -> File {
    std::os::fd::OwnedFd::from(pipe).into()
}

#[cfg(windows)]
fn file(pipe: PipeReader) -> File {
    std::os::windows::io::OwnedHandle::from(pipe).into()
}
