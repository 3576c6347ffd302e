//! `agi-agent python`: the bundled interpreter for people and for sandboxed children.
//!
//! CPython's own `main` does the work (options, `-c`, `-m`, scripts, the prompt, exit status), so
//! that it behaves as `python3`. What is ours: where modules come from, and the line editor. Runs on
//! the main thread of a process that does nothing else; SIGINT is Python's here, unlike in the
//! bridge. Not sandboxed by itself.

#![expect(unsafe_code, reason = "CPython's main and its line hook are C functions")]
#![expect(clippy::disallowed_methods, reason = "the main thread of a process that is all Python")]

use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::ffi;
use pyo3::prelude::*;

use super::console_line;
use super::error::BridgeError;
use super::error::ErrorKind;
use super::interpreter;
use super::interpreter::Config;
use super::interpreter::Home;
use super::interpreter::Stopped;

/// The variable by which a program that our interpreter starts knows `sys.executable`, which is its value:
/// see `cli::commands::as_python`.
pub const PYTHON_MARK: &str = "_AGI_AGENT_PYTHON";

/// One run of the interpreter.
#[derive(Debug, Default)]
pub struct Console {
    /// What `python3` takes.
    pub arguments: Vec<OsString>,
    /// Searched for modules first, as `PYTHONPATH` is.
    pub path: Vec<PathBuf>,
    /// Directory of the person's own packages, searched last.
    pub wheels: Option<PathBuf>,
    /// Where the prompt keeps its history; `None` keeps none.
    pub history: Option<PathBuf>,
}

impl Console {
    /// Runs Python until it ends; gives its exit status. Where Python ends the process itself
    /// (`exit()` at the prompt, an unhandled interrupt), this does not return.
    pub fn run(self) -> Result<u8, BridgeError> {
        let failed = |reason: String| {
            let message = format!("the python interpreter cannot be started: {reason}");
            BridgeError::new(ErrorKind::Start, message)
        };
        trust_the_same_store().map_err(failed)?;
        leave_mark();
        match self.start() {
            Ok(()) => {}
            Err(Stopped::Exit(status)) => return Ok(status),
            Err(Stopped::Failed(reason)) => return Err(failed(reason)),
        }
        console_line::install(self.history);
        // SAFETY: the interpreter runs and this thread is attached. The call finalises it: no
        // Python object of ours is left (the line editor holds none between two lines).
        Ok(exit_status(unsafe { ffi::Py_RunMain() }))
    }

    /// Starts the interpreter, this thread attached, and prepares it.
    fn start(&self) -> Result<(), Stopped> {
        let program = OsStr::new("agi-agent");
        let arguments =
            std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        let arguments: Vec<CString> =
            arguments.map(interpreter::c_text).collect::<Result<_, _>>()?;
        Config::for_person(&Home::of_this_process(), &arguments)?.start()?;
        let goes_on = Python::attach(|py| self.prepare(py));
        let goes_on = goes_on.map_err(|error| Stopped::Failed(error.to_string()))?;
        if goes_on { Ok(()) } else { Err(Stopped::Exit(1)) }
    }

    /// Whether there is something to run; otherwise Python has said why not.
    fn prepare(&self, py: Python<'_>) -> PyResult<bool> {
        interpreter::find_agi_agent(py)?;
        let static_flavour = interpreter::is_static();
        let paths: Vec<&OsStr> = self.path.iter().map(|path| path.as_os_str()).collect();
        let prepare = py.import("agi_agent._console")?.getattr("prepare")?;
        let wheels = self.wheels.as_ref().map(|path| path.as_os_str());
        prepare.call1((paths, wheels, cfg!(feature = "embedded"), static_flavour))?.extract()
    }
}

/// What is started as `sys.executable` is to be an interpreter again.
fn leave_mark() {
    let executable = Home::of_this_process().executable;
    // SAFETY: nothing else runs in this process yet that could read the environment at the same time.
    unsafe { std::env::set_var(PYTHON_MARK, executable) };
}

/// CPython gives its status as an `int`; a process has eight bits.
fn exit_status(status: i32) -> u8 {
    status.to_le_bytes()[0]
}

/// Points OpenSSL (our `ssl`, and wheels that bring their own) at the certificates that Rust uses,
/// since the compiled-in place is that of the machine we were built on. One variable of a person's own
/// names the whole store, to Rust as well: nothing is added to it (`agi_agent/_store.py`). Children see them too, and find the
/// same store.
#[cfg(all(unix, feature = "embedded"))]
fn trust_the_same_store() -> Result<(), String> {
    let environment = crate::config::env::Environment::of_process();
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| environment.path(name).is_some()) {
        return Ok(());
    }
    let found = openssl_probe::probe();
    let directory = found.cert_dir.into_iter().next();
    for (name, place) in [("SSL_CERT_FILE", found.cert_file), ("SSL_CERT_DIR", directory)] {
        if let Some(place) = place {
            let (name, value) =
                (interpreter::c_text(OsStr::new(name))?, interpreter::c_text(place.as_os_str())?);
            // SAFETY: nothing else runs in this process yet that could read the environment at the
            // same time. What is overwritten is an empty value, which names nothing.
            unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
        }
    }
    Ok(())
}

/// The installed Python knows its own store.
#[cfg(not(all(unix, feature = "embedded")))]
#[expect(clippy::unnecessary_wraps, reason = "the other flavour's signature")]
fn trust_the_same_store() -> Result<(), String> {
    Ok(())
}
