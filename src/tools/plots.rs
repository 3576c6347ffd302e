//! What code of `python_exec` has drawn: `agi_agent.plot` leaves it in a directory of the call, and the
//! result carries it.
//!
//! The directory was the child's: names are ours, links and special files are refused by the opener.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;

use serde_json::json;

use super::ToolContext;
use super::ToolOutput;
use crate::protocol::Artefact;
use crate::protocol::ItemBody;

/// The same name stands in `python/agi_agent/plot.py`.
const VARIABLE: &str = "AGI_AGENT_PLOTS";
/// Drawings of one call that are taken.
const MOST: usize = 16;
/// Bytes of all drawings of one call.
const LARGEST: u64 = 1 << 20;

/// The place for the drawings of one call.
pub(super) struct Plots {
    directory: PathBuf,
}

impl Plots {
    /// `None` where there is no temporary directory: drawings are files in the working directory then.
    pub(super) fn new(context: &ToolContext) -> Option<Self> {
        context.sandbox.fresh_directory("plots").map(|directory| Self { directory })
    }

    /// What the child must know.
    pub(super) fn variable(&self) -> (OsString, OsString) {
        (VARIABLE.into(), self.directory.clone().into_os_string())
    }

    /// Adds the drawings to the result: as data in full, in the text by name.
    pub(super) fn collect(&self, mut output: ToolOutput, context: &ToolContext) -> ToolOutput {
        let (mut found, mut left) = (Vec::new(), LARGEST);
        for number in 1..=MOST {
            let name = format!("plot-{number}.svg");
            let path = self.directory.join(&name);
            context.opener.reveal(&path);
            let Ok(file) = context.opener.open_read(&path) else { break };
            let mut text = String::new();
            let read = file.take(left + 1).read_to_string(&mut text);
            if read.is_err() || text.len() as u64 > left {
                let note = ["\n[`", &name, "` is too large or no text: left out]"];
                output.text.extend(note);
                continue;
            }
            left -= text.len() as u64;
            output.text.extend(["\n[drawn: `", &name, "`]"]);
            let media_type = "image/svg+xml".to_owned();
            found.push(Artefact { name, media_type, content: text });
        }
        if let Some(data) = output.data.as_mut().filter(|_| !found.is_empty()) {
            data["artefacts"] = json!(found);
        }
        if let Some(ItemBody::CommandExecution { output: shown, artefacts, .. }) = &mut output.item
        {
            shown.clone_from(&output.text);
            *artefacts = found;
        }
        output
    }
}
