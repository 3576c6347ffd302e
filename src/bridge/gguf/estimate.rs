//! Whether a model fits, foreseen from its header.

use serde::Serialize;

use super::header::Header;
use super::header::Value;
use crate::system::memory;

/// Tokens that are computed at once when a prompt is read; what the kernel's contexts use.
const BATCH: u64 = 512;
/// What the kernel takes besides: graphs, vocabulary, buffers.
const FIXED: u64 = 24 << 20;

/// Bytes that a model needs with a context of so many tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub weights: u64,
    pub cache: u64,
    pub compute: u64,
    pub total: u64,
    /// What the system can give now; `None` where it does not say.
    pub available: Option<u64>,
}

impl Estimate {
    /// Why it cannot be loaded; `None`: it fits, or nobody knows.
    pub fn refusal(&self) -> Option<String> {
        let available = self.available?;
        (self.total > available).then(|| {
            format!(
                "the model needs {} of memory (weights {}, context {}, computing {}), {} can be had",
                gigabytes(self.total),
                gigabytes(self.weights),
                gigabytes(self.cache),
                gigabytes(self.compute),
                gigabytes(available)
            )
        })
    }
}

/// What the header asks for. `quantised_cache`: keys and values as `q8_0` instead of 16 bits.
pub fn estimate(header: &Header, context: u64, quantised_cache: bool) -> Estimate {
    let mut cache = header.cache_per_token().saturating_mul(context);
    if quantised_cache {
        // 34 bytes per 32 values instead of 64.
        cache = cache / 64 * 34;
    }
    let vocabulary = match header.metadata.get("tokenizer.ggml.tokens") {
        Some(Value::Long(length)) => *length,
        Some(Value::Array(tokens)) => tokens.len() as u64,
        _ => 0,
    };
    let widest = header.count("feed_forward_length").unwrap_or(0).saturating_mul(2);
    let row = widest
        .saturating_add(header.embedding_length().saturating_mul(4))
        .saturating_add(vocabulary / 8);
    let compute = row.saturating_mul(4 * BATCH).saturating_add(FIXED);
    Estimate {
        weights: header.weights,
        cache,
        compute,
        total: header.weights.saturating_add(cache).saturating_add(compute),
        available: memory::available(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number for a person")]
fn gigabytes(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{:.0} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_numbers() {
        let one = Estimate {
            weights: 7_000_000_000,
            cache: 500_000_000,
            compute: 100_000_000,
            total: 7_600_000_000,
            available: Some(4_000_000_000),
        };
        assert_eq!(
            one.refusal().unwrap(),
            "the model needs 7.6 GB of memory (weights 7.0 GB, context 500 MB, computing 100 MB), \
             4.0 GB can be had"
        );
        assert_eq!(Estimate { available: Some(8_000_000_000), ..one }.refusal(), None);
        assert_eq!(Estimate { available: None, ..one }.refusal(), None);
    }
}
