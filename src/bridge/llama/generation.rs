//! Writes a text: reads the prompt from the first difference on, then chooses token after token.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use llama_cpp_sys_2 as sys;

use super::draft;
use super::raw::Context;
use super::raw::Decoded;
use super::raw::Failure;
use super::raw::Grammar;
use super::raw::Sampler;
use super::raw::Token;
use super::text::Text;
use crate::bridge::jobs::Job;

/// A context and what it has read, in order.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) context: Context,
    pub(super) tokens: Vec<Token>,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) prompt: Vec<Token>,
    /// 0: as many as there is room for.
    pub(super) max_tokens: usize,
    pub(super) sampler: Sampler,
    pub(super) grammar: Option<Grammar>,
    pub(super) text: Text,
    /// Control tokens appear as text.
    pub(super) markup: bool,
    /// Tokens at the front that a shift never drops.
    pub(super) keep: usize,
    pub(super) shift: bool,
    /// Tokens to guess at a time.
    pub(super) draft_tokens: usize,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    Context,
    Cancelled,
}

/// Numbers of one generation; times in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stats {
    pub(super) prompt_tokens: usize,
    pub(super) cached_tokens: usize,
    pub(super) prompt_ms: f64,
    pub(super) output_tokens: usize,
    pub(super) output_ms: f64,
    pub(super) drafted: usize,
    pub(super) accepted: usize,
    pub(super) shifted: usize,
}

/// What was written so far; shared with who reads it.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) ready: String,
    pub(super) tokens: Vec<Token>,
    pub(super) finish: Option<Finish>,
    pub(super) stop_string: Option<String>,
    pub(super) stats: Stats,
    pub(super) failure: Option<Failure>,
}

/// [`Written`] under its lock.
#[derive(Debug, Default)]
pub(super) struct Output(Mutex<Written>);

impl Output {
    pub(super) fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until something ends it; the outcome is in `output`.
pub(super) fn write(session: &mut Session, plan: Plan, job: &Job, output: &Output) {
    session.context.heed(job.cancel_flag());
    let mut run = Run { session, plan, job, output, candidates: Vec::new() };
    let finish = match run.all() {
        Ok(finish) => Some(finish),
        Err(failure) => {
            output.lock().failure = Some(failure);
            None
        }
    };
    run.make_consistent();
    output.lock().finish = finish;
}

struct Run<'a> {
    session: &'a mut Session,
    plan: Plan,
    job: &'a Job,
    output: &'a Output,
    candidates: Vec<sys::llama_token_data>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<Finish, Failure> {
        let begun = Instant::now();
        let last = self.read_prompt();
        self.output.lock().stats.prompt_ms = milliseconds(begun);
        let last = match last? {
            Ok(last) => last,
            Err(finish) => return Ok(finish),
        };
        let begun = Instant::now();
        let finish = self.write_all(last);
        let mut written = self.output.lock();
        written.stats.output_ms = milliseconds(begun);
        if written.stop_string.is_none() {
            self.plan.text.finish(&mut written.ready);
        }
        finish
    }

    /// Computes what of the prompt is not in the context yet; gives which token of the last batch
    /// was the prompt's last.
    fn read_prompt(&mut self) -> Result<Result<usize, Finish>, Failure> {
        let prompt = std::mem::take(&mut self.plan.prompt);
        let Session { context, tokens } = &mut *self.session;
        let same = tokens.iter().zip(&prompt).take_while(|(old, new)| old == new).count();
        // The last one is computed again: what follows it is asked for.
        let mut same = same.min(prompt.len() - 1);
        if same < tokens.len() && !context.remove(same, None) {
            context.clear();
            same = 0;
        }
        tokens.truncate(same);
        {
            let stats = &mut self.output.lock().stats;
            (stats.prompt_tokens, stats.cached_tokens) = (prompt.len(), same);
        }
        let mut last = 0;
        for chunk in prompt[same..].chunks(context.shape().n_batch as usize) {
            context.begin();
            for (index, token) in chunk.iter().enumerate() {
                let position = tokens.len() + index;
                context.add(*token, position, 0, position + 1 == prompt.len())?;
            }
            match context.decode()? {
                Decoded::Done => tokens.extend_from_slice(chunk),
                Decoded::Aborted => return Ok(Err(Finish::Cancelled)),
                Decoded::Full => return Ok(Err(Finish::Context)),
            }
            last = chunk.len() - 1;
            self.job.tell(Some(share(tokens.len(), prompt.len())));
        }
        Ok(Ok(last))
    }

    fn write_all(&mut self, last: usize) -> Result<Finish, Failure> {
        let mut token = self.choose(last)?;
        loop {
            if let Some(finish) = self.emit(token) {
                return Ok(finish);
            }
            if !self.make_room() {
                return Ok(Finish::Context);
            }
            let guesses = self.guesses(token);
            match self.compute(token, &guesses)? {
                Decoded::Done => self.session.tokens.push(token),
                Decoded::Aborted => return Ok(Finish::Cancelled),
                Decoded::Full => return Ok(Finish::Context),
            }
            let mut right = 0;
            token = self.choose(0)?;
            while guesses.get(right) == Some(&token) {
                if let Some(finish) = self.emit(token) {
                    return Ok(finish);
                }
                self.session.tokens.push(token);
                right += 1;
                self.output.lock().stats.accepted += 1;
                token = self.choose(right)?;
            }
            if right < guesses.len() {
                self.session.context.remove(self.session.tokens.len(), None);
            }
        }
    }

