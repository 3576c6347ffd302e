//! Lines that a person types (with editing and history) or a pipe delivers.

use std::io::BufRead;
use std::path::PathBuf;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::error::CommandError;
use crate::system::terminal;
use crate::system::terminal::Stream;

/// Where the next line comes from.
pub struct LineSource {
    /// `None` while a blocking read has it, or where no terminal is.
    editor: Option<DefaultEditor>,
    interactive: bool,
    history: Option<PathBuf>,
    /// How the terminal was set before lines were edited on it.
    modes: Option<terminal::Modes>,
}

impl LineSource {
    /// Line editing where standard input and output are terminals. History is kept in `history`.
    pub fn new(history: Option<PathBuf>) -> Self {
        let interactive =
            terminal::is_terminal(Stream::Input) && terminal::is_terminal(Stream::Output);
        let editor = interactive.then(DefaultEditor::new).and_then(Result::ok);
        let modes = editor.as_ref().and_then(|_| terminal::Modes::of_input());
        let mut source = Self { interactive: editor.is_some(), editor, history, modes };
        if let (Some(editor), Some(path)) = (&mut source.editor, &source.history) {
            // No history yet is no error.
            drop(editor.load_history(path));
        }
        source
    }

    /// True where a person types.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Gives up on a line that is still being read, on a thread that nothing can end: the terminal is set as
    /// it was.
    pub fn abandon(&self) {
        if let Some(modes) = &self.modes {
            modes.restore();
        }
    }

    /// The next line without its end; `None` at the end of input.
    pub async fn next(&mut self) -> Result<Option<String>, CommandError> {
        let editor = self.editor.take();
        let read = tokio::task::spawn_blocking(move || match editor {
            Some(editor) => edit(editor),
            None => (None, plain()),
        });
        let (editor, line) = read
            .await
            .map_err(|error| CommandError::input(format!("cannot read a line: {error}")))?;
        self.editor = editor;
        let line = line.map_err(CommandError::input)?;
        if let (Some(editor), Some(path), Some(_)) = (&mut self.editor, &self.history, &line) {
            // A conversation goes on without history where it cannot be written.
            drop(editor.save_history(path));
        }
        Ok(line)
    }
}

type Line = Result<Option<String>, String>;

fn edit(mut editor: DefaultEditor) -> (Option<DefaultEditor>, Line) {
    let line = loop {
        match editor.readline("> ") {
            Ok(line) => {
                drop(editor.add_history_entry(&line));
                break Ok(Some(line));
            }
            // Ctrl-C at the prompt throws the line away.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Ok(None),
            Err(error) => break Err(format!("cannot read a line: {error}")),
        }
    };
    (Some(editor), line)
}

fn plain() -> Line {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned())),
        Err(error) => Err(format!("cannot read standard input: {error}")),
    }
}
