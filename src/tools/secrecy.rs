//! Keeps secrets in the vault while calls run: placeholders become values only in what is written to
//! files, and whatever comes back has placeholders again.
//!
//! Without a vault (a tool that a person runs by hand) everything passes as it is.

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::Path;

use serde_json::Value;

use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use crate::protocol::Effect;
use crate::protocol::ItemBody;
use crate::protocol::secrets::Vault;
use crate::protocol::secrets::each_text;

/// The arguments as the tool gets them. What is written gets its values back, and what is looked for in
/// files: it would not be found. What runs, connects or remembers must have no placeholder, since it would
/// keep or send the placeholder.
pub(super) fn admit(
    context: &ToolContext,
    tool: &str,
    effect: Effect,
    target: &str,
    mut arguments: Value,
) -> Result<Value, ToolError> {
    let Some(vault) = &context.vault else { return Ok(arguments) };
    match effect {
        // A query of the memory may go to a server of embeddings, a sum would tell of its parts.
        Effect::Pure | Effect::Read if !tool.starts_with("file_") => {}
        Effect::Pure | Effect::Read | Effect::Write => {
            let file = source(context, target);
            let only = context.origin.as_ref().map(|_| file.as_str());
            each_text(&mut arguments, &mut |text| {
                *text = vault.restore(text, only)?;
                Ok(())
            })
            .map_err(|misplaced: crate::protocol::secrets::Misplaced| {
                ToolError::ForModel(format!("{misplaced}; nothing was done"))
            })?;
        }
        Effect::Remember | Effect::Process | Effect::Network => {
            if effect == Effect::Remember && vault.conceal_data(&mut arguments) {
                let reason = "it holds the value of a secret, which is not remembered";
                return Err(ToolError::ForModel(format!("{reason}; say where it is kept instead")));
            }
            each_text(&mut arguments, &mut |text| match Vault::placeholder_in(text) {
                None => Ok(()),
                Some(placeholder) => Err(ToolError::ForModel(format!(
                    "`{placeholder}` stands for a secret, and only the tools that write files put \
                     it back; commands get variables by `--env NAME`"
                ))),
            })?;
        }
    }
    Ok(arguments)
}

/// What a call gave back, without secrets.
pub(super) fn conceal(
    context: &ToolContext,
    tool: &str,
    target: &str,
    result: Result<ToolOutput, ToolError>,
) -> Result<ToolOutput, ToolError> {
    let Some(vault) = &context.vault else { return result };
    let file = tool.starts_with("file_").then(|| source(context, target));
    let change = |text: &mut String| {
        if let Cow::Owned(concealed) = vault.conceal(text, file.as_deref()) {
            *text = concealed;
        }
    };
    match result {
        Ok(mut output) => {
            change(&mut output.text);
            if let Some(data) = &mut output.data {
                let done: Result<(), Infallible> = each_text(data, &mut |text| {
                    change(text);
                    Ok(())
                });
                // It cannot fail.
                done.ok();
            }
            if let Some(item) = &mut output.item {
                texts_of(item).into_iter().for_each(change);
            }
            Ok(output)
        }
        Err(mut error) => {
            match &mut error {
                ToolError::ForModel(text)
                | ToolError::SandboxUnavailable(text)
                | ToolError::Network(text)
                | ToolError::Fatal(text)
                | ToolError::Denied { reason: text, .. } => change(text),
                ToolError::Timeout | ToolError::Cancelled => {}
            }
            Err(error)
        }
    }
}

/// Live output without secrets: pieces end anywhere, so what could be the beginning of a secret waits for
/// what follows it.
#[derive(Default)]
pub(super) struct Live {
    waiting: String,
}

/// Longer lines, and longer keys of several lines, are shown before they are complete.
const PATIENCE: usize = 16 * 1024;

impl Live {
    /// Adds a piece; what can be shown by now.
    pub(super) fn push(&mut self, context: &ToolContext, piece: &str) -> Option<String> {
        let Some(vault) = &context.vault else { return Some(piece.to_owned()) };
        self.waiting.push_str(piece);
        let mut end = self.waiting.rfind('\n').map_or(0, |newline| newline + 1);
        // A key in a frame of two lines, or one wrapped into lines, begins before the last line.
        if let Some(frame) = self.waiting.rfind("-----BEGIN") {
            let is_open = !self.waiting[frame..].contains("-----END");
            end = if is_open { end.min(frame) } else { end };
        }
        if self.waiting.len() - end > PATIENCE {
            end = self.waiting.len() - vault.longest_form().min(PATIENCE);
        }
        while !self.waiting.is_char_boundary(end) {
            end -= 1;
        }
        if end == 0 {
            return None;
        }
        // What crosses the border is judged whole, and stays.
        let Cow::Owned(all) = vault.conceal(&self.waiting, None) else {
            return Some(self.waiting.drain(..end).collect());
        };
        let (first, rest) = self.waiting.split_at(end);
        let (first, rest) = (vault.conceal(first, None), vault.conceal(rest, None));
        if all == format!("{first}{rest}") {
            let first = first.into_owned();
            self.waiting.drain(..end);
            return Some(first);
        }
        if self.waiting.len() < 4 * PATIENCE {
            return None;
        }
        self.waiting.clear();
        Some(all)
    }

