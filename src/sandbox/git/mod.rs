//! What git's own files say about where its directories are and what it runs. Nothing of git is run here, and
//! nothing is written.

pub mod config;

pub(super) mod directories;
