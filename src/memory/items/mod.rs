//! Items: what is remembered, how it comes in, is listed and goes out.

pub(super) mod export;
pub(super) mod import;
pub(super) mod item;
pub(super) mod listing;
