//! `agi-agent man [COMMAND]…`: a manual page in roff, for `man -l -`.

use clap_mangen::Man;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::error::WriteError;
use crate::protocol::ExitCode;

use super::help;
use super::help::HelpArgs;

pub fn run(args: &HelpArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut page = Vec::new();
    let source = concat!("agi-agent ", env!("CARGO_PKG_VERSION"));
    let command = help::described(&args.command)?;
    Man::new(command).source(source).render(&mut page).map_err(WriteError)?;
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n");
    for (code, meaning) in ExitCode::ALL {
        page.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{meaning}\n", u8::from(code)).as_bytes());
    }
    if args.command.is_empty() {
        page.extend_from_slice(
            b".SH \"SEE ALSO\"\nagi\\-agent man COMMAND, for each of the commands above and for \
              theirs (agi\\-agent man config set)\n",
        );
    }
    context.output.raw(&page)?;
    Ok(ExitCode::Done)
}
