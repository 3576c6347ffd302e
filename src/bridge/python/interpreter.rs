//! Starts CPython, once per process, and interrupts it.
//!
//! Both flavours go through the same isolated configuration: nothing of the person's environment,
//! working directory or site-packages can change what our own interpreter imports. `embedded` adds
//! the packed modules (`frozen`); `development` takes the standard library of the installed Python
//! and `agi_agent` from this repository. The interpreter is never finalised: threads of the process
//! may end in any order.

#![expect(unsafe_code, reason = "CPython's initialisation and its pending calls have no safe form")]
#![expect(clippy::disallowed_methods, reason = "the first attachment, and one that interrupts")]

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::OsStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::system::process::executable;

/// C's `wchar_t`.
#[cfg(unix)]
type WideChar = libc::wchar_t;
#[cfg(not(unix))]
type WideChar = u16;

/// How often an interpreter was started in this process.
static STARTS: AtomicU64 = AtomicU64::new(0);
/// The job that runs; 0 means none.
static RUNNING: AtomicU64 = AtomicU64::new(0);
/// The job that is to be interrupted.
static INTERRUPT: AtomicU64 = AtomicU64::new(0);

pub(super) fn starts() -> u64 {
    STARTS.load(Ordering::Relaxed)
}

/// Where this process's own file and its libraries are said to be.
///
/// CPython gets all of it told, so that it does not search the disk.
pub(super) struct Home {
    pub(super) executable: PathBuf,
    #[cfg(feature = "embedded")]
    pub(super) directory: PathBuf,
}

impl Home {
    /// Our own file, or what we were called as where the system does not say (no /proc).
    pub(super) fn of_this_process() -> Self {
        let executable = executable::path()
            .ok()
            .or_else(|| std::env::args_os().next().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("agi-agent"));
        #[cfg(feature = "embedded")]
        let directory = executable
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
            .map_or_else(|| PathBuf::from("."), std::path::Path::to_path_buf);
        Self {
            executable,
            #[cfg(feature = "embedded")]
            directory,
        }
    }
}

/// Why there is no interpreter.
pub(super) enum Stopped {
    /// CPython has done what it was asked for (`--version`) and wants to leave with this status.
    Exit(u8),
    Failed(String),
}

impl From<String> for Stopped {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// A `PyConfig` until the interpreter has taken over what is in it.
pub(super) struct Config(Box<ffi::PyConfig>);

impl Config {
    /// For the bridge: isolated, no signal handlers, told where everything is.
    pub(super) fn isolated(home: &Home) -> Result<Self, Stopped> {
        let mut preparation = prepared(ffi::PyPreConfig_InitIsolatedConfig);
        preparation.utf8_mode = 1;
        // SAFETY: no interpreter exists yet (the callers are the only two places that start one).
        check(unsafe { ffi::Py_PreInitialize(&raw const preparation) })?;
        let mut config = Self::filled(ffi::PyConfig_InitIsolatedConfig);
        config.0.install_signal_handlers = 0;
        config.0._init_main = c_int::from(cfg!(windows));
        config.place(home)?;
        Ok(config)
    }

    /// For `agi-agent python`: an ordinary `python3` that reads its options from `arguments` (the
    /// first is the program's name) and its `PYTHON…` variables, with our places.
    pub(super) fn for_person(home: &Home, arguments: &[CString]) -> Result<Self, Stopped> {
        let mut pointers: Vec<*mut c_char> =
            arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
        let count = ffi::Py_ssize_t::try_from(pointers.len()).map_err(|error| error.to_string())?;
        let mut preparation = prepared(ffi::PyPreConfig_InitPythonConfig);
        preparation.utf8_mode = 1;
        // UTF-8 does not depend on the locale, so that children's environment stays as it is.
        preparation.coerce_c_locale = 0;
        // SAFETY: no interpreter exists yet; CPython reads the arguments and keeps no pointer.
        check(unsafe {
            ffi::Py_PreInitializeFromBytesArgs(&raw const preparation, count, pointers.as_mut_ptr())
        })?;
        let mut config = Self::filled(ffi::PyConfig_InitPythonConfig);
        config.place(home)?;
        // SAFETY: `config` is initialised, and CPython copies the arguments.
        check(unsafe {
            ffi::PyConfig_SetBytesArgv(&raw mut *config.0, count, pointers.as_mut_ptr().cast())
        })?;
        Ok(config)
    }

    /// Modules that are compiled in. Before the interpreter starts.
    fn register_builtin_modules() {
        #[cfg(feature = "local")]
        crate::bridge::llama::register();
    }

