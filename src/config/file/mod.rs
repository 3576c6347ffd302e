//! Configuration files as text that a person wrote: changed in place, brought up to date, replaced
//! as a whole. Knows no meaning of a key beyond the table of settings.

pub mod edit;
pub mod migrate;
pub mod write;
