//! The hostile list: each case against the real binary, on every rung of the sandbox that can be had
//! here, as root and as an ordinary user.
//!
//! A test is named after its case's number. Every input is a row of its own; a case prints how many
//! rows it had and names the rows that failed. [`Ground`] is the place of an attack: a workspace, and
//! beside it what must be neither read nor changed.

mod archives;

mod fetch;

mod git;

mod git_directories;

mod git_obeyed;

mod ground;

mod large;

mod metadata;

mod names;

mod network;

mod own_files;

mod paths;

mod privileges;

mod python;

mod repairs;

mod resources;

mod steering;

mod submodules;

mod temporary;

pub use fetch::largest_child;
pub use ground::Ground;
pub use ground::SECRET;
pub use ground::Setting;
pub use ground::each;
pub use ground::each_of_two;
pub use ground::settings;
pub use network::PYTHON;
pub use python::python;
pub use resources::is_running;

/// The rows of one case.
pub struct Rows {
    case: &'static str,
    count: usize,
    failed: Vec<String>,
}

impl Rows {
    pub fn new(case: &'static str) -> Self {
        Self { case, count: 0, failed: Vec::new() }
    }

    /// One row: what was tried, and whether it was held. `seen` is shown where it was not.
    pub fn row(&mut self, what: impl std::fmt::Display, held: bool, seen: &str) {
        self.count += 1;
        if !held {
            self.failed.push(format!("{what}: {}", seen.trim_end()));
        }
    }
}

impl Drop for Rows {
    #[expect(clippy::print_stdout, reason = "counts are part of what a case shows")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        println!("{}: {} of {} rows", self.case, self.count - self.failed.len(), self.count);
        assert!(self.failed.is_empty(), "{}:\n{}", self.case, self.failed.join("\n"));
        assert!(self.count > 0, "{}: no row", self.case);
    }
}