    fn filled(fill: unsafe extern "C" fn(*mut ffi::PyConfig)) -> Self {
        let mut config = Box::new(std::mem::MaybeUninit::<ffi::PyConfig>::zeroed());
        // SAFETY: the function fills the whole struct it is given, so that it is initialised.
        let config = unsafe {
            fill(config.as_mut_ptr());
            Box::from_raw(Box::into_raw(config).cast::<ffi::PyConfig>())
        };
        let mut config = Self(config);
        config.0.pathconfig_warnings = 0;
        config
    }

    /// Names every directory that CPython would otherwise look for.
    #[cfg(feature = "embedded")]
    fn place(&mut self, home: &Home) -> Result<(), Stopped> {
        super::frozen::install()?;
        self.0.write_bytecode = 0;
        self.0.use_frozen_modules = 1;
        self.0.site_import = 0;
        self.0.module_search_paths_set = 1;
        let executable = home.executable.as_os_str();
        self.set(|config| &raw mut config.program_name, executable)?;
        self.set(|config| &raw mut config.executable, executable)?;
        self.set(|config| &raw mut config.base_executable, executable)?;
        let directory = home.directory.as_os_str();
        self.set(|config| &raw mut config.home, directory)?;
        self.set(|config| &raw mut config.prefix, directory)?;
        self.set(|config| &raw mut config.base_prefix, directory)?;
        self.set(|config| &raw mut config.exec_prefix, directory)?;
        self.set(|config| &raw mut config.base_exec_prefix, directory)?;
        self.set(|config| &raw mut config.platlibdir, OsStr::new("lib"))?;
        self.set(|config| &raw mut config.stdlib_dir, OsStr::new(super::frozen::NOWHERE))
    }

    /// The installed Python knows its own places; only our name is told.
    #[cfg(not(feature = "embedded"))]
    fn place(&mut self, home: &Home) -> Result<(), Stopped> {
        self.set(|config| &raw mut config.executable, home.executable.as_os_str())
    }

    /// Sets one text field; `field` picks it.
    fn set(
        &mut self,
        field: impl FnOnce(&mut ffi::PyConfig) -> *mut *mut WideChar,
        value: &OsStr,
    ) -> Result<(), Stopped> {
        let text = c_text(value)?;
        let config: *mut ffi::PyConfig = &raw mut *self.0;
        // SAFETY: `config` is valid, initialised and not aliased by a live reference; `field`
        // points into it, and CPython copies the text.
        check(unsafe { ffi::PyConfig_SetBytesString(config, field(&mut *config), text.as_ptr()) })
    }

    /// Starts the interpreter; the calling thread is its main thread from now on, and attached.
    pub(super) fn start(self) -> Result<(), Stopped> {
        Self::register_builtin_modules();
        // `socket` and `pwd` look names up as well.
        crate::system::name_service::pin();
        // SAFETY: the configuration is whole, and no interpreter exists yet.
        check(unsafe { ffi::Py_InitializeFromConfig(&raw const *self.0) })?;
        #[cfg(not(windows))]
        if self.0._init_main == 0 {
            go_on()?;
        }
        STARTS.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: the configuration was initialised; CPython has its own copy by now.
        unsafe { ffi::PyConfig_Clear(&raw mut *self.0) }
    }
}

#[cfg(not(windows))]
unsafe extern "C" {
    /// Since 3.8; `PyO3` does not declare it, and alone knows how to link it on Windows.
    fn _Py_InitializeMain() -> ffi::PyStatus;
}

/// The second half of a start that was told to stop after the first: when the core is there, and
/// nothing was imported yet.
///
/// Left out is what a run has no use for and every start would pay: the importer of zip archives, and
/// the collector, which would look twice through what stays anyway (`_entry.py` turns it on).
#[cfg(not(windows))]
fn go_on() -> Result<(), Stopped> {
    let name = c"zipimport".as_ptr();
    // SAFETY: this thread is attached. The dictionary of modules is borrowed and lives as long as the
    // interpreter. `None` in it stands for a module that cannot be imported, which CPython allows for.
    unsafe {
        ffi::PyGC_Disable();
        let modules = ffi::PyImport_GetModuleDict();
        ffi::PyDict_SetItemString(modules, name, ffi::Py_None());
        let status = _Py_InitializeMain();
        ffi::PyDict_DelItemString(modules, name);
        check(status)
    }
}

/// Text as C wants it. Undecodable bytes survive (CPython decodes with `surrogateescape`).
pub(super) fn c_text(value: &OsStr) -> Result<CString, String> {
    CString::new(value.as_encoded_bytes())
        .map_err(|_| format!("`{}` holds a zero byte", value.display()))
}

fn prepared(fill: unsafe extern "C" fn(*mut ffi::PyPreConfig)) -> ffi::PyPreConfig {
    let mut preparation = std::mem::MaybeUninit::<ffi::PyPreConfig>::zeroed();
    // SAFETY: the function fills the whole struct it is given.
    unsafe {
        fill(preparation.as_mut_ptr());
        preparation.assume_init()
    }
}

/// CPython's status as a result.
fn check(status: ffi::PyStatus) -> Result<(), Stopped> {
    // SAFETY: looks at the value only.
    if unsafe { ffi::PyStatus_Exception(status) } == 0 {
        return Ok(());
    }
    if status.err_msg.is_null() {
        return Err(Stopped::Exit(status.exitcode.to_le_bytes()[0]));
    }
    // SAFETY: a message is a static C string of CPython.
    let message = unsafe { CStr::from_ptr(status.err_msg) };
    Err(Stopped::Failed(message.to_string_lossy().into_owned()))
}

/// Whether this process was linked statically: then there is no loader that could load extension
/// modules. Both flavours share one library, so that the compiler cannot tell.
pub(in crate::bridge) fn is_static() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: looks a number up. It is the loader's address, 0 where the kernel started none.
    return unsafe { libc::getauxval(libc::AT_BASE) } == 0;
    #[cfg(not(target_os = "linux"))]
    false
}

