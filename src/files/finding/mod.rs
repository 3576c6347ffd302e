//! Finding: walking a tree, and choosing among what lies in it by name, size, age or contents.
//! Changes nothing.

pub mod age;
pub mod find;
pub(super) mod first;
pub(super) mod ignored;
pub mod name;
pub mod search;
pub mod walk;
