//! The command line: parse, resolve, dispatch, render. The only module that knows clap.
//!
//! Commands are thin: what is worth a unit test lives below. Only `output` writes to the standard
//! streams, only `error` decides what a failure looks like.

pub mod args;

pub mod commands;

pub mod context;

pub mod contract;

pub mod error;

pub mod foreign;

pub mod output;

pub mod prompt;

pub mod task;

pub mod service_host;

pub mod version;

pub mod wiring;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::Path;

use clap::CommandFactory;
use clap::FromArgMatches;

use tracing::level_filters::LevelFilter;

use crate::config::env::Environment;
use crate::metrics::trace;
use crate::metrics::trace::TraceOptions;
use crate::protocol::ExitCode;
use crate::system::memory::allocator;
use crate::system::process;
use crate::system::signal;

use args::Cli;
use context::CommandContext;
use error::CommandError;
use output::Output;

/// Files that have to be open at a time: standard streams, the event loop's own, and one to work on.
const DESCRIPTORS: u64 = 12;

/// Bytes of stack that the deepest command needs, and some more.
const STACK: usize = 1 << 20;

/// Runs the program and returns what the process ends with.
pub fn run(argv: Vec<OsString>) -> std::process::ExitCode {
    std::panic::set_hook(Box::new(output::defect));
    // Ours are not told from others' here: whatever is found wrong in mid-work ends this way.
    let fatal = || std::process::ExitCode::from(u8::from(ExitCode::FatalTool));
    if process::stack_allowed().is_none_or(|allowed| allowed >= STACK) {
        return std::panic::catch_unwind(|| run_here(argv)).unwrap_or_else(|_| fatal());
    }
    // `ulimit -s` is of this thread; one of our own has what it needs.
    let thread = std::thread::Builder::new().name("main".to_owned()).stack_size(8 * STACK);
    match thread.spawn(|| run_here(argv)) {
        Ok(thread) => thread.join().unwrap_or_else(|_| fatal()),
        Err(_) => fatal(),
    }
}

fn run_here(argv: Vec<OsString>) -> std::process::ExitCode {
    signal::outlive_file_size_limit();
    let environment = Environment::of_process();
    let argv = commands::python::completed(argv, &environment);
    let argv = commands::python::separated(argv);
    let color = args::Color::of_words(&argv);
    let code = match parse(argv) {
        Ok(cli) => start(cli, environment),
        Err(error) => usage(&error, &environment, color).into(),
    };
    match code {
        // A loop in a shell stops only if it sees the signal itself.
        130 => signal::raise_default(2),
        143 => signal::raise_default(15),
        code => std::process::ExitCode::from(code),
    }
}

fn parse(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    // Parsed once per process; taking the description apart again costs as much as reading it.
    let mut command = ManuallyDrop::new(Cli::command());
    let matches = command.try_get_matches_from_mut(argv)?;
    Cli::from_arg_matches(&matches)
}

/// Help goes to stdout and is a success; a wrong command line goes to stderr and is not.
fn usage(error: &clap::Error, environment: &Environment, color: args::Color) -> ExitCode {
    let mut output = Output::new(environment, color, 0, false);
    if error.use_stderr() {
        output.styled_error(&error.render().ansi().to_string());
        return ExitCode::Usage;
    }
    match output.styled(&error.render().ansi().to_string()).and_then(|()| output.finish()) {
        Ok(()) => ExitCode::Done,
        Err(error) => output.failure(&CommandError::from(error)),
    }
}

/// The status is one of ours but for commands that hand on another program's.
fn start(cli: Cli, environment: Environment) -> u8 {
    let Cli { global, command } = cli;
    let quiet = global.quiet;
    let mut output = Output::new(&environment, global.color, global.verbose, quiet);
    // Whoever asked for JSON gets a result from every failure from here on.
    let format = command.as_ref().and_then(|command| command.result_format(global.json));
    let failed = |error: &CommandError, output: &mut Output| {
        if let Some(format) = format {
            task::refused::tell(error, format, output);
        }
        output.failure(error).into()
    };
    let is_traced = output.trace_level() != LevelFilter::OFF || global.trace.is_some();
    let secrets = if is_traced { environment.secrets() } else { Vec::new() };
    let options = TraceOptions {
        stderr: output.trace_level(),
        color: output.colors_stderr(),
        log: None,
        file: global.trace.as_deref(),
        secrets: &secrets,
    };
    let unwritten = |path: Option<&Path>, error: std::io::Error| {
        let path = path.unwrap_or(Path::new("")).display();
        CommandError::input(format!("cannot write the trace `{path}`: {error}"))
    };
    let file = global.trace.clone();
    let trace = match trace::start(options) {
        Ok(guard) => guard,
        Err(error) => return failed(&unwritten(file.as_deref(), error), &mut output),
    };
    let (code, mut output) = carry_out(global, command, environment, output, &failed);
    match trace.finish() {
        Ok(()) => code,
        Err(error) => {
            let code_of_trace = output.failure(&unwritten(file.as_deref(), error)).into();
            // What the command itself ended with says more.
            if code == u8::from(ExitCode::Done) { code_of_trace } else { code }
        }
    }
}

/// Gives the output back, since there may be more to say.
fn carry_out(
    global: args::GlobalArgs,
    command: Option<commands::Command>,
    environment: Environment,
    output: Output,
    failed: &dyn Fn(&CommandError, &mut Output) -> u8,
) -> (u8, Output) {
    let mut context = match CommandContext::new(global, environment, output) {
        Ok(context) => context,
        Err((error, mut output)) => return (failed(&error, &mut output), output),
    };
    let result = match command {
        _ if context.global.version => version::print(&mut context).map(u8::from),
        Some(command) => runtime().and_then(|runtime| {
            // A person's own program may have any number of threads at work.
            if !matches!(command, commands::Command::Python(_)) {
                allocator::share_arenas();
            }
            let code = runtime.block_on(command.run(&mut context));
            // A thread that waits for a terminal or a dead server must not keep us here.
            runtime.shutdown_background();
            code
        }),
        None => Ok(no_command(&mut context).into()),
    };
    let result = result.and_then(|code| context.output.finish().map(|()| code).map_err(Into::into));
    let code = match result {
        Ok(code) => code,
        Err(error) => failed(&error, &mut context.output),
    };
    (code, context.output)
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    if let Some(allowed) = process::descriptors_allowed().filter(|allowed| *allowed < DESCRIPTORS) {
        let message = format!("{allowed} open files are allowed, and {DESCRIPTORS} are needed");
        return Err(CommandError::new(ExitCode::FatalTool, message)
            .with_hint("`ulimit -n` raises the limit"));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CommandError::new(ExitCode::FatalTool, format!("cannot start the event loop: {error}"))
    })
}

/// Without a command there is nothing to do: the help, on stderr, and 2.
fn no_command(context: &mut CommandContext) -> ExitCode {
    let help = Cli::command().render_help().ansi().to_string();
    context.output.styled_error(&help);
    ExitCode::Usage
}
