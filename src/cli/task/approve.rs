//! Asks the person at the terminal whether a call may run.
//!
//! Exists only where standard input and standard error are terminals; elsewhere there is no
//! approver, and ask means deny.

use std::io::Write;

use async_trait::async_trait;

use crate::cli::output::printable;
use crate::protocol::Approver;
use crate::protocol::port::Question;
use crate::protocol::port::Verdict;
use crate::system::terminal;
use crate::system::terminal::Stream;

/// The person at the terminal.
pub struct TerminalApprover;

impl TerminalApprover {
    /// `None` where nobody can be asked.
    pub fn if_possible() -> Option<Self> {
        let possible = terminal::is_terminal(Stream::Input) && terminal::is_terminal(Stream::Error);
        possible.then_some(Self)
    }
}

#[async_trait]
impl Approver for TerminalApprover {
    async fn ask(&self, question: &Question<'_>) -> Verdict {
        let text = wording(question);
        let proposal = question.proposal.map(str::to_owned);
        let discard_typed_ahead = terminal::discard_input;
        // The read blocks until the person answers; cancelling the run abandons it.
        let answer = tokio::task::spawn_blocking(move || {
            // What was typed before the question was seen answers nothing.
            discard_typed_ahead();
            drop(std::io::stderr().write_all(text.as_bytes()));
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        })
        .await;
        match answer {
            Ok(Ok(line)) => verdict(&line, proposal.as_deref()),
            // No answer is no permission.
            Ok(Err(_)) | Err(_) => Verdict::Deny,
        }
    }
}

/// What the person sees: why, exactly what, and the answers there are.
fn wording(question: &Question<'_>) -> String {
    let mut text = format!(
        "\n{}\n{}\n({})\n",
        "-".repeat(60),
        printable(question.summary),
        printable(question.reason),
    );
    text.push_str("Allow? [y]es, once; this call for the [s]ession; ");
    if let Some(rule) = question.proposal {
        text.extend(["what [p]attern `", &printable(rule), "` covers; "]);
    }
    text.push_str("a rule `tool(pattern)`; [N]o: ");
    text
}

fn verdict(line: &str, proposal: Option<&str>) -> Verdict {
    let line = line.trim();
    match (line.to_ascii_lowercase().as_str(), proposal) {
        ("y" | "yes", _) => Verdict::AllowOnce,
        ("s" | "session" | "a" | "always", _) => Verdict::AllowForSession,
        ("p" | "pattern", Some(rule)) => Verdict::AllowPattern(rule.to_owned()),
        _ if line.contains('(') && line.ends_with(')') => Verdict::AllowPattern(line.to_owned()),
        _ => Verdict::Deny,
    }
}

#[cfg(test)]
mod tests {
    use super::Question;
    use super::Verdict;
    use super::verdict;
    use super::wording;
    use crate::protocol::ToolCall;

    #[test]
    fn only_a_clear_yes_allows() {
        let rule = "shell(git log *)";
        assert_eq!(verdict("Yes\n", None), Verdict::AllowOnce);
        assert_eq!(verdict("s\n", None), Verdict::AllowForSession);
        assert_eq!(verdict("p\n", Some(rule)), Verdict::AllowPattern(rule.to_owned()));
        assert_eq!(verdict("shell(ls *)\n", None), Verdict::AllowPattern("shell(ls *)".to_owned()));
        for text in ["", "\n", "no", "yolo", "ye", "p", "y\u{200b}"] {
            assert_eq!(verdict(text, None), Verdict::Deny, "{text:?}");
        }
    }

    #[test]
    fn nothing_in_a_question_hides() {
        let call = ToolCall { id: "1".into(), name: "shell".into(), arguments: String::new() };
        let text = wording(&Question {
            call: &call,
            summary: "$ rm x \u{1b}[8m\u{202e}\r",
            reason: "because",
            proposal: Some("shell(rm\u{7} *)"),
        });
        assert!(text.contains("$ rm x \\u{1b}[8m\\u{202e}\\u{d}"), "{text}");
        assert!(text.contains("shell(rm\\u{7} *)"), "{text}");
    }
}
