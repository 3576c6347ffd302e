//! `memory add`: one item from the command line, or a stream of them.
//!
//! In a stream an id is printed when its item is on the disk, not before: a reader that got an id
//! may forget the item. What arrives together is stored in one transaction.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use super::transfer;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::memory::MAX_CONTENT;
use crate::memory::MemoryHandle;
use crate::memory::NewItem;
use crate::memory::Trust;
use crate::protocol::ExitCode;

/// Lines that are stored in one transaction at most.
const BATCH: usize = 256;

/// Bytes of one line: content may be escaped.
const MAX_LINE: usize = 6 * MAX_CONTENT + 65_536;

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// What to remember; `-` reads it from standard input
    #[arg(value_name = "TEXT", required_unless_present = "jsonl")]
    text: Vec<String>,
    /// Read one item a line, `{"content": …, "category"?, "tags"?, "source"?, "confidence"?}`,
    /// from FILE or `-`; print `{"id": …}` for each when it is durable
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "category", "tags", "source", "confidence"])]
    jsonl: Option<PathBuf>,
    /// The category; `general` where none is given
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// A tag; give it several times for several
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<String>,
    /// Who or what said it
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How sure it is, from 0 to 1
    #[arg(long, value_name = "NUMBER")]
    confidence: Option<f64>,
}

pub(super) async fn run(
    args: AddArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    if let Some(file) = &args.jsonl {
        return stream(file, memory, context).await;
    }
    let mut text = args.text.join(" ");
    if text == "-" {
        text = transfer::read_text(Path::new("-"), memory)?;
    }
    let new = NewItem {
        category: args.category,
        tags: args.tags,
        confidence: args.confidence,
        ..by_a_person(NewItem::new(text), args.source)
    };
    let item = memory.add(new).await?;
    if context.global.json {
        context.output.json(&item)?;
    } else {
        context.output.line(&item.id)?;
    }
    Ok(ExitCode::Done)
}

/// What comes over the command line is a person's word, unless it says otherwise.
fn by_a_person(mut new: NewItem, source: Option<String>) -> NewItem {
    new.source = new.source.or(source).or_else(|| Some("cli".to_owned()));
    new.trust = new.trust.or(Some(Trust::Person));
    new
}

async fn stream(
    file: &Path,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let mut lines = lines_of(file, memory)?;
    let mut batch = Vec::with_capacity(BATCH);
    while lines.recv_many(&mut batch, BATCH).await > 0 {
        let (items, failure) = parse(batch.drain(..));
        if !items.is_empty() {
            for item in memory.add_all(items).await? {
                context.output.line(&json!({"id": item.id}).to_string())?;
            }
            context.output.flush()?;
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(ExitCode::Done)
}

type Line = Result<(u64, Vec<u8>), CommandError>;

/// The items up to the first line that is none, and what is wrong with that line.
fn parse(lines: impl Iterator<Item = Line>) -> (Vec<NewItem>, Option<CommandError>) {
    let mut items = Vec::new();
    for line in lines {
        let item = line.and_then(|(number, text)| {
            serde_json::from_slice(&text)
                .map_err(|error| wrong_line(number, &place_in_line(&error)))
                .and_then(|new: NewItem| match new.check() {
                    Ok(()) => Ok(new),
                    Err(error) => Err(wrong_line(number, &error.to_string())),
                })
        });
        match item {
            Ok(new) => items.push(by_a_person(new, None)),
            Err(error) => return (items, Some(error)),
        }
    }
    (items, None)
}

/// serde's words, with the column but without its own count of lines.
fn place_in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or(&text);
    format!("column {}: {words}", error.column())
}

fn wrong_line(number: u64, message: &str) -> CommandError {
    CommandError::input(format!("line {number}: {message}"))
        .with_hint("the lines before it are stored and their ids printed; go on from this line")
}

/// Reads on a thread of its own: a blocking read must not hold up what has arrived already.
fn lines_of(file: &Path, memory: &MemoryHandle) -> Result<mpsc::Receiver<Line>, CommandError> {
    let input: Box<dyn Read + Send> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        transfer::refuse_own(file, memory)?;
        Box::new(File::open(file).map_err(|error| transfer::cannot_read(file, &error))?)
    };
    let (sender, receiver) = mpsc::channel(BATCH);
    let name = file.to_path_buf();
    std::thread::Builder::new()
        .name("lines".to_owned())
        .spawn(move || send_lines(BufReader::new(input), &name, &sender))
        .map_err(|error| {
            CommandError::new(ExitCode::FatalTool, format!("cannot start a thread: {error}"))
        })?;
    Ok(receiver)
}

fn send_lines(mut input: BufReader<Box<dyn Read + Send>>, name: &Path, to: &mpsc::Sender<Line>) {
    for number in 1.. {
        let mut text = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let line = match input.by_ref().take(limit + 1).read_until(b'\n', &mut text) {
            Ok(0) => return,
            Ok(_) if text.len() > MAX_LINE => {
                Err(wrong_line(number, &format!("longer than {MAX_LINE} bytes")))
            }
            Ok(_) if text.trim_ascii().is_empty() => continue,
            Ok(_) => Ok((number, text)),
            Err(error) => Err(transfer::cannot_read(name, &error)),
        };
        let stop = line.is_err();
        // The receiver goes away when a line before this one was wrong.
        if to.blocking_send(line).is_err() || stop {
            return;
        }
    }
}
