//! Is there a person at the other end?

use std::io::IsTerminal;

/// One of the three standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Input,
    Output,
    Error,
}

/// Throws away what was typed and not yet read: it cannot be the answer to what is asked next.
pub fn discard_input() {
    #[cfg(unix)]
    {
        use rustix::termios::QueueSelector;
        // Where standard input is no terminal there is nothing to discard.
        rustix::termios::tcflush(std::io::stdin(), QueueSelector::IFlush).ok();
    }
}

/// How the terminal of standard input was set before something (line editing) sets it otherwise.
pub struct Modes {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

impl Modes {
    /// `None` where standard input is no terminal.
    pub fn of_input() -> Option<Self> {
        #[cfg(unix)]
        return Some(Self { before: rustix::termios::tcgetattr(std::io::stdin()).ok()? });
        #[cfg(not(unix))]
        None
    }

    /// Sets it as it was: who set it otherwise may never come to that.
    pub fn restore(&self) {
        #[cfg(unix)]
        {
            use rustix::termios::OptionalActions;
            // A terminal that is gone needs nothing.
            rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before).ok();
        }
    }
}

/// True where the stream is a terminal. A closed stream is not.
pub fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Input => std::io::stdin().is_terminal(),
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Error => std::io::stderr().is_terminal(),
    }
}
