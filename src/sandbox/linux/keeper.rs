//! The keeper of one command, forked by the launcher: starts it, bounds it, watches it.
//!
//! In namespaces the keeper is the first process of its own process namespace: when it ends, the kernel
//! ends everything in it. It stays outside of the other bounds and reads nothing that the command can
//! write.
#![expect(unsafe_code, reason = "clone, exec and the action of a signal")]

mod members;
pub(super) mod supervise;

use std::ffi::CString;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use rustix::process::Signal;

use super::bounds::Ready;
use super::helper;
use super::helper::Failure;
use super::helper::Request;
use super::helper::end;
use super::limits;
use super::namespaces;
use super::spec::PROBE;
use super::spec::Report;
use super::spec::Spec;
use super::spec::Step;
use super::spec::TERMINAL;

use members::Binding;

/// Keeps one command to its end. `launcher`: the parent of this process, as the launcher knows itself.
pub(super) fn keep(ready: &Ready, request: Request, launcher: Pid) -> io::Result<()> {
    let binding = if ready.namespaces {
        Binding::by_namespace()?
    } else {
        Binding::by_descent(launcher, ready.is_enforced())?
    };
    supervise::announce(&request.control)?;
    let spec = Spec::decode(&helper::receive(&request.control)?).ok_or(Errno::PROTO)?;
    if ready.namespaces
        && let Err(failure) = namespaces::furnish(&spec).and_then(|()| ready.grant_own_procfs())
    {
        return supervise::send(&request.control, Report::from(failure));
    }
    let keeper = rustix::process::getpid();
    let (errors, write_errors) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let newborn = Newborn { ready, spec: &spec, request: &request, keeper, errors: &write_errors };
    match newborn.start() {
        Ok(command) => {
            // The keeper holds no end of the command's streams, so that they end with the command.
            let Request { control, stdout, stderr, stdin } = request;
            drop((write_errors, stdout, stderr, stdin, spec));
            supervise::supervise(&control, &errors, binding.of(command), ready)
        }
        Err(error) => {
            supervise::send(&request.control, Report::from(Failure::io(Step::Fork, &error)))
        }
    }
}

/// A command before it is one: a process that shares the keeper's memory, as `posix_spawn` makes them. Its
/// page tables need not be copied for the moment until it executes something else, and the keeper stands
/// still for that long.
struct Newborn<'a> {
    ready: &'a Ready,
    spec: &'a Spec,
    request: &'a Request,
    keeper: Pid,
    /// Where a failure is told.
    errors: &'a OwnedFd,
}

impl Newborn<'_> {
    /// The stack on which it prepares itself, in units of the alignment that the ABIs want.
    const STACK: usize = (256 << 10) / size_of::<u128>();

    fn start(&self) -> io::Result<Pid> {
        let mut stack: Vec<u128> = Vec::with_capacity(Self::STACK);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let argument = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the stack grows down from the end of the vector's memory, which is used for nothing else
        // and longer than the new process needs it: `clone` returns once that executed or ended. So long
        // lives `self`, which nobody changes. This process has one thread, so no lock can be held by another.
        let pid = unsafe {
            let top = stack.as_mut_ptr().add(Self::STACK);
            libc::clone(Self::prepare, top.cast(), flags, argument)
        };
        Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)
    }

    /// In the new process.
    extern "C" fn prepare(newborn: *mut libc::c_void) -> libc::c_int {
        // SAFETY: what `start` passed.
        let newborn = unsafe { &*newborn.cast::<Self>() };
        let Self { ready, spec, request, keeper, errors } = newborn;
        let failure = become_command(ready, spec, request, *keeper);
        let mut bytes = [0; 5];
        bytes[0] = failure.step as u8;
        bytes[1..].copy_from_slice(&failure.errno.to_ne_bytes());
        // Five bytes into an empty pipe; if even that fails, the status still says failure.
        let _ = rustix::io::write(errors, &bytes);
        end(127)
    }
}

/// Bounds this process and becomes the command. Returns only if that failed.
fn become_command(ready: &Ready, spec: &Spec, request: &Request, keeper: Pid) -> Failure {
    match prepare(ready, spec, request, keeper) {
        Ok(()) if spec.has(PROBE) => end(0),
        Ok(()) => Failure::io(Step::Execute, &execute(spec)),
        Err(failure) => failure,
    }
}

