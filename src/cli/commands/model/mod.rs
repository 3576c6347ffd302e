//! `agi-agent model list|test|bench|embed|append`: which models there are, whether the configured one
//! answers, and how fast; vectors; a file that carries a model.

mod append;
mod bench;
mod list;
mod test;

use clap::Args;
use clap::Subcommand;

use super::embed;
use super::embed::EmbedArgs;
use super::run::ModelArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::layer::Assignments;
use crate::config::settings::Settings;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct ModelCommandArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// List the models that the configured provider offers, and those on this machine
    List(ModelArgs),
    /// Make one real round trip of each kind and say what works
    Test(ModelArgs),
    /// Measure how fast the model reads and writes
    Bench(bench::BenchArgs),
    /// Turn each line of standard input into a vector
    Embed(EmbedArgs),
    /// Write a copy of this program that carries a model
    Append(append::AppendArgs),
}

pub async fn run(
    args: ModelCommandArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::List(model) => list::run(&model, context).await,
        Action::Test(model) => test::run(&model, context).await,
        Action::Bench(bench) => bench::run(&bench, context).await,
        Action::Embed(args) => embed::run(args, context).await,
        Action::Append(args) => append::run(args, context).await,
    }
}

fn settings(args: &ModelArgs, context: &mut CommandContext) -> Result<Settings, CommandError> {
    let mut assignments = Assignments::new();
    args.assignments(&mut assignments)?;
    let mut settings = context.settings_with(assignments)?;
    args.apply(&mut settings, context);
    Ok(settings)
}
