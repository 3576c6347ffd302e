//! Python's measurements arrive as `tracing` events.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use crate::support::alone;
use crate::support::call;

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_of_python_are_events_of_rust() {
    alone("spans::spans_of_python_are_events_of_rust", || {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        call("test.spans", "null", Vec::new()).unwrap();
        call("test.fail", "\"value\"", Vec::new()).unwrap_err();
        let text = log.text();
        let line = |name: &str| {
            let wanted = format!("name=\"{name}\"");
            text.lines()
                .find(|line| line.contains(&wanted))
                .unwrap_or_else(|| panic!("{name}: {text}"))
        };
        for name in ["inner", "test.spans", "test.fail"] {
            assert!(
                line(name).contains("duration_us=") && line(name).contains("python{op="),
                "{text}"
            );
        }
        assert!(
            text.find("name=\"inner\"") < text.find("name=\"test.spans\""),
            "in order of end: {text}"
        );
        assert!(text.contains("ValueError: bad luck") && text.contains("in handle"), "{text}");
    });
}

#[test]
fn without_a_reader_python_measures_nothing() {
    alone("spans::without_a_reader_python_measures_nothing", || {
        call("test.spans", "null", Vec::new()).unwrap();
        assert_eq!(call("test.collected", "null", Vec::new()).unwrap().json, "0");
    });
}
