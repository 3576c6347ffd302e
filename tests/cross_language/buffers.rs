//! Byte buffers: the same memory on both sides, and who releases it.

use agi_agent::bridge::ErrorKind;
use bytes::Bytes;
use serde_json::Value;

use crate::support::call;

const LARGE: usize = 200 << 20;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn rusts_200_megabytes_are_the_same_memory_in_python_and_back() {
    let bytes = Bytes::from(vec![7_u8; LARGE]);
    let place = bytes.as_ptr() as u64;
    let seen = call("test.address", "null", vec![bytes.clone()]).unwrap();
    assert_eq!(json(&seen.json)[0].as_u64(), Some(place));
    let back = call("echo", "null", vec![bytes.clone()]).unwrap().buffers.remove(0);
    assert_eq!((back.as_ptr() as u64, back.len()), (place, LARGE));
    drop(bytes);
    assert!(
        back.iter().step_by(1 << 16).all(|byte| *byte == 7),
        "the memory outlives its first owner"
    );
}

#[test]
fn pythons_200_megabytes_are_read_in_place_and_released_on_the_worker() {
    let answer = call("test.make", &LARGE.to_string(), Vec::new()).unwrap();
    let bytes = answer.buffers.into_iter().next().unwrap();
    assert_eq!(json(&answer.json).as_u64(), Some(bytes.as_ptr() as u64));
    assert_eq!(bytes.len(), LARGE);
    let part = bytes.slice(LARGE - 10..);
    drop(bytes);
    assert_eq!(
        json(&call("test.tracked", "null", Vec::new()).unwrap().json)[0],
        1,
        "a part keeps the whole alive"
    );
    assert_eq!(part, vec![42_u8; 10]);
    std::thread::spawn(move || drop(part)).join().unwrap();
    assert_eq!(
        json(&call("test.tracked", "null", Vec::new()).unwrap().json),
        serde_json::json!([0, true])
    );
}

#[test]
fn memory_that_python_keeps_stays_alive() {
    call("test.keep", "null", vec![Bytes::from(b"kept for later".to_vec())]).unwrap();
    assert_eq!(call("test.kept", "null", Vec::new()).unwrap().json, "\"kept\"");
}

#[test]
fn empty_and_many_buffers_cross() {
    let buffers: Vec<Bytes> = (0..100_u8).map(|n| Bytes::from(vec![n; usize::from(n)])).collect();
    assert_eq!(call("echo", "null", buffers.clone()).unwrap().buffers, buffers);
}

#[test]
fn memory_that_may_change_or_is_not_one_piece_is_refused() {
    for op in ["test.writable", "test.strided", "test.write_into"] {
        let error = call(op, "null", vec![Bytes::from_static(b"static")]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Exception, "{op}: {error:?}");
        assert!(
            error.message.starts_with("BufferError") || error.message.starts_with("TypeError"),
            "{op}: {error:?}"
        );
    }
}
