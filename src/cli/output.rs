//! The only writer of stdout and stderr.
//!
//! stdout is for the result and is buffered; a write error there is an error of the command. stderr
//! is for everything else; what cannot be said there is dropped, since nobody is left to tell.

mod behind;

mod relay;

use std::io::BufWriter;
use std::io::Stdout;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::config::env::Environment;
use crate::protocol::ExitCode;
use crate::protocol::secrets::Vault;
use crate::system::standard;
use crate::system::terminal;
use crate::system::terminal::Stream;
use crate::system::visible::visible;

pub use self::behind::Behind;
pub use self::relay::Relay;
use super::args::Color;
use super::error::CommandError;
use super::error::WriteError;
use super::foreign::Filter;
use super::foreign::Styles;
use super::foreign::for_terminal;

const YELLOW: &str = "\u{1b}[1;33m";

/// How long a reader who does not read is waited for once the command is to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

enum Way {
    Direct(BufWriter<Stdout>),
    /// By a thread of its own.
    Behind(Behind),
}

/// What became of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// Nobody took the rest of it in time.
    GivenUp,
}

/// Standard output and standard error, with what the person asked of them.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Output {
    stdout: Way,
    /// Something was said there.
    begun: bool,
    color_stdout: bool,
    color_stderr: bool,
    verbose: u8,
    quiet: bool,
}

