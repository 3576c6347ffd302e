//! Gathers what the person asks: the words on the command line, standard input, files, images.
//!
//! Standard input is read for `-` and `--stdin` only (or for any pipe with `stdin: auto`), so that
//! nothing depends on timing and no run without a terminal hangs. What is read may be a pipe that
//! nobody writes to: it is read on a thread of its own, and given up when the run is to end.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::schema;
use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::settings::StdinMode;
use crate::protocol::Part;
use crate::system::terminal;
use crate::system::terminal::Stream;

/// What editors and exports put before a text; it is no part of it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Standard input or a file beyond this is not a prompt (bytes).
const MAX_BYTES: u64 = 10 << 20;

/// What `run` was told to read.
pub struct TaskSource {
    pub task: Option<String>,
    pub stdin: bool,
    pub files: Vec<PathBuf>,
    pub mode: StdinMode,
    /// `--output-schema`.
    pub schema: Option<String>,
}

/// The parts of the user's message, in the order task, standard input, files; and the output's schema.
type Gathered = (Vec<Part>, Option<Value>);

/// Reads it all, unless `cancel` comes first.
pub async fn gather(
    source: TaskSource,
    context: &mut CommandContext,
    cancel: &Cancellation,
) -> Result<Gathered, CommandError> {
    let auto = source.mode == StdinMode::Auto && !terminal::is_terminal(Stream::Input);
    let wants_stdin = source.task.as_deref() == Some("-") || source.stdin || auto;
    if !wants_stdin && stdin_is_a_pipe() {
        context.output.status("note: standard input is not read; give `-` or `--stdin` to use it");
    }
    if !wants_stdin && source.files.is_empty() && source.schema.is_none() {
        return read(&source, wants_stdin, Path::new("")).map(|(gathered, _)| gathered);
    }
    // Relative paths need one, standard input does not.
    let directory =
        if source.files.is_empty() { PathBuf::new() } else { context.directory()?.to_path_buf() };
    let reading = tokio::task::spawn_blocking(move || read(&source, wants_stdin, &directory));
    let read = tokio::select! {
        biased;
        () = cancel.token().cancelled() => None,
        read = reading => Some(read),
    };
    match read {
        Some(Ok(read)) => {
            let (gathered, notes) = read?;
            for note in notes {
                context.output.status(note);
            }
            Ok(gathered)
        }
        Some(Err(error)) => Err(CommandError::input(format!("cannot read the task: {error}"))),
        None => {
            let reason = cancel.reason().unwrap_or(CancelReason::Terminated);
            let message = format!("{} while the task was being read", reason.as_str());
            Err(CommandError::new(reason.exit_code(), message)
                .with_hint("is there somebody who writes to the pipe, and closes it?"))
        }
    }
}

fn read(
    source: &TaskSource,
    wants_stdin: bool,
    directory: &Path,
) -> Result<(Gathered, Vec<&'static str>), CommandError> {
    let schema = source.schema.as_deref().map(schema::load).transpose()?;
    let task = source.task.as_deref().filter(|task| *task != "-");
    let (mut parts, mut notes) = (Vec::new(), Vec::new());
    if let Some(task) = task {
        parts.push(Part::Text { text: task.to_owned() });
    }
    if wants_stdin {
        let text = read_stdin()?;
        let is_empty = text.trim().is_empty();
        notes.extend((is_empty && source.stdin).then_some("note: standard input is empty"));
        // Nothing in a block says that there was nothing; no block would say that none was given.
        if !is_empty || (source.stdin && task.is_some()) {
            let text = match task {
                None => text,
                Some(_) => format!("<stdin>\n{text}\n</stdin>"),
            };
            parts.push(Part::Text { text });
        }
    }
    for path in &source.files {
        parts.push(file(path, directory)?);
    }
    let empty =
        parts.iter().all(|part| matches!(part, Part::Text { text } if text.trim().is_empty()));
    if empty {
        return Err(CommandError::usage("there is no task")
            .with_hint("give it as an argument, or `-` to read it from standard input"));
    }
    Ok(((parts, schema), notes))
}

fn read_stdin() -> Result<String, CommandError> {
    let wrong =
        |error: std::io::Error| CommandError::input(format!("cannot read standard input: {error}"));
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(wrong)?;
    text("standard input", bytes)
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, CommandError> {
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("{name} is larger than {} MiB", MAX_BYTES >> 20);
        return Err(CommandError::input(message)
            .with_hint("name the file in the task instead, and let the agent read what it needs"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::input(format!("{name} is not UTF-8 text (byte {at})"))
    })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text))
}

/// True for a pipe or a file that somebody put there on purpose.
#[cfg(unix)]
fn stdin_is_a_pipe() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    let stdin = std::io::stdin();
    stdin
        .as_fd()
        .try_clone_to_owned()
        .and_then(|handle| std::fs::File::from(handle).metadata())
        .is_ok_and(|metadata| {
            metadata.file_type().is_fifo() || (metadata.is_file() && metadata.len() > 0)
        })
}

#[cfg(not(unix))]
fn stdin_is_a_pipe() -> bool {
    false
}

fn file(path: &Path, directory: &Path) -> Result<Part, CommandError> {
    let full = directory.join(path);
    let wrong = |error: std::io::Error| {
        CommandError::input(format!("cannot read `{}`: {error}", path.display()))
    };
    let handle = std::fs::File::open(&full).map_err(wrong)?;
    if handle.metadata().map_err(wrong)?.is_dir() {
        return Err(CommandError::input(format!("`{}` is a directory", path.display())));
    }
    let mut bytes = Vec::new();
    handle.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if let Some(media_type) = image(&bytes) {
        return Ok(Part::Image { media_type: media_type.to_owned(), data: STANDARD.encode(bytes) });
    }
    let name = path.display().to_string();
    let text = text(&format!("`{name}`"), bytes)?;
    Ok(Part::Text { text: format!("<file path=\"{name}\">\n{text}\n</file>") })
}

/// The media type of the image formats that models take, by their first bytes.
fn image(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}
