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

/// True where the stream is a terminal. A closed stream is not.
pub fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Input => std::io::stdin().is_terminal(),
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Error => std::io::stderr().is_terminal(),
    }
}
