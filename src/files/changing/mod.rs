//! Changing files: a whole one, exact text in one, or by a patch. Each change is atomic, and what a
//! change would arm for later is named.

pub mod edit;
pub mod later;
pub mod patch;
pub mod write;
