//! What a machine does not have, said by the test that would need it: nothing is left out in silence.

use std::io::Write;

/// A test, or a part of it, that cannot be staged here, and what it would need. Said aloud, and noted in
/// the file that `AGI_TEST_LACKING_LIST` names; a failure where `AGI_TEST_DEMANDS` names that need.
#[allow(clippy::print_stderr, reason = "whoever runs the tests has to see it")]
pub fn lacking(need: &str, test: &str) {
    eprintln!("not run here for want of {need}: {test}");
    if let Some(list) = std::env::var_os("AGI_TEST_LACKING_LIST") {
        let mut options = std::fs::File::options();
        let mut list = options.append(true).create(true).open(list).expect("the list");
        writeln!(list, "{need}: {test}").expect("a line of the list");
    }
    let demands = std::env::var("AGI_TEST_DEMANDS").unwrap_or_default();
    let is_demanded = demands.split(',').any(|demand| demand.trim() == need);
    assert!(!is_demanded, "`{test}` was demanded, and there is no {need} here");
}
