//! The database as such: opening it, its one thread, its versions, copies, damage and what is gone for
//! good. Knows tables, not what a person looks for in them.

pub(super) mod backup;
pub(super) mod check;
mod connection;
pub(super) mod file;
pub(super) mod migrations;
pub(super) mod owner;
pub(super) mod purge;
pub(super) mod store;
