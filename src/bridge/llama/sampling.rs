//! How a token is to be chosen: plain settings, checked once.

use std::collections::BTreeMap;

use super::raw::Failure;

/// What is absent is off. Without a temperature, or with 0, the likeliest token is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f32>,
    pub(super) top_k: Option<i32>,
    pub(super) top_p: Option<f32>,
    pub(super) min_p: Option<f32>,
    pub(super) typical_p: Option<f32>,
    pub(super) seed: Option<u32>,
    pub(super) repeat_penalty: f32,
    pub(super) repeat_last_n: i32,
    pub(super) frequency_penalty: f32,
    pub(super) presence_penalty: f32,
    pub(super) logit_bias: BTreeMap<i32, f32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: None,
            top_k: None,
            top_p: None,
            min_p: None,
            typical_p: None,
            seed: None,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: BTreeMap::new(),
        }
    }
}

impl Sampling {
    /// Whether what was written changes what is chosen.
    #[expect(clippy::float_cmp, reason = "exactly these values mean off")]
    pub(super) fn penalises(&self) -> bool {
        self.repeat_last_n != 0
            && (self.repeat_penalty != 1.0
                || self.frequency_penalty != 0.0
                || self.presence_penalty != 0.0)
    }

    /// Refuses values that llama.cpp has no meaning for.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let wrong = |name: &str, what: &str| Err(Failure(format!("`{name}` must be {what}")));
        let share = |value: Option<f32>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
        if !self.temperature.is_none_or(|value| (0.0..=100.0).contains(&value)) {
            return wrong("temperature", "between 0 and 100");
        }
        for (name, value) in
            [("top_p", self.top_p), ("min_p", self.min_p), ("typical_p", self.typical_p)]
        {
            if !share(value) {
                return wrong(name, "between 0 and 1");
            }
        }
        if !(self.repeat_penalty > 0.0 && self.repeat_penalty.is_finite()) {
            return wrong("repeat_penalty", "above 0");
        }
        if !(0..=1 << 20).contains(&self.repeat_last_n) {
            return wrong("repeat_last_n", "a number of tokens");
        }
        let finite = [self.frequency_penalty, self.presence_penalty];
        if !finite.iter().all(|value| value.is_finite()) {
            return wrong("frequency_penalty` and `presence_penalty", "numbers");
        }
        if self.logit_bias.values().any(|bias| bias.is_nan()) {
            return wrong("logit_bias", "a number for each token");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_name() {
        let good = Sampling::default();
        assert!(good.check().is_ok());
        assert!(!good.penalises());
        for (bad, name) in [
            (Sampling { temperature: Some(f32::NAN), ..good.clone() }, "temperature"),
            (Sampling { top_p: Some(1.5), ..good.clone() }, "top_p"),
            (Sampling { repeat_penalty: 0.0, ..good.clone() }, "repeat_penalty"),
            (Sampling { repeat_last_n: -1, ..good.clone() }, "repeat_last_n"),
        ] {
            assert!(bad.check().unwrap_err().0.contains(name));
        }
    }
}
