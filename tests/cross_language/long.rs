//! Measurements: latency, throughput, growth. They print what they find (`--nocapture`).
//!
//! 50,000 calls by default; `AGI_LONG=1` makes it a million.

use std::time::Instant;

use agi_agent::bridge::Python;
use bytes::Bytes;

use crate::support::block_on;
use crate::support::call;
use crate::support::python;

fn wanted_calls() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "a switch of this test")]
    let long = std::env::var_os("AGI_LONG").is_some();
    if long { 1_000_000 } else { 50_000 }
}

/// Bytes of text in the measurement of throughput.
const SIZE: usize = 20 << 20;

/// Bytes of this process that are in memory.
fn resident() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

async fn echo(python: &Python, count: u32) {
    let buffer = Bytes::from_static(b"a buffer");
    for _ in 0..count {
        let answer = python
            .call("echo", "{\"a\":[1,\"text\"]}".to_owned(), vec![buffer.clone()])
            .await
            .unwrap();
        assert_eq!(answer.buffers[0], buffer);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn calls_leave_nothing_behind() {
    let (python, count) = (python(), wanted_calls());
    block_on(async {
        echo(&python, 5_000).await;
        let before = resident();
        let start = Instant::now();
        echo(&python, count).await;
        let grown = resident() - before;
        let held = vec![1_u8; 64 << 20];
        assert!(resident() - before > 32 << 20, "the measure sees memory that is held");
        drop(held);
        println!(
            "{count} calls: {:.1} us each, resident {grown:+} bytes",
            start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
        );
        // 200 MB buffers of tests beside this one come and go in the same process.
        assert!(grown < 8 << 20, "{grown} bytes more after {count} calls");
    });
}

#[test]
fn latency_and_throughput_are_printed() {
    let python = python();
    block_on(async {
        let mut times = Vec::new();
        for _ in 0..5_000 {
            let start = Instant::now();
            python.call("health", "null".to_owned(), Vec::new()).await.unwrap();
            times.push(start.elapsed());
        }
        times.sort();
        println!("empty call: median {:?}, p99 {:?}", times[2_500], times[4_950]);
    });
    let payload = format!("\"{}\"", "x".repeat(SIZE));
    let start = Instant::now();
    call("test.keep", &payload, Vec::new()).unwrap();
    println!("text to python: {:.0} MB/s", 20.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    assert_eq!(call("test.repeat", &SIZE.to_string(), Vec::new()).unwrap().json.len(), SIZE + 2);
    println!("text from python: {:.0} MB/s", 20.0 / start.elapsed().as_secs_f64());
    let bytes = Bytes::from(vec![1_u8; 200 << 20]);
    let start = Instant::now();
    let back = call("echo", "null", vec![bytes]).unwrap().buffers.remove(0);
    println!("200 MB buffer there and back: {:?}", start.elapsed());
    assert_eq!(back.len(), 200 << 20);
}
