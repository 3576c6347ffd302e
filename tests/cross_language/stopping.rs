//! Python code that does not come back: the caller does.

use std::time::Duration;
use std::time::Instant;

use agi_agent::bridge::ErrorKind;
use agi_agent::bridge::GRACE;
use agi_agent::protocol::ExitCode;
use agi_agent::protocol::ModelError;

use crate::support::alone;
use crate::support::block_on;
use crate::support::call;
use crate::support::call_within;
use crate::support::python;

const SOON: Duration = Duration::from_millis(100);

#[test]
fn runaway_loop_is_stopped_at_the_deadline_and_the_next_call_is_served() {
    let start = Instant::now();
    let error = call_within(SOON, "test.loop", "false").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Deadline);
    assert_eq!(error.message, "python took longer than 100ms for `test.loop`");
    assert!(start.elapsed() < SOON + GRACE / 2, "{:?}", start.elapsed());
    assert_eq!(call("echo", "1", Vec::new()).unwrap().json, "1");
}

#[test]
fn cancelled_call_returns_at_once_and_the_next_is_served() {
    let python = python();
    block_on(async {
        let call = python.call("test.loop", "false".to_owned(), Vec::new());
        let start = Instant::now();
        tokio::select! {
            answer = call => panic!("{answer:?}"),
            () = tokio::time::sleep(SOON) => {}
        }
        assert!(start.elapsed() < SOON + GRACE / 2);
        assert_eq!(python.call("echo", "2".to_owned(), Vec::new()).await.unwrap().json, "2");
    });
}

#[test]
fn call_that_waits_behind_another_can_be_cancelled_and_never_runs() {
    let python = python();
    block_on(async {
        let slow = python.call("test.sleep", "0.3".to_owned(), Vec::new());
        let waiting = python.call("test.loop", "true".to_owned(), Vec::new());
        let (slow, waiting) = tokio::join!(slow, tokio::time::timeout(SOON, waiting));
        assert!(slow.is_ok() && waiting.is_err());
        // A stubborn loop that ran would never let this through.
        assert_eq!(python.call("echo", "3".to_owned(), Vec::new()).await.unwrap().json, "3");
    });
}

#[test]
fn stubborn_loop_ends_the_run_with_54() {
    alone("stopping::stubborn_loop_ends_the_run_with_54", || {
        loses_the_interpreter("test.loop", "true");
    });
}

#[test]
fn code_that_blocks_outside_python_ends_the_run_with_54() {
    alone("stopping::code_that_blocks_outside_python_ends_the_run_with_54", || {
        loses_the_interpreter("test.sleep", "600");
    });
}

fn loses_the_interpreter(op: &'static str, payload: &str) {
    assert_eq!(call_within(SOON, op, payload).unwrap_err().kind, ErrorKind::Deadline);
    for _ in 0..2 {
        let start = Instant::now();
        let error = call("echo", "1", Vec::new()).unwrap_err();
        assert!(start.elapsed() < GRACE * 2, "{:?}", start.elapsed());
        assert_eq!(error.kind, ErrorKind::Lost);
        assert_eq!(error.message, "the python interpreter does not respond any more");
        assert_eq!(ExitCode::from_model_error(ModelError::from(error).kind), ExitCode::FatalTool);
    }
}
