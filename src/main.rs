//! The program: argv to [`agi_agent::cli::run`], exit code out.

fn main() -> std::process::ExitCode {
    // Before anything else: the launcher of commands has to start within a millisecond.
    if std::env::args_os().nth(1).is_some_and(|word| word == agi_agent::sandbox::HELPER_ARGUMENT) {
        agi_agent::sandbox::helper_main();
    }
    agi_agent::cli::run(std::env::args_os().collect())
}
