//! Facts of the machine and the operating system's services: clock, terminal, paths, processes.
//!
//! Knows no agent words. Reads no environment variables (`config::env` does).

pub mod clock;

pub mod durable;

#[cfg(unix)]
pub mod listing;

pub mod memory;

pub mod name_service;

pub mod opener;

pub mod process;

pub mod running;

pub mod signal;

pub mod standard;

pub mod terminal;

pub mod user;

pub mod visible;
