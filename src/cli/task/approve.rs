//! Asks the person at the terminal whether a call may run.
//!
//! Exists only where standard input and standard error are terminals; elsewhere there is no
//! approver, and ask means deny.

use std::io::Write;

use async_trait::async_trait;

use crate::cli::output::printable;
use crate::protocol::Approver;
use crate::protocol::ToolCall;
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
    async fn ask(&self, call: &ToolCall, summary: &str) -> Verdict {
        let question = format!(
            "\n{}\n{}\nAllow this call of {}? [y]es, [a]lways in this session, [N]o: ",
            "-".repeat(60),
            printable(summary),
            call.name
        );
        // The read blocks until the person answers; cancelling the run abandons it.
        let answer = tokio::task::spawn_blocking(move || {
            drop(std::io::stderr().write_all(question.as_bytes()));
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        })
        .await;
        match answer {
            Ok(Ok(line)) => verdict(&line),
            // No answer is no permission.
            Ok(Err(_)) | Err(_) => Verdict::Deny,
        }
    }
}

fn verdict(line: &str) -> Verdict {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Verdict::AllowOnce,
        "a" | "always" => Verdict::AllowForSession,
        _ => Verdict::Deny,
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use super::verdict;

    #[test]
    fn only_a_clear_yes_allows() {
        assert_eq!(verdict("Yes\n"), Verdict::AllowOnce);
        assert_eq!(verdict("a\n"), Verdict::AllowForSession);
        for text in ["", "\n", "no", "yolo", "ye"] {
            assert_eq!(verdict(text), Verdict::Deny, "{text:?}");
        }
    }
}
