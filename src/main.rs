//! The program: argv to [`agi_agent::cli::run`], exit code out.

fn main() -> std::process::ExitCode {
    agi_agent::cli::run(std::env::args_os().collect())
}
