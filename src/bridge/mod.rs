//! The border to Python, and the models behind it.

pub mod scripted;
