//! What the model is told: the system prompt, the project's own instructions, what memory knows of the
//! task, and a conversation that still fits into the window. Decides nothing about calls.

pub mod compact;
pub mod instructions;
pub mod prompt;
pub(super) mod recall;
