//! Signals belong to Rust.

use crate::support::alone;
use crate::support::call;

/// The signal masks of this process as the kernel reports them: ignored and caught.
fn dispositions() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .filter(|line| line.starts_with("SigIgn") || line.starts_with("SigCgt"))
        .map(str::to_owned)
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn starting_python_changes_no_signal() {
    alone("signals::starting_python_changes_no_signal", || {
        let before = dispositions();
        call("health", "null", Vec::new()).unwrap();
        assert_eq!(dispositions(), before);
    });
}
