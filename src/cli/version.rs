//! `--version`, and `--version --verbose`: everything that is inside the file.

use crate::protocol::ExitCode;

use super::context::CommandContext;
use super::error::CommandError;

/// One line; with `--verbose` the parts and their versions.
pub fn print(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let name = concat!("agi-agent ", env!("CARGO_PKG_VERSION"));
    context.output.line(name)?;
    Ok(ExitCode::Done)
}
