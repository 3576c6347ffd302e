//! What a run may use: turns, tokens, money. Time is a [`super::cancel::CancelReason`].
//!
//! Pure: counts are given, nothing is measured here.

use crate::config::settings::LimitSettings;
use crate::config::settings::ModelPrice;
use crate::protocol::ExitCode;
use crate::protocol::Usage;

/// Tokens per unit of [`ModelPrice`].
const PRICE_UNIT: f64 = 1_000_000.0;

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq)]
pub enum LimitReached {
    Turns { limit: u32 },
    Tokens { limit: u64, used: u64 },
    Cost { limit: f64, used: f64 },
}

impl LimitReached {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Turns { .. } => ExitCode::TurnLimit,
            Self::Tokens { .. } | Self::Cost { .. } => ExitCode::Budget,
        }
    }

    /// How to get further.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Turns { .. } => "raise it with `--max-turns N`, or continue with `--continue`",
            Self::Tokens { .. } => "raise it with `--max-tokens N`",
            Self::Cost { .. } => "raise it with `--max-cost USD`",
        }
    }
}

impl std::fmt::Display for LimitReached {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Turns { limit } => {
                write!(formatter, "the limit of {limit} turns is reached without an answer")
            }
            Self::Tokens { limit, used } => {
                write!(formatter, "the limit of {limit} tokens is reached ({used} used)")
            }
            Self::Cost { limit, used } => {
                write!(formatter, "the limit of {limit:.2} USD is reached ({used:.4} used)")
            }
        }
    }
}

/// What the models of a run cost: one, or each of a route's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(Vec<Option<ModelPrice>>);

impl Prices {
    /// In the order of the route; of a model that is no route's the only one.
    pub fn new(prices: Vec<Option<ModelPrice>>) -> Self {
        Self(prices)
    }

    /// Whether every model has a price, so that a limit of cost can be kept.
    pub fn are_known(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(Option::is_some)
    }

    /// US dollars for a reply; `None` where its model has no price.
    pub fn of(&self, rung: Option<u32>, usage: &Usage) -> Option<f64> {
        let place = rung.map_or(0, |rung| usize::try_from(rung).unwrap_or(1).saturating_sub(1));
        self.0.get(place).copied().flatten().map(|price| cost(usage, &price))
    }
}

/// US dollars for a usage. Cached input without a price of its own costs what input costs.
pub fn cost(usage: &Usage, price: &ModelPrice) -> f64 {
    let cached = usage.cached_input_tokens.min(usage.input_tokens);
    let fresh = usage.input_tokens - cached;
    let dollars = tokens(fresh) * price.input
        + tokens(cached) * price.cached_input.unwrap_or(price.input)
        + tokens(usage.output_tokens) * price.output;
    dollars / PRICE_UNIT
}

#[expect(clippy::cast_precision_loss, reason = "2^53 tokens are beyond any run")]
fn tokens(count: u64) -> f64 {
    count as f64
}

/// Whether another model call is still within the limits. `spent` is in US dollars; a limit of cost
/// without known prices cannot be kept, and the caller has refused it before.
pub fn before_turn(
    limits: &LimitSettings,
    turns: u32,
    usage: &Usage,
    spent: f64,
) -> Option<LimitReached> {
    if turns >= limits.max_turns {
        return Some(LimitReached::Turns { limit: limits.max_turns });
    }
    if let Some(limit) = limits.max_tokens
        && usage.total() >= limit
    {
        return Some(LimitReached::Tokens { limit, used: usage.total() });
    }
    match limits.max_cost {
        Some(limit) if spent >= limit => Some(LimitReached::Cost { limit, used: spent }),
        _ => None,
    }
}

/// Whether what a run used until its answer is more than it was to use: exactly as much is within the
/// limits, since no further call is made.
pub fn after_answer(limits: &LimitSettings, usage: &Usage, spent: f64) -> Option<LimitReached> {
    let used = usage.total();
    if let Some(limit) = limits.max_tokens.filter(|limit| used > *limit) {
        return Some(LimitReached::Tokens { limit, used });
    }
    let limit = limits.max_cost.filter(|limit| spent > *limit)?;
    Some(LimitReached::Cost { limit, used: spent })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> LimitSettings {
        LimitSettings {
            max_turns: 3,
            timeout: None,
            max_cost: Some(0.01),
            max_tokens: Some(1000),
            tool_timeout: Duration::from_secs(1),
            command: crate::config::settings::CommandLimits::default(),
        }
    }

    const PRICE: ModelPrice = ModelPrice { input: 2.0, cached_input: Some(0.5), output: 10.0 };

    fn usage(input: u64, cached: u64, output: u64) -> Usage {
        Usage {
            input_tokens: input,
            cached_input_tokens: cached,
            output_tokens: output,
            reasoning_output_tokens: 0,
        }
    }

    #[test]
    fn cost_counts_cached_input_at_its_own_price() {
        let dollars = cost(&usage(1_000_000, 400_000, 100_000), &PRICE);
        assert!((dollars - (1.2 + 0.2 + 1.0)).abs() < 1e-9, "{dollars}");
        let no_cache_price = ModelPrice { cached_input: None, ..PRICE };
        assert!((cost(&usage(1_000_000, 400_000, 0), &no_cache_price) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn each_model_of_a_route_has_its_own_price() {
        let prices = Prices::new(vec![Some(PRICE), None]);
        let used = usage(1_000_000, 0, 0);
        assert_eq!(prices.of(None, &used), prices.of(Some(1), &used));
        assert!((prices.of(Some(1), &used).unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(prices.of(Some(2), &used), None);
        assert!(!prices.are_known() && !Prices::default().are_known());
        assert!(Prices::new(vec![Some(PRICE)]).are_known());
    }

    #[test]
    fn each_limit_is_named_with_its_code() {
        let none = before_turn(&limits(), 2, &usage(500, 0, 100), 0.002);
        assert_eq!(none, None);
        let turns = before_turn(&limits(), 3, &Usage::default(), 0.0).unwrap();
        assert_eq!(turns.exit_code(), ExitCode::TurnLimit);
        let tokens = before_turn(&limits(), 1, &usage(900, 0, 100), 0.0).unwrap();
        assert_eq!(tokens, LimitReached::Tokens { limit: 1000, used: 1000 });
        assert_eq!(tokens.exit_code(), ExitCode::Budget);
        let cost = before_turn(&limits(), 1, &usage(0, 0, 999), 0.00999);
        assert_eq!(cost, None, "0.00999 USD are within 0.01");
        let unlimited = LimitSettings { max_tokens: None, ..limits() };
        let cost = before_turn(&unlimited, 1, &usage(0, 0, 1000), 0.01).unwrap();
        assert!(matches!(cost, LimitReached::Cost { .. }), "{cost}");
    }

    #[test]
    fn an_answer_may_use_a_limit_up_and_not_exceed_it() {
        assert_eq!(after_answer(&limits(), &usage(900, 0, 100), 0.01), None);
        let tokens = after_answer(&limits(), &usage(900, 0, 101), 0.0);
        assert_eq!(tokens, Some(LimitReached::Tokens { limit: 1000, used: 1001 }));
        let cost = after_answer(&limits(), &Usage::default(), 0.0101);
        assert_eq!(cost, Some(LimitReached::Cost { limit: 0.01, used: 0.0101 }));
        let unlimited = LimitSettings { max_tokens: None, max_cost: None, ..limits() };
        assert_eq!(after_answer(&unlimited, &usage(9000, 0, 9000), 9.0), None);
    }
}