fn prepare(ready: &Ready, spec: &Spec, request: &Request, keeper: Pid) -> Result<(), Failure> {
    let failed = |step| move |error: Errno| Failure::new(step, error);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed(Step::Fork))?;
    if rustix::process::getppid() != Some(keeper) {
        end(127);
    }
    rustix::process::setsid().map_err(failed(Step::Fork))?;
    if spec.has(TERMINAL) {
        rustix::process::ioctl_tiocsctty(&request.stdout).map_err(failed(Step::Input))?;
    }
    if let Some(stdin) = &request.stdin {
        rustix::stdio::dup2_stdin(stdin).map_err(failed(Step::Input))?;
    }
    rustix::stdio::dup2_stdout(&request.stdout).map_err(failed(Step::Fork))?;
    rustix::stdio::dup2_stderr(&request.stderr).map_err(failed(Step::Fork))?;
    rustix::process::chdir(OsStr::from_bytes(&spec.cwd)).map_err(failed(Step::Directory))?;
    // SAFETY: sets the default action, the last that the launcher left ignored.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    limits::apply(&ready.limits, spec.cpu_seconds)?;
    ready.enforce()
}

/// Executes the command: without its shell where that can be.
fn execute(spec: &Spec) -> io::Error {
    let path = spec.env.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    if let (Some(name), Some(path)) = (spec.without_shell.first(), path)
        && let Some(program) = found(name, path)
    {
        // What the program would see of the shell that became it.
        let of_shell = [[b"PWD=", spec.cwd.as_slice()].concat(), b"SHLVL=0".to_vec()];
        let env: Vec<Vec<u8>> = spec.env.iter().cloned().chain(of_shell).collect();
        // A text without an interpreter, one whose interpreter is gone, forbidden: the shell runs it, or
        // says what is wrong.
        drop(execute_program(&program, &spec.without_shell, &env));
    }
    execute_words(&spec.argv, &spec.env, path)
}

/// What a shell would run for a name: the first file in `path` that may be executed, whether it can or not.
fn found(name: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    if name.contains(&b'/') {
        return Some(name.to_vec());
    }
    path.split(|byte| *byte == b':').map(|directory| [directory, b"/", name].concat()).find(
        |path| {
            rustix::fs::stat(path.as_slice())
                .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file())
                && rustix::fs::accessat(CWD, path.as_slice(), Access::EXEC_OK, AtFlags::EACCESS)
                    .is_ok()
        },
    )
}

/// Executes a program; a bare name is looked for in `path`.
fn execute_words(argv: &[Vec<u8>], env: &[Vec<u8>], path: Option<&[u8]>) -> io::Error {
    let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
        return io::Error::from(Errno::NOENT);
    };
    if name.contains(&b'/') {
        return execute_program(name, argv, env);
    }
    let mut last = io::Error::from(Errno::NOENT);
    for directory in path.unwrap_or(b"/usr/local/bin:/usr/bin:/bin").split(|byte| *byte == b':') {
        // An empty entry means the working directory, which is never searched: it is the workspace.
        if directory.is_empty() {
            continue;
        }
        let error = execute_program(&[directory, b"/", name.as_slice()].concat(), argv, env);
        if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
            last = error;
        }
    }
    last
}

fn execute_program(program: &[u8], argv: &[Vec<u8>], env: &[Vec<u8>]) -> io::Error {
    let strings = |list: &[Vec<u8>]| -> Result<Vec<CString>, io::Error> {
        list.iter().map(|bytes| CString::new(bytes.as_slice()).map_err(io::Error::from)).collect()
    };
    match (strings(argv), strings(env)) {
        (Ok(arguments), Ok(environment)) => execute_path(program, &arguments, &environment),
        (Err(error), _) | (_, Err(error)) => error,
    }
}

fn execute_path(path: &[u8], arguments: &[CString], environment: &[CString]) -> io::Error {
    let path = match CString::new(path) {
        Ok(path) => path,
        Err(error) => return error.into(),
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with null and their strings live until the call returns.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}
