//! How fast a model reads and writes, seen from outside: the same for every provider.

use std::time::Duration;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::protocol::ChatModel;
use crate::protocol::Message;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelRequest;
use crate::protocol::Role;

/// Deltas that wait; the reader below takes them as they come.
const DELTAS: usize = 1024;

/// One measured answer.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// Of the prompt, without those that a cache had.
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// From the request to the first piece of the answer.
    pub first: Duration,
    /// From the first piece to the end.
    pub rest: Duration,
}

impl Speed {
    /// Tokens of the prompt per second.
    pub fn reading(&self) -> f64 {
        per_second(self.input_tokens, self.first)
    }

    /// Tokens of the answer per second; the first one counts to the reading.
    pub fn writing(&self) -> f64 {
        per_second(self.output_tokens.saturating_sub(1), self.rest)
    }
}

fn per_second(tokens: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds == 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "tokens of one answer")]
    let tokens = tokens as f64;
    tokens / seconds
}

/// Asks for an answer of `output` tokens to a prompt of about `input` tokens. `salt` makes the
/// prompt another one than the last, so that no cache has read it.
pub async fn measure(
    model: &dyn ChatModel,
    input: usize,
    output: u32,
    salt: u64,
) -> Result<Speed, ModelError> {
    let request = ModelRequest {
        messages: vec![Message::text(Role::User, prompt(input, salt))],
        max_output_tokens: Some(output),
        ..ModelRequest::default()
    };
    let (sender, mut deltas) = mpsc::channel(DELTAS);
    let start = Instant::now();
    let reply = model.respond(&request, sender, CancellationToken::new());
    let first = async {
        let mut first = None;
        while let Some(delta) = deltas.recv().await {
            let counts = !matches!(delta, ModelDelta::Progress { .. } | ModelDelta::Retry { .. });
            if counts && first.is_none() {
                first = Some(start.elapsed());
            }
        }
        first
    };
    let (reply, first) = tokio::join!(reply, first);
    let (reply, whole) = (reply?, start.elapsed());
    let first = first.unwrap_or(whole);
    Ok(Speed {
        input_tokens: reply.usage.input_tokens.saturating_sub(reply.usage.cached_input_tokens),
        output_tokens: reply.usage.output_tokens,
        first,
        rest: whole.saturating_sub(first),
    })
}

/// Some sentences, the first of them different for each salt.
fn prompt(tokens: usize, salt: u64) -> String {
    let mut text = format!("Story number {salt}. Go on with it at length.");
    // English has about four letters per token.
    while text.len() < tokens * 4 {
        text.push_str(" The river went past the old mill and nobody asked where it came from.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_tokens_per_second() {
        let speed = Speed {
            input_tokens: 100,
            output_tokens: 11,
            first: Duration::from_millis(500),
            rest: Duration::from_secs(2),
        };
        assert!((speed.reading() - 200.0).abs() < 1e-9);
        assert!((speed.writing() - 5.0).abs() < 1e-9);
        assert!((per_second(5, Duration::ZERO) - 0.0).abs() < 1e-9);
    }
}
