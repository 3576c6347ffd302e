//! A terminal for a command that behaves otherwise without one.
//!
//! Nobody types: whoever reads finds the end of input once, and nothing is echoed. Lines end as the
//! command writes them.
#![expect(unsafe_code, reason = "registering a descriptor asks for a promise")]

use std::io;
use std::os::fd::OwnedFd;

use rustix::pty::OpenptFlags;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::OutputModes;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What programs are told of its size.
const SIZE: Winsize = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
/// Ctrl-D: at the beginning of a line, the end of input.
const END_OF_INPUT: &[u8] = &[4];

/// Our end and the command's.
pub(super) fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    let mut modes = rustix::termios::tcgetattr(&theirs)?;
    modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHOCTL);
    modes.output_modes.remove(OutputModes::OPOST);
    rustix::termios::tcsetattr(&theirs, OptionalActions::Now, &modes)?;
    rustix::termios::tcsetwinsize(&theirs, SIZE)?;
    rustix::io::write(&ours, END_OF_INPUT)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// Our end for the runtime to watch.
pub(super) fn watch(ours: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is moved into the `AsyncFd`, which owns it until it is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(ours, Interest::READABLE) }?;
    Ok(watched)
}
