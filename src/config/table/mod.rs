//! Every setting as data: its name, kind, documentation and rules, and what follows from them alone:
//! the check of a tree, the JSON Schema, which of two values allows less. Reads no file.

pub mod built_in;
pub mod check;
pub mod fields;
pub mod json_schema;
pub mod near;
pub mod order;
pub mod quantity;
pub mod schema;
