//! A writer that lets no secret through to a log or trace.
//!
//! Works line by line: a secret never spans two of them, but for private keys, whose lines the
//! formats of logs escape into one.

use std::io;
use std::io::Write;
use std::sync::Arc;

use crate::protocol::secrets::Vault;

/// Passes whole lines on, with placeholders for secrets. What is left is passed on when dropped.
pub(super) struct Concealing<W: Write> {
    inner: W,
    line: Vec<u8>,
    vault: Arc<Vault>,
}

impl<W: Write> Concealing<W> {
    pub(super) fn new(inner: W, vault: Arc<Vault>) -> Self {
        Self { inner, line: Vec::new(), vault }
    }

    fn pass_on(&mut self, length: usize) -> io::Result<()> {
        let lines: Vec<u8> = self.line.drain(..length).collect();
        let text = String::from_utf8_lossy(&lines);
        self.inner.write_all(self.vault.conceal(&text, None).as_bytes())
    }
}

impl<W: Write> Write for Concealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            self.pass_on(end + 1)?;
        }
        Ok(bytes.len())
    }

    /// Whole lines only: a part of one could hold a part of a secret.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Concealing<W> {
    fn drop(&mut self) {
        // Nobody is left to be told that the end of a log could not be written.
        self.pass_on(self.line.len()).and_then(|()| self.inner.flush()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_two_writes_is_still_found() {
        let vault = Arc::new(Vault::new([("A_TOKEN".to_owned(), "canary-1234".to_owned())]));
        let mut written = Vec::new();
        let mut writer = Concealing::new(&mut written, vault);
        for part in ["a cana", "ry-1234\nb can", "ary-1234"] {
            writer.write_all(part.as_bytes()).unwrap();
            writer.flush().unwrap();
        }
        drop(writer);
        assert_eq!(written, b"a [secret:A_TOKEN]\nb [secret:A_TOKEN]");
    }
}
