//! Texts to vectors: packs several into one computation, and gives each the length 1.

use super::raw::Context;
use super::raw::Decoded;
use super::raw::Failure;
use super::raw::Model;
use super::raw::Token;
use crate::bridge::jobs::Job;

/// Tokens per computation, where no single text has more. Attention grows with the square of this,
/// so that more is slower.
pub(super) const BATCH: usize = 192;
/// Texts per computation.
pub(super) const SEQUENCES: u32 = 64;
/// Longer texts are cut here unless somebody says otherwise: what sentence models are trained for.
pub(super) const MAX_TOKENS: usize = 256;
/// Said of a model with NaN in it, whose vectors no JSON could hold.
const NOT_FINITE: &str =
    "the model computes no numbers (NaN or infinite): its file is damaged, or was made wrongly";

/// Vectors of all texts, one behind the other; `None`: cancelled.
pub(super) fn encode(
    context: &mut Context,
    texts: &[String],
    max_tokens: usize,
    job: &Job,
) -> Result<Option<Vec<f32>>, Failure> {
    context.heed(job.cancel_flag());
    let mut vectors = Vec::new();
    let mut packed: Vec<Vec<Token>> = Vec::new();
    let mut size = 0;
    let sequences = context.shape().n_seq as usize;
    for (number, text) in texts.iter().enumerate() {
        let tokens = tokens_of(context.model(), text, max_tokens)?;
        if tokens.is_empty() {
            return Err(Failure(format!("text {} has no tokens", number + 1)));
        }
        if !packed.is_empty() && (size + tokens.len() > BATCH || packed.len() == sequences) {
            if !compute(context, &packed, &mut vectors)? {
                return Ok(None);
            }
            packed.clear();
            size = 0;
            #[expect(clippy::cast_precision_loss, reason = "a share for a person")]
            job.tell(Some(number as f32 / texts.len() as f32));
        }
        size += tokens.len();
        packed.push(tokens);
    }
    if !packed.is_empty() && !compute(context, &packed, &mut vectors)? {
        return Ok(None);
    }
    Ok(Some(vectors))
}

/// The tokens of a text, at most so many; a closing token (`[SEP]`) stays the last one.
fn tokens_of(model: &Model, text: &str, most: usize) -> Result<Vec<Token>, Failure> {
    let mut tokens = model.tokenize(text.as_bytes(), true, false)?;
    if tokens.len() > most {
        let closing = tokens
            .last()
            .copied()
            .filter(|last| model.special_tokens().iter().any(|(_, token)| token == last));
        tokens.truncate(most - usize::from(closing.is_some()));
        tokens.extend(closing);
    }
    Ok(tokens)
}

/// One computation; false: cancelled.
fn compute(
    context: &mut Context,
    texts: &[Vec<Token>],
    vectors: &mut Vec<f32>,
) -> Result<bool, Failure> {
    context.clear();
    context.begin();
    for (sequence, tokens) in (0..).zip(texts) {
        for (position, token) in tokens.iter().enumerate() {
            context.add(*token, position, sequence, true)?;
        }
    }
    match context.decode()? {
        Decoded::Done => {}
        Decoded::Aborted => return Ok(false),
        Decoded::Full => return Err(Failure("the texts do not fit into the context".to_owned())),
    }
    for sequence in (0..).take(texts.len()) {
        let vector = context.vector(sequence)?;
        if !vector.iter().all(|number| number.is_finite()) {
            return Err(Failure(format!(
                "{NOT_FINITE}; text {}",
                vectors.len() / vector.len() + 1
            )));
        }
        let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "vectors are 32 bits wide")]
        vectors.extend(vector.iter().map(|x| (f64::from(*x) / length.max(1e-12)) as f32));
    }
    Ok(true)
}
