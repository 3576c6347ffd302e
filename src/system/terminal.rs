//! Is there a person at the other end?

use std::io::IsTerminal;

/// One of the three standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Input,
    Output,
    Error,
}

/// True where the stream is a terminal. A closed stream is not.
pub fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Input => std::io::stdin().is_terminal(),
        Stream::Output => std::io::stdout().is_terminal(),
        Stream::Error => std::io::stderr().is_terminal(),
    }
}