    /// The rest.
    pub(super) fn finish(&mut self, context: &ToolContext) -> Option<String> {
        let rest = std::mem::take(&mut self.waiting);
        let vault = context.vault.as_ref().filter(|_| !rest.is_empty())?;
        Some(vault.conceal(&rest, None).into_owned())
    }
}

/// One name for one file, however it is spelled.
fn source(context: &ToolContext, target: &str) -> String {
    let path: std::path::PathBuf = context.cwd.join(target).components().collect();
    let real = path.canonicalize();
    real.as_deref().unwrap_or(Path::new(&path)).to_string_lossy().into_owned()
}

/// The texts of an item that come from the world.
fn texts_of(item: &mut ItemBody) -> Vec<&mut String> {
    match item {
        ItemBody::CommandExecution { output, artefacts, .. } => {
            let drawn = artefacts.iter_mut().map(|artefact| &mut artefact.content);
            std::iter::once(output).chain(drawn).collect()
        }
        ItemBody::ToolCall { output, .. } => vec![output],
        ItemBody::FileChange { diff, .. } => vec![diff],
        ItemBody::AgentMessage { text }
        | ItemBody::Reasoning { text }
        | ItemBody::Plan { text }
        | ItemBody::Memory { text, .. }
        | ItemBody::Error { message: text } => vec![text],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn context(directory: &Path) -> ToolContext {
        let known = [("DEPLOY_TOKEN".to_owned(), "canary-1234".to_owned())];
        ToolContext {
            vault: Some(Arc::new(Vault::new(known))),
            ..ToolContext::for_tests(directory)
        }
    }

    #[test]
    fn case_31_live_output_is_concealed_wherever_a_piece_ends() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path());
        let long = "x".repeat(100_000);
        let text =
            format!("a canary-1234 b\nY2FuYXJ5LTEyMzQ= {long}canary-1234{long}\nend canary-1234");
        for size in [1, 3, 7, 64, 5000, 300_000] {
            let pieces = text.as_bytes().chunks(size);
            let mut live = super::Live::default();
            // One byte at a time for all of it would only take long.
            let pieces: Vec<&[u8]> =
                if size < 64 { pieces.take(60).collect() } else { pieces.collect() };
            let mut shown = String::new();
            for piece in &pieces {
                shown.extend(live.push(&context, std::str::from_utf8(piece).unwrap()));
                assert!(live.waiting.len() <= 4 * super::PATIENCE + size);
            }
            shown.extend(live.finish(&context));
            let given = String::from_utf8(pieces.concat()).unwrap();
            let expected = context.vault.as_ref().unwrap().conceal(&given, None).into_owned();
            assert_eq!(shown.len(), expected.len(), "{size}");
            assert!(!shown.contains("canary-") && !shown.contains("Y2FuYXJ5"), "{size}");
        }
    }

    #[test]
    fn case_31_only_what_is_written_gets_its_values_back() {
        let directory = tempfile::tempdir().unwrap();
        let context = context(directory.path());
        let read = ToolOutput::text("T=canary-1234").with_data(json!({"lines": ["canary-1234"]}));
        let read = conceal(&context, "file_read", ".env", Ok(read)).unwrap();
        assert_eq!(read.text, "T=[secret:DEPLOY_TOKEN]");
        assert_eq!(read.data, Some(json!({"lines": ["[secret:DEPLOY_TOKEN]"]})));
        let arguments = || json!({"path": "x", "content": "U=[secret:DEPLOY_TOKEN]"});
        let written = admit(&context, "file_write", Effect::Write, "x", arguments()).unwrap();
        assert_eq!(written["content"], "U=canary-1234");
        for effect in [Effect::Remember, Effect::Process, Effect::Network] {
            let error = admit(&context, "shell", effect, "x", arguments()).unwrap_err();
            assert!(error.to_string().contains("stands for a secret"), "{error}");
        }
        let unknown = json!({"path": "x", "content": "U=[secret:jwt-5]"});
        let error = admit(&context, "file_write", Effect::Write, "x", unknown).unwrap_err();
        assert!(error.to_string().contains("nothing was done"), "{error}");
    }

    #[test]
    fn with_strangers_text_about_a_secret_stays_in_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut context = context(directory.path());
        let read = ToolOutput::text("T=canary-1234");
        conceal(&context, "file_read", ".env", Ok(read)).unwrap();
        context.origin = Some("https://a.example/".to_owned());
        let arguments = || json!({"content": "[secret:DEPLOY_TOKEN]"});
        assert!(admit(&context, "file_write", Effect::Write, "./.env", arguments()).is_ok());
        assert!(admit(&context, "file_write", Effect::Write, "public.js", arguments()).is_err());
    }

    #[test]
    fn errors_are_concealed_too() {
        let directory = tempfile::tempdir().unwrap();
        let error = ToolError::Network("https://u:hunter22@h/ failed".to_owned());
        let error = conceal(&context(directory.path()), "web_fetch", "x", Err(error)).unwrap_err();
        assert_eq!(error.to_string(), "https://u:[secret:password-1]@h/ failed");
    }
}
