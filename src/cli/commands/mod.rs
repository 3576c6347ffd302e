//! One file per subcommand: `XArgs` (clap) and `run`. Nothing here is worth a unit test of its own;
//! tests/cli runs the real binary.

pub mod chat;

pub mod completions;

pub mod config;

pub mod doctor;

pub mod embed;

pub mod exit_codes;

pub mod file;

pub mod help;

pub mod man;

pub mod memory;

pub mod model;

pub mod python;

pub mod run;

pub mod sandbox;

pub mod serve;

pub mod session;

pub mod status;

pub mod tool;

pub mod trust;

use clap::Subcommand;

use crate::protocol::ExitCode;

use super::context::CommandContext;
use super::error::CommandError;

/// Every subcommand. The first line of each is its help. Flags are put together for the one that is
/// invoked only; a doc comment on its `XArgs` would take the place of the line here.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Carry out a task
    Run(Box<run::RunArgs>),

    /// Have a conversation
    Chat(Box<chat::ChatArgs>),

    /// List models, or test the configured one
    Model(model::ModelCommandArgs),

    /// Show the configuration and where it comes from
    Config(config::ConfigArgs),

    /// Trust the files of a project, or trust them no more
    Trust(trust::TrustArgs),

    /// Show which model, limits and files are in force
    Status,

    /// Check this machine and the configuration for what commonly goes wrong
    Doctor,

    /// Read, write, edit, search and count files
    File(file::FileArgs),

    /// Use the agent's tools without a model
    Tool(tool::ToolArgs),

    /// Remember, find and look after facts
    Memory(memory::MemoryArgs),

    /// Look at past conversations
    Session(session::SessionArgs),

    /// Run the bundled Python interpreter
    Python(python::PythonArgs),

    /// Run a command inside the sandbox that tools get
    Sandbox(sandbox::SandboxArgs),

    /// Speak to another program over standard input and output
    Serve(serve::ServeArgs),

    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),

    /// Print the manual page of the program or of a command
    Man(help::HelpArgs),

    /// Print the help of the program or of a command
    Help(help::HelpArgs),

    /// List the exit codes
    #[command(name = "help-exit-codes")]
    ExitCodes,
}

impl Command {
    /// The format in which this command's result is to come in any case; none where that is text.
    pub fn result_format(&self, json: bool) -> Option<run::OutputFormat> {
        match self {
            Self::Run(args) => {
                Some(args.format(json)).filter(|format| *format != run::OutputFormat::Text)
            }
            _ => None,
        }
    }

    /// Carries the command out; gives the status of the process.
    pub async fn run(self, context: &mut CommandContext) -> Result<u8, CommandError> {
        let code: Result<ExitCode, CommandError> = match self {
            // The status of somebody else's program is anything from 0 to 255.
            Self::Python(args) => return python::run(args, context),

            Self::Sandbox(args) => return sandbox::run(args, context).await,

            Self::Run(args) => run::run(*args, context).await,

            Self::Chat(args) => chat::run(*args, context).await,

            Self::Model(args) => model::run(args, context).await,

            Self::Config(args) => config::run(args, context),

            Self::Trust(args) => trust::run(args, context),

            Self::Status => status::run(context),

            Self::Doctor => doctor::run(context).await,

            Self::File(args) => file::run(args, context),

            Self::Tool(args) => tool::run(args, context).await,

            Self::Memory(args) => memory::run(args, context).await,

            Self::Session(args) => session::run(args, context).await,

            Self::Serve(args) => serve::run(args, context).await,

            Self::Completions(args) => completions::run(args, context),

            Self::Man(args) => man::run(&args, context),

            Self::Help(args) => help::run(&args, context),

            Self::ExitCodes => exit_codes::run(context),
        };
        code.map(u8::from)
    }
}
