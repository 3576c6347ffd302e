//! Routes of models: shape, which one is asked for, and what each of its models is configured to be.
//!
//! A model of a route is resolved exactly as a single one would be (`resolve`); only where its
//! address and key come from is stricter. Asks nothing, and decides nothing about health.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::secret::SecretSource;
use crate::config::secret::SecretText;
use crate::config::settings::FallOver;
use crate::config::settings::ModelApi;
use crate::config::table::fields::Kind;
use crate::config::table::fields::Rules;
use crate::config::table::fields::Shape;
use crate::config::table::fields::settings;
use crate::config::table::near;
use crate::config::table::schema::ModelConfig;
use crate::config::table::schema::PriceConfig;

const PLAIN: Rules = Rules::PLAIN;
const POWER: Rules = Rules::POWER;

/// The provider that stands for a route.
pub const ROUTE: &str = "route";

settings! {
    /// One model of a route. What it leaves out is as under `model`, but for address, key, headers.
    pub struct RungConfig {
        /// As `model.provider`; must be given.
        provider: Option<String> = None => POWER;
        /// The model's name at its provider.
        name: Option<String> = None => PLAIN;
        /// Base URL of a compatible server.
        base_url: Option<String> = None => POWER;
        /// Dialect of the OpenAI API: `chat` or `responses`.
        api: Option<ModelApi> = None => PLAIN;
        /// Where the key is read from. A model with a `base_url` gets no key but this one.
        api_key: Option<SecretSource> = None => POWER;
        /// Tokens of the context window.
        context_window: Option<u64> = None => PLAIN.at_least(1.0);
        /// Tokens of one answer at most.
        max_output_tokens: Option<u32> = None => PLAIN.at_least(1.0);
        /// 0 is the most predictable.
        temperature: Option<f64> = None => PLAIN.at_least(0.0).at_most(2.0);
        /// `low`, `medium` or `high`, for models that reason.
        reasoning_effort: Option<String> = None => PLAIN;
        /// The script that provider `scripted` replays.
        script: Option<PathBuf> = None => PLAIN;
        /// Further request headers; values may be secrets and are never shown.
        headers: BTreeMap<String, SecretText> = BTreeMap::new() => POWER;
        /// US dollars per million tokens.
        price: Option<PriceConfig> = None => PLAIN;
        /// What makes the route go on to the next model; absent means all but `authentication`.
        fall_over_on: Option<Vec<FallOver>> = None => PLAIN;
    }
}

impl Shape for FallOver {
    const KIND: Kind = Kind::Choice(&[
        "unreachable",
        "server",
        "rate_limited",
        "timeout",
        "malformed",
        "authentication",
    ]);
}

/// Why no route can be taken.
pub(in crate::config) struct NoRoute {
    /// The setting that is wrong.
    pub(in crate::config) key: &'static str,
    pub(in crate::config) message: String,
    pub(in crate::config) remedy: String,
}

/// The route that `model.name` names; without a name the only one there is.
pub(in crate::config) fn choose(model: &ModelConfig) -> Result<(&str, &[RungConfig]), NoRoute> {
    let names: Vec<&str> = model.routes.keys().map(String::as_str).collect();
    let list = || match names.as_slice() {
        [] => "list models under `model.routes.NAME`; docs/models.md shows how".to_owned(),
        names => format!("routes are {}", names.join(", ")),
    };
    let wanted = match (&model.name, names.as_slice()) {
        (Some(name), _) => name.as_str(),
        (None, [only]) => only,
        (None, _) => {
            let message = "which route is not said".to_owned();
            return Err(NoRoute { key: "model.provider", message, remedy: list() });
        }
    };
    match model.routes.get_key_value(wanted) {
        Some((name, rungs)) => Ok((name, rungs)),
        None => Err(NoRoute {
            key: "model.name",
            message: format!("there is no route `{wanted}`"),
            remedy: near::closest(wanted, &names)
                .map_or_else(list, |near| format!("did you mean `route/{near}`?")),
        }),
    }
}

/// A model of a route as if it were the only one. How it answers follows the general settings where
/// it says nothing; its address, key and headers are its own, so that none is sent to another's
/// server.
pub(in crate::config) fn as_model(rung: &RungConfig, general: &ModelConfig) -> ModelConfig {
    ModelConfig {
        provider: rung.provider.clone(),
        name: rung.name.clone(),
        base_url: rung.base_url.clone(),
        api: rung.api.unwrap_or(general.api),
        api_key: rung.api_key.clone(),
        context_window: rung.context_window,
        max_output_tokens: rung.max_output_tokens.or(general.max_output_tokens),
        temperature: rung.temperature.or(general.temperature),
        reasoning_effort: rung.reasoning_effort.clone().or(general.reasoning_effort.clone()),
        script: rung.script.clone(),
        headers: rung.headers.clone(),
        price: rung.price.clone(),
        local: general.local.clone(),
        transformers: general.transformers.clone(),
        ..ModelConfig::default()
    }
}
