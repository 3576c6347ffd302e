//! The limits that a command can run into, and how it shows that it did. Sets none.

use crate::config::settings::CommandLimits;
use crate::config::table::quantity::Size;

use super::command::EndStatus;

/// What a command had too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Limit {
    Memory = 1,
    FileSize,
    /// Processor time.
    Processor,
    /// Processes and threads.
    Processes,
    /// Open files.
    Descriptors,
    /// No limit of ours: the machine, or the container that the agent is in, had no memory left, and the
    /// kernel chose the command.
    MachineMemory,
}

/// SIGXCPU and SIGXFSZ, the same on every Linux that this runs on and on macOS.
const PROCESSOR_SIGNAL: i32 = 24;
const FILE_SIZE_SIGNAL: i32 = 25;

impl Limit {
    #[cfg(any(test, target_os = "linux"))]
    const ALL: [Self; 6] = [
        Self::Memory,
        Self::FileSize,
        Self::Processor,
        Self::Processes,
        Self::Descriptors,
        Self::MachineMemory,
    ];

    /// What programs say when the kernel refuses them more.
    const WORDS: [(Self, &'static [&'static str]); 4] = [
        (
            Self::Memory,
            &[
                "MemoryError",
                "Cannot allocate memory",
                "std::bad_alloc",
                "out of memory",
                "memory exhausted",
                "memory allocation of",
            ],
        ),
        (Self::FileSize, &["File too large", "File size limit exceeded"]),
        (
            Self::Processes,
            &[
                "fork: Resource temporarily unavailable",
                "fork: retry",
                "Cannot fork",
                "can't start new thread",
            ],
        ),
        (Self::Descriptors, &["Too many open files"]),
    ];

    /// The name in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::FileSize => "file_size",
            Self::Processor => "cpu",
            Self::Processes => "processes",
            Self::Descriptors => "descriptors",
            Self::MachineMemory => "machine_memory",
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| *limit as i32 == number)
    }

    /// The limit behind an end: by the signal (a shell passes it on as 128 and the signal), else by what
    /// the command said.
    pub(super) fn of(status: EndStatus, said: &[impl AsRef<str>]) -> Option<Self> {
        let signal = match status {
            EndStatus::Exited(0) => return None,
            EndStatus::Signaled(signal) => signal,
            EndStatus::Exited(code) => code - 128,
            EndStatus::TimedOut | EndStatus::Cancelled => 0,
        };
        match signal {
            PROCESSOR_SIGNAL => return Some(Self::Processor),
            FILE_SIZE_SIGNAL => return Some(Self::FileSize),
            _ => {}
        }
        let has = |words: &&str| said.iter().any(|said| said.as_ref().contains(words));
        let mut all = Self::WORDS.iter();
        all.find(|(_, words)| words.iter().any(&has)).map(|(limit, _)| *limit)
    }

    /// What happened and what to do, for whoever reads the result.
    pub fn explain(self, limits: &CommandLimits) -> String {
        let (what, value) = match self {
            Self::MachineMemory => {
                return "the kernel ended it: the machine or its container has no memory left; \
                        do less at once"
                    .to_owned();
            }
            Self::Memory => ("memory", limits.memory.map(|bytes| Size(bytes).to_string())),
            Self::FileSize => ("file_size", Some(Size(limits.file_size).to_string())),
            Self::Processor => {
                ("cpu_time", limits.cpu_time.map(|time| format!("{}s", time.as_secs())))
            }
            Self::Processes => ("processes", Some(limits.processes.to_string())),
            Self::Descriptors => ("open_files", Some(limits.open_files.to_string())),
        };
        let value = value.map(|value| format!(" = {value}")).unwrap_or_default();
        format!("it ran into a limit of the sandbox: limits.command.{what}{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::EndStatus;
    use super::Limit;
    use crate::config::settings::CommandLimits;
    use crate::config::table::schema;

    #[test]
    fn signals_are_certain_and_words_count_for_failures_only() {
        let of = |status, said: &str| Limit::of(status, &[said]);
        assert_eq!(of(EndStatus::Signaled(24), ""), Some(Limit::Processor));
        assert_eq!(of(EndStatus::Exited(128 + 25), "MemoryError"), Some(Limit::FileSize));
        assert_eq!(of(EndStatus::Exited(1), "x: Too many open files"), Some(Limit::Descriptors));
        assert_eq!(of(EndStatus::Exited(0), "MemoryError"), None);
        assert_eq!(of(EndStatus::Signaled(9), "Killed"), None);
    }

    #[test]
    fn what_is_explained_is_a_setting_that_exists() {
        for limit in Limit::ALL {
            let words = limit.explain(&CommandLimits::default());
            let key = words.split_whitespace().find(|word| word.starts_with("limits."));
            assert!(key.is_none_or(|key| schema::lookup(key).is_some()), "{words}");
            assert_eq!(key.is_none(), limit == Limit::MachineMemory, "{words}");
            #[cfg(target_os = "linux")]
            assert_eq!(Limit::from_number(limit as i32), Some(limit));
        }
    }
}
