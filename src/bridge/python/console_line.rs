//! The prompt's line editor: CPython asks for a line through its hook, rustyline gives it.
//!
//! `readline` is GPL and not in the binary. With the hook, the prompt and `input()` are CPython's
//! own (continuation lines, `_`, `exit()`, tracebacks), and only editing, history and completion are
//! ours. A history that cannot be read or written costs the history, never the line.

#![expect(unsafe_code, reason = "the hook is a C function pointer that gives C strings")]
#![expect(clippy::disallowed_methods, reason = "completion asks Python on its own main thread")]

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_void;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use pyo3::prelude::*;
use rustyline::CompletionType;
use rustyline::Config;
use rustyline::Context;
use rustyline::Editor;
use rustyline::Helper;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::history::History;
use rustyline::validate::Validator;

type Hook = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char) -> *mut c_char;

unsafe extern "C" {
    /// CPython's place for a line editor; asked for every line of a terminal.
    static mut PyOS_ReadlineFunctionPointer: Option<Hook>;
    /// Memory that CPython frees with `PyMem_RawFree`.
    fn PyMem_RawMalloc(size: usize) -> *mut c_char;
}

/// Lines that are remembered.
const HISTORY: usize = 10_000;

/// The editor of this process: made for the first line, so that scripts do not pay for it.
static EDITOR: Mutex<State> = Mutex::new(State { history: None, editor: None });

struct State {
    history: Option<PathBuf>,
    editor: Option<Editor<Completion, FileHistory>>,
}

/// Makes CPython ask us for lines. After the interpreter's start, before anything is asked.
pub(super) fn install(history: Option<PathBuf>) {
    EDITOR.lock().unwrap_or_else(PoisonError::into_inner).history = history;
    // SAFETY: this thread is attached and the only one that runs Python yet.
    unsafe { PyOS_ReadlineFunctionPointer = Some(read_line) };
}

/// What CPython calls, detached: a line with its end, an empty text at the end of input, null after
/// an interrupt.
unsafe extern "C" fn read_line(
    _: *mut c_void,
    _: *mut c_void,
    prompt: *const c_char,
) -> *mut c_char {
    if was_interrupted() {
        return std::ptr::null_mut();
    }
    // SAFETY: CPython gives a C string, or null for no prompt.
    let prompt = unsafe { prompt.as_ref().map(|prompt| CStr::from_ptr(prompt)) };
    let prompt = prompt.map(CStr::to_string_lossy).unwrap_or_default();
    let line = EDITOR.lock().unwrap_or_else(PoisonError::into_inner).ask(&prompt);
    match line {
        Ok(line) => c_line(line.as_bytes(), b"\n\0"),
        Err(ReadlineError::Interrupted) => std::ptr::null_mut(),
        Err(ReadlineError::Eof) => c_line(b"", b"\0"),
        Err(error) => {
            tracing::warn!(%error, "the terminal cannot be read");
            c_line(b"", b"\0")
        }
    }
}

/// Whether an interrupt came too late for what was computed. It would otherwise end the next line's
/// computation, or seem to be lost.
fn was_interrupted() -> bool {
    // CPython says what happened itself when it gets no line.
    Python::attach(|py| py.check_signals().is_err())
}

/// A copy in CPython's memory; zero bytes inside would cut the line and are left out.
fn c_line(text: &[u8], end: &[u8]) -> *mut c_char {
    let bytes: Vec<u8> =
        text.iter().copied().filter(|byte| *byte != 0).chain(end.iter().copied()).collect();
    // SAFETY: a plain allocation, checked below.
    let memory = unsafe { PyMem_RawMalloc(bytes.len()) };
    if !memory.is_null() {
        // SAFETY: `memory` is new and has room for all of `bytes`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), bytes.len()) };
    }
    memory
}

impl State {
    fn ask(&mut self, prompt: &str) -> Result<String, ReadlineError> {
        if self.editor.is_none() {
            self.editor = Some(new_editor(self.history.as_ref())?);
        }
        let Some(editor) = self.editor.as_mut() else { return Err(ReadlineError::Eof) };
        let line = editor.readline(prompt)?;
        // Answers to `input()` are not commands, but as with readline nobody can tell them apart.
        if !line.trim().is_empty() && editor.add_history_entry(line.as_str())? {
            remember(editor, self.history.as_ref());
        }
        Ok(line)
    }
}

fn new_editor(history: Option<&PathBuf>) -> Result<Editor<Completion, FileHistory>, ReadlineError> {
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .completion_type(CompletionType::List)
        // A pasted block comes line by line, as CPython's tokenizer wants it.
        .bracketed_paste(false)
        .build();
    let lines = FileHistory::with_config(&config);
    let mut editor = Editor::with_history(config, lines)?;
    editor.set_helper(Some(Completion));
    if let Some(path) = history
        && path.exists()
        && let Err(error) = editor.load_history(path)
    {
        tracing::warn!(path = %path.display(), %error, "the history cannot be read");
    }
    Ok(editor)
}

/// Appends what is new to the history file, made private to the person at the first line.
fn remember(editor: &mut Editor<Completion, FileHistory>, path: Option<&PathBuf>) {
    let Some(path) = path else { return };
    let written = private_file(path).map_err(ReadlineError::from).and_then(|()| {
        let history = editor.history_mut();
        history.append(path)
    });
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "the history cannot be written");
    }
}

fn private_file(path: &PathBuf) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Tab: four spaces where a line begins, else names as Python knows them.
struct Completion;

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..position];
        if before.trim().is_empty() {
            return Ok((position, vec!["    ".to_owned()]));
        }
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        // An expression that fails to evaluate has no completions.
        let words = Python::attach(|py| names(py, &before[start..])).unwrap_or_default();
        Ok((start, words))
    }
}

fn names(py: Python<'_>, text: &str) -> PyResult<Vec<String>> {
    py.import("agi_agent._console")?.getattr("complete")?.call1((text,))?.extract()
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}