impl Output {
    pub fn new(environment: &Environment, color: Color, verbose: u8, quiet: bool) -> Self {
        let allowed = |stream| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                terminal::is_terminal(stream)
                    && environment.text("NO_COLOR").is_none()
                    && environment.text("TERM") != Some("dumb")
            }
        };
        Self {
            stdout: Way::Direct(BufWriter::new(std::io::stdout())),
            begun: false,
            color_stdout: allowed(Stream::Output),
            color_stderr: allowed(Stream::Error),
            verbose,
            quiet,
        }
    }

    /// Standard output for a thread of its own (`serve`): whoever holds it decides when to flush. An error
    /// where it was closed from the beginning.
    pub fn writer(&self) -> Result<Box<dyn Write + Send>, WriteError> {
        must_be_open()?;
        Ok(Box::new(std::io::stdout()))
    }

    /// From here on no write of the result waits for its reader; [`Self::delivered`] does, at the end.
    /// Where no further thread can be had, everything stays as it was.
    pub fn never_wait(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        if matches!(self.stdout, Way::Direct(_)) {
            match Behind::new(std::io::stdout()) {
                Ok(behind) => self.stdout = Way::Behind(behind),
                Err(error) => tracing::warn!(%error, "writing the result waits for its reader"),
            }
        }
        Ok(())
    }

    /// Whoever writes the result, after [`Self::never_wait`].
    pub fn behind(&self) -> Option<Behind> {
        match &self.stdout {
            Way::Direct(_) => None,
            Way::Behind(behind) => Some(behind.clone()),
        }
    }

    /// Waits until the reader has the result: at most a moment once the command is cancelled, and for
    /// `patience` where there is one.
    pub async fn delivered(
        &mut self,
        cancel: &CancellationToken,
        patience: Option<Duration>,
    ) -> Result<Delivery, WriteError> {
        self.flush()?;
        let Way::Behind(behind) = &self.stdout else { return Ok(Delivery::Whole) };
        Ok(behind.delivered(cancel, patience).await?)
    }

    /// What `-v` asks of `tracing`: nothing, then more with each `v`.
    pub fn trace_level(&self) -> LevelFilter {
        match self.verbose {
            0 => LevelFilter::OFF,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    /// True where stderr may be coloured.
    pub fn colors_stderr(&self) -> bool {
        self.color_stderr
    }

    /// True where a person looks at stderr and may want progress.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && terminal::is_terminal(Stream::Error)
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// One line of the result.
    pub fn line(&mut self, text: &str) -> Result<(), WriteError> {
        self.raw(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.raw(b"\n")?;
        }
        Ok(())
    }

    /// Bytes of the result.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if !bytes.is_empty() {
            must_be_open()?;
        }
        self.begun |= !bytes.is_empty();
        match &mut self.stdout {
            Way::Direct(stdout) => stdout.write_all(bytes)?,
            Way::Behind(behind) => behind.push(bytes)?,
        }
        Ok(())
    }

    /// Whether anything was said on stdout, or was tried to be.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Text with ANSI styles, which are left out where nobody would see them.
    pub fn styled(&mut self, text: &str) -> Result<(), WriteError> {
        let text = if self.color_stdout { text.to_owned() } else { plain(text) };
        self.raw(text.as_bytes())
    }

    /// A value as indented JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), WriteError> {
        let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
        self.line(&text)
    }

    /// A value as one line of JSON, flushed: somebody waits for it.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), WriteError> {
        let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
        self.line(&text)?;
        self.flush()
    }

    pub fn flush(&mut self) -> Result<(), WriteError> {
        match &mut self.stdout {
            Way::Direct(stdout) => stdout.flush()?,
            Way::Behind(behind) => behind.check()?,
        }
        Ok(())
    }

    /// Delivers what is buffered; call once at the end.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        self.flush()
    }

    /// Something worth knowing; not with `--quiet`.
    pub fn status(&mut self, text: &str) {
        if !self.quiet {
            to_stderr(&safe(text));
        }
    }

    /// Something is odd but the work goes on; not with `--quiet`.
    pub fn warning(&mut self, text: &str) {
        if !self.quiet {
            let label = self.paint("warning:", YELLOW);
            to_stderr(&format!("{label} {}", safe(text)));
        }
    }

    /// Says warnings from another thread, for as long as the process lives.
    pub fn warner(&self) -> Box<dyn Fn(&str) + Send> {
        let label = self.paint("warning:", YELLOW);
        let is_quiet = self.quiet;
        Box::new(move |text| {
            if !is_quiet {
                to_stderr(&format!("{label} {}", safe(text)));
            }
        })
    }

    /// What to do about a warning; not with `--quiet`.
    pub fn status_hint(&mut self, text: &str) {
        if !self.quiet {
            self.hint(text);
        }
    }

    pub fn hint(&mut self, text: &str) {
        let label = self.paint("hint:", "\u{1b}[1;36m");
        to_stderr(&format!("{label} {}", safe(text)));
    }

    pub fn error(&mut self, text: &str) {
        let label = self.paint("error:", "\u{1b}[1;31m");
        to_stderr(&format!("{label} {}", safe(text)));
    }

    /// Shows a failure and returns its code.
    pub fn failure(&mut self, error: &CommandError) -> ExitCode {
        // What was printed before the failure still belongs to the person; when stdout is the
        // trouble, the failure says so already.
        drop(self.flush());
        if !error.shown {
            self.error(&error.message);
            for hint in &error.hints {
                self.hint(hint);
            }
            for (message, hint) in &error.more {
                self.error(message);
                if let Some(hint) = hint {
                    self.hint(hint);
                }
            }
        }
        error.code
    }

    /// Text with ANSI styles on stderr (clap's own rendering), which are left out where nobody would
    /// see them.
    pub fn styled_error(&mut self, text: &str) {
        let text = if self.color_stderr { text.to_owned() } else { plain(text) };
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    /// Bytes of the result that others wrote: unchanged, but on a terminal they only show.
    pub fn foreign(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if terminal::is_terminal(Stream::Output) {
            return self.raw(&for_terminal(bytes, Styles::Visible));
        }
        self.raw(bytes)
    }

    /// One line of the result that others wrote; see [`Output::foreign`].
    pub fn foreign_line(&mut self, text: &str) -> Result<(), WriteError> {
        self.foreign(text.as_bytes())?;
        if text.ends_with('\n') { Ok(()) } else { self.raw(b"\n") }
    }

    /// The way of a command's stream to ours of the same kind: unchanged, but on a terminal nothing other
    /// than colours gets through. What was said before comes before; say nothing while it is in use.
    pub fn relay(&mut self, stream: Stream) -> Result<Relay, WriteError> {
        // Else the last flush would wait for the lock that a write which nobody reads holds.
        self.never_wait()?;
        let is_error = stream == Stream::Error;
        let is_colored = if is_error { self.color_stderr } else { self.color_stdout };
        let styles = if is_colored { Styles::Kept } else { Styles::LeftOut };
        let target: fn() -> Box<dyn Write + Send> = match stream {
            Stream::Error => || Box::new(std::io::stderr()),
            _ => || Box::new(std::io::stdout()),
        };
        Ok(Relay::new(stream, target, terminal::is_terminal(stream).then(|| Filter::new(styles))))
    }

    fn paint(&self, text: &str, style: &str) -> String {
        if self.color_stderr { format!("{style}{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn must_be_open() -> Result<(), WriteError> {
    if standard::output_was_closed() {
        return Err(std::io::Error::other("it is closed").into());
    }
    Ok(())
}

/// One line in one write, so that lines of several processes do not mix.
fn to_stderr(text: &str) {
    drop(std::io::stderr().write_all(format!("{text}\n").as_bytes()));
}

/// Tells of a panic, in one line: a person can do nothing with more, and `RUST_BACKTRACE` still gives it.
pub fn defect(panic: &std::panic::PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("something impossible happened");
    let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
    let place = place.unwrap_or_default();
    to_stderr(&format!("error: a defect of agi-agent{place}: {}", safe(what).replace('\n', " ")));
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        to_stderr(&trace.to_string());
    }
}

/// Says why the process ends by force. Standard error may be stuck as well: nobody waits for it for long.
pub fn last_words(text: &str) {
    /// For one line to a reader that is there.
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);
    let line = format!("error: {}", safe(text));
    let (said, waiting) = std::sync::mpsc::channel();
    let speaker = std::thread::Builder::new().spawn(move || {
        to_stderr(&line);
        said.send(()).ok();
    });
    if speaker.is_ok() {
        // Said or not: there is nothing more to do about it.
        waiting.recv_timeout(PATIENCE).ok();
    }
}

/// What may stand in a log: nothing that hides, and nothing that looks like a secret.
fn safe(text: &str) -> String {
    printable(&Vault::for_eyes(text))
}

/// Escapes control and invisible characters: a file name or a server's words must not drive the terminal.
pub fn printable(text: &str) -> String {
    visible(text).into_owned()
}

/// Leaves out ANSI escape sequences.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::plain;
    use super::printable;

    #[test]
    fn styles_are_left_out() {
        assert_eq!(plain("a\u{1b}[1mb\u{1b}[0mc"), "abc");
        assert_eq!(plain("\u{1b}[2Kone\nwith m\n\u{1b}]0;m\u{7}two\n"), "one\nwith m\ntwo\n");
    }

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\nc");
    }
}
