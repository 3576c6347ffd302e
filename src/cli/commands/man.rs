//! `agi-agent man`: the manual page in roff, for `man -l -`.

use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::error::WriteError;
use crate::protocol::ExitCode;

pub fn run(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(WriteError)?;
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n");
    for (code, meaning) in ExitCode::ALL {
        page.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{meaning}\n", u8::from(code)).as_bytes());
    }
    context.output.raw(&page)?;
    Ok(ExitCode::Done)
}