/// Starts the interpreter of the bridge on the calling thread and leaves it detached.
pub(super) fn start_for_bridge() -> Result<(), String> {
    match Config::isolated(&Home::of_this_process()).and_then(Config::start) {
        Ok(()) => {}
        Err(Stopped::Failed(reason)) => return Err(reason),
        Err(Stopped::Exit(status)) => return Err(format!("it left with status {status}")),
    }
    // SAFETY: this thread is attached (it has just started the interpreter); from here on PyO3
    // attaches and detaches it.
    unsafe { ffi::PyEval_SaveThread() };
    Python::attach(find_agi_agent).map_err(|error| error.to_string())
}

/// Makes `agi_agent` importable from the working copy, and the packages of the bundle from where
/// `release/kernel-env` puts them; the release has both frozen.
#[cfg(not(feature = "embedded"))]
pub(super) fn find_agi_agent(py: Python<'_>) -> PyResult<()> {
    let path = py.import("sys")?.getattr("path")?;
    path.call_method1("insert", (0, concat!(env!("CARGO_MANIFEST_DIR"), "/python")))?;
    path.call_method1("append", (concat!(env!("CARGO_MANIFEST_DIR"), "/target/bundle"),))?;
    Ok(())
}

/// The modules are in the table of frozen ones; what that lacks is added.
#[cfg(feature = "embedded")]
pub(super) fn find_agi_agent(py: Python<'_>) -> PyResult<()> {
    super::frozen::complete(py)
}

/// Notes which job runs (0: none), so that an interrupt hits no other.
pub(super) fn set_running(job: u64) {
    RUNNING.store(job, Ordering::SeqCst);
}

pub(super) fn running() -> u64 {
    RUNNING.load(Ordering::SeqCst)
}

/// Asks Python to raise `KeyboardInterrupt` in `job` at its next bytecode. Needs no attachment,
/// returns at once, and does nothing to any other job.
pub(super) fn interrupt(job: u64) {
    INTERRUPT.store(job, Ordering::SeqCst);
    // SAFETY: `Py_AddPendingCall` may be called from any thread in any state once the interpreter
    // runs, and a job that runs proves that it does. A full queue is reported and needs no
    // handling: a job that cannot be interrupted is given up after a while.
    unsafe { ffi::Py_AddPendingCall(Some(raise_interrupt), std::ptr::null_mut()) };
    nudge();
}

/// Before 3.13 a pending call that another thread adds is noticed only when something else stops
/// the evaluation loop. A thread of ours that asks for the interpreter lock does.
#[cfg(not(feature = "embedded"))]
fn nudge() {
    // SAFETY: a constant that CPython exports.
    if unsafe { ffi::Py_Version } < 0x030D_0000 {
        let spawned = std::thread::Builder::new()
            .name("python nudge".to_owned())
            .spawn(|| Python::attach(|_| ()));
        if let Err(error) = spawned {
            tracing::debug!(%error, "the running job cannot be interrupted");
        }
    }
}

/// The release has 3.13.
#[cfg(feature = "embedded")]
fn nudge() {}

/// Runs on the worker, between two bytecodes, attached.
extern "C" fn raise_interrupt(_: *mut c_void) -> c_int {
    let wanted = INTERRUPT.swap(0, Ordering::SeqCst);
    if wanted == 0 || wanted != RUNNING.load(Ordering::SeqCst) {
        return 0;
    }
    // SAFETY: CPython calls pending calls attached, without an exception set.
    unsafe { ffi::PyErr_SetNone(ffi::PyExc_KeyboardInterrupt) };
    -1
}