    /// One batch: the chosen token and the guessed ones behind it.
    fn compute(&mut self, token: Token, guesses: &[Token]) -> Result<Decoded, Failure> {
        let Session { context, tokens } = &mut *self.session;
        context.begin();
        for (index, token) in std::iter::once(&token).chain(guesses).enumerate() {
            context.add(*token, tokens.len() + index, 0, true)?;
        }
        self.output.lock().stats.drafted += guesses.len();
        context.decode()
    }

    fn guesses(&mut self, token: Token) -> Vec<Token> {
        let Session { context, tokens } = &mut *self.session;
        let room = context.n_ctx().saturating_sub(tokens.len() + 1);
        let most = self.plan.draft_tokens.min(room).min(context.shape().n_batch as usize - 1);
        if most == 0 {
            return Vec::new();
        }
        tokens.push(token);
        let guesses = draft::guess(tokens, most).to_vec();
        tokens.pop();
        guesses
    }

    /// The token after number `index` of the last batch. The sampler chooses; only when the grammar
    /// does not take that one are all others held against the grammar, which is slow.
    fn choose(&mut self, index: usize) -> Result<Token, Failure> {
        let Plan { sampler, grammar, text, .. } = &mut self.plan;
        self.session.context.candidates(index, &mut self.candidates)?;
        let mut token = sampler.choose(&mut self.candidates)?;
        if let Some(grammar) = grammar {
            let mut one = [sys::llama_token_data { id: token, logit: 1.0, p: 0.0 }];
            grammar.apply(&mut one)?;
            let context = &mut self.session.context;
            if one[0].logit == f32::NEG_INFINITY || !is_text(context, text, token) {
                context.candidates(index, &mut self.candidates)?;
                grammar.apply(&mut self.candidates)?;
                for one in &mut self.candidates {
                    if one.logit != f32::NEG_INFINITY && !is_text(context, text, one.id) {
                        one.logit = f32::NEG_INFINITY;
                    }
                }
                if self.candidates.iter().all(|one| one.logit == f32::NEG_INFINITY) {
                    return Err(Failure("no token of the model fits the grammar here".to_owned()));
                }
                token = sampler.choose(&mut self.candidates)?;
            }
            grammar.accept(token)?;
        }
        sampler.accept(token)?;
        Ok(token)
    }

    /// Adds a token to the text; gives why the text ends here.
    fn emit(&mut self, token: Token) -> Option<Finish> {
        if self.job.is_cancelled() {
            return Some(Finish::Cancelled);
        }
        let model = self.session.context.model();
        if model.is_end(token) {
            return Some(Finish::Stop);
        }
        let mut bytes = Vec::new();
        model.piece(token, self.plan.markup, &mut bytes);
        let mut locked = self.output.lock();
        let written = &mut *locked;
        written.tokens.push(token);
        written.stats.output_tokens += 1;
        written.stop_string = self.plan.text.push(&bytes, &mut written.ready);
        let finish = if written.stop_string.is_some() {
            Some(Finish::Stop)
        } else if written.tokens.len() == self.plan.max_tokens {
            Some(Finish::Length)
        } else {
            None
        };
        // Who waits holds the job's lock and looks into the output: never both here.
        drop(locked);
        self.job.tell(None);
        finish
    }

    /// Whether there is room for one more token; drops the older half of what may be dropped.
    fn make_room(&mut self) -> bool {
        let Session { context, tokens } = &mut *self.session;
        if tokens.len() < context.n_ctx() {
            return true;
        }
        let keep = self.plan.keep.min(tokens.len());
        let drop = (tokens.len() - keep) / 2;
        if !self.plan.shift || drop == 0 || !context.can_shift() {
            return false;
        }
        if !context.remove(keep, Some(keep + drop)) {
            return false;
        }
        context.shift_down(keep + drop, drop);
        tokens.drain(keep..keep + drop);
        self.output.lock().stats.shifted += drop;
        true
    }

    /// What the context holds beyond `tokens` (an aborted batch, wrong guesses) is dropped.
    fn make_consistent(&mut self) {
        let Session { context, tokens } = &mut *self.session;
        if !context.remove(tokens.len(), None) {
            context.clear();
            tokens.clear();
        }
    }
}

/// Whether the token goes on with valid text, or ends it.
fn is_text(context: &Context, text: &Text, token: Token) -> bool {
    let model = context.model();
    let mut bytes = Vec::new();
    model.piece(token, true, &mut bytes);
    model.is_end(token) || text.takes(&bytes)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a share for a person")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole as f32
}
