//! `limits.command`: what one command may use up. Shape, and the typed settings of the sandbox.

use std::time::Duration;

use serde::Serialize;

use super::table::fields::Order;
use super::table::fields::Rules;
use super::table::fields::settings;
use super::table::quantity::Size;
use super::table::quantity::Span;

const LOWER: Rules = Rules::POWER.narrows(Order::Lower);

/// Below this an interpreter or a compiler does not even start, and the words of its failure would be
/// about something else.
const LEAST_BYTES: f64 = (16 << 20) as f64;

settings! {
    /// What one command may use up.
    pub struct CommandLimitConfig {
        /// Memory of a command with all its processes, such as `2GiB`; absent means four fifths of the machine's.
        memory: Option<Size> = None => LOWER.at_least(LEAST_BYTES);
        /// The largest file that it may write.
        file_size: Size = Size::gib(8) => LOWER;
        /// Processor time of one process; absent means in proportion to the call's time-out.
        cpu_time: Option<Span> = None => LOWER;
        /// Processes and threads at one time.
        processes: u32 = 4096 => LOWER.at_least(8.0).at_most(4_000_000.0);
        /// Open files of one process.
        open_files: u32 = 65_536 => LOWER.at_least(16.0);
    }
}

/// For `sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandLimits {
    /// Bytes; `None`: four fifths of the machine's.
    pub memory: Option<u64>,
    /// Bytes.
    pub file_size: u64,
    /// `None`: in proportion to the time-out.
    pub cpu_time: Option<Duration>,
    pub processes: u32,
    pub open_files: u32,
}

impl From<&CommandLimitConfig> for CommandLimits {
    fn from(config: &CommandLimitConfig) -> Self {
        Self {
            memory: config.memory.map(|size| size.0),
            file_size: config.file_size.0,
            cpu_time: config.cpu_time.map(|span| span.0),
            processes: config.processes,
            open_files: config.open_files,
        }
    }
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self::from(&CommandLimitConfig::default())
    }
}
