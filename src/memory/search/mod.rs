//! Finding items by words: from a person's text to a full-text expression, and best first.

pub(super) mod grams;
pub(super) mod query;
pub(super) mod rank;
