//! The agent spoken to by other programs: JSON lines on standard input and output.
//!
//! Knows no command line and builds nothing: what it serves comes through [`Host`], which the
//! composition root implements. The lines' shapes are in `wire` (contracts/stdio.schema.json is
//! generated from there), docs/stdio.md explains them.

mod connection;
pub mod host;
mod methods;
mod outgoing;
mod requests;
mod runs;
pub mod stdio;
pub mod wire;

pub use self::host::Host;
pub use self::stdio::ServeError;
pub use self::stdio::serve;

/// The schema of every line, for contracts/stdio.schema.json.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(wire::Line)
}
