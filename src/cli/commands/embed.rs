//! `agi-agent model embed`: a line per text in, a vector per line out.
//!
//! What has arrived is computed at once, so that a program may write a line and wait for its vector;
//! who writes faster than vectors are made has its lines computed together.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;

use clap::Args;
use clap::ValueEnum;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::bridge::Python;
use crate::bridge::embedding;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::interrupt::heeding_signals;
use crate::cli::wiring;
use crate::config::layer::Assignments;
use crate::protocol::Embedder;
use crate::protocol::ExitCode;

/// Texts that are computed together at most.
const BATCH: usize = 64;
/// Batches that are read ahead.
const WAITING: usize = 2;
/// Longest line; models read far less of a text.
const MAX_LINE: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// How vectors are written: an object per line, or bare 32-bit floats (little-endian)
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The model: a GGUF file, the name of one in `model.local.directory`, or of a remote model
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    F32,
}

#[derive(Serialize)]
struct Row<'a> {
    /// Number of the line, from 0.
    index: usize,
    embedding: &'a [f32],
}

/// Lines that were there together.
struct Lines {
    read: Vec<String>,
    /// What ended them before the input did.
    end: Option<CommandError>,
}

pub async fn run(args: EmbedArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut assignments = Assignments::new();
    if let Some(name) = args.name {
        assignments.push(("embedding.name".to_owned(), name.into(), "--name".to_owned()));
    }
    let mut settings = context.settings_with(assignments)?;
    heeding_signals(|cancel| Ok(settings.embedding.read_secrets(cancel)?))?;
    let client = wiring::client(&settings)?;
    let embedder = embedding::embedder(settings.embedding, Python::shared(), &client)?;
    let mut lines = lines()?;
    let mut index = 0;
    let mut wrong = None;
    while wrong.is_none() {
        let mut texts = Vec::new();
        let mut next = lines.recv().await;
        if next.is_none() {
            break;
        }
        while let Some(Lines { read, end }) = next.take() {
            texts.extend(read);
            wrong = end;
            if texts.len() < BATCH && wrong.is_none() {
                next = lines.try_recv().ok();
            }
        }
        write(&texts, index, embedder.as_ref(), args.format, context).await?;
        index += texts.len();
    }
    match wrong {
        Some(error) => Err(error),
        None => Ok(ExitCode::Done),
    }
}

async fn write(
    texts: &[String],
    first: usize,
    embedder: &dyn Embedder,
    format: Format,
    context: &mut CommandContext,
) -> Result<(), CommandError> {
    let vectors = embedder.embed(texts).await?;
    for (index, vector) in (first..).zip(&vectors) {
        match format {
            Format::Jsonl => context.output.json_line(&Row { index, embedding: vector })?,
            Format::F32 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                context.output.raw(&bytes)?;
            }
        }
    }
    context.output.flush()?;
    Ok(())
}

/// Reads on a thread of its own: a blocking read must not hold up what has arrived already.
fn lines() -> Result<mpsc::Receiver<Lines>, CommandError> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new()
        .name("lines".to_owned())
        .spawn(move || send_lines(BufReader::new(std::io::stdin()), &sender))
        .map_err(|error| {
            CommandError::new(ExitCode::FatalTool, format!("cannot start a thread: {error}"))
        })?;
    Ok(receiver)
}

/// Lines that came together go together.
fn send_lines(mut input: BufReader<impl Read>, to: &mpsc::Sender<Lines>) {
    let mut number = 0;
    let mut is_over = false;
    while !is_over {
        let mut lines = Lines { read: Vec::new(), end: None };
        loop {
            number += 1;
            match read_line(&mut input, number) {
                Ok(Some(text)) => lines.read.push(text),
                Ok(None) => is_over = true,
                Err(error) => {
                    lines.end = Some(error);
                    is_over = true;
                }
            }
            let has_more = memchr::memchr(b'\n', input.buffer()).is_some();
            if is_over || !has_more || lines.read.len() == BATCH {
                break;
            }
        }
        let is_something = !lines.read.is_empty() || lines.end.is_some();
        // The receiver goes away when nobody wants further vectors.
        if is_something && to.blocking_send(lines).is_err() {
            return;
        }
    }
}

/// One line without its end; `None` after the last.
fn read_line(input: &mut impl BufRead, number: u64) -> Result<Option<String>, CommandError> {
    let mut line = Vec::new();
    let wrong = |what: &str| CommandError::input(format!("line {number}: {what}"));
    let count = Read::take(&mut *input, MAX_LINE + 1)
        .read_until(b'\n', &mut line)
        .map_err(|error| wrong(&error.to_string()))?;
    if count == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() as u64 > MAX_LINE {
        return Err(wrong(&format!("longer than {MAX_LINE} bytes")));
    }
    String::from_utf8(line).map(Some).map_err(|_| wrong("not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Result<Option<String>, String>> {
        let mut read = Vec::new();
        for number in 1.. {
            let line = read_line(&mut input, number).map_err(|error| error.to_string());
            let end = !matches!(line, Ok(Some(_)));
            read.push(line);
            if end {
                break;
            }
        }
        read
    }

    #[test]
    fn every_line_is_a_text_even_an_empty_one() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(all(b"one\r\n\ntwo"), [some("one"), some(""), some("two"), Ok(None)]);
    }

    #[test]
    fn what_is_no_text_is_told_with_its_line() {
        assert_eq!(all(b"ok\n\xff\n")[1], Err("line 2: not UTF-8".to_owned()));
        let long = vec![b'a'; 2 << 20];
        assert!(all(&long)[0].as_ref().unwrap_err().contains("longer than"));
    }
}
