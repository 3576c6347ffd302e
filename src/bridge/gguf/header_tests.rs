//! Headers that are whole, cut, and lying.

use std::io::Cursor;

use super::*;

/// Writes headers as the format has them.
struct Writer(Vec<u8>);

impl Writer {
    fn new(tensors: u64, keys: u64) -> Self {
        let mut writer = Self(b"GGUF".to_vec());
        writer.0.extend(3u32.to_le_bytes());
        writer.0.extend(tensors.to_le_bytes());
        writer.0.extend(keys.to_le_bytes());
        writer
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn key(self, key: &str, kind: u32) -> Self {
        let mut writer = self.text(key);
        writer.0.extend(kind.to_le_bytes());
        writer
    }

    fn word(self, key: &str, value: &str) -> Self {
        self.key(key, 8).text(value)
    }

    fn count(self, key: &str, value: u32) -> Self {
        let mut writer = self.key(key, 4);
        writer.0.extend(value.to_le_bytes());
        writer
    }

    fn words(self, key: &str, count: u64) -> Self {
        let mut writer = self.key(key, 9);
        writer.0.extend(8u32.to_le_bytes());
        writer.0.extend(count.to_le_bytes());
        for index in 0..count {
            writer = writer.text(&format!("w{index}"));
        }
        writer
    }

    fn tensor(self, name: &str, shape: [u64; 2]) -> Self {
        let mut writer = self.text(name);
        writer.0.extend(2u32.to_le_bytes());
        for length in shape {
            writer.0.extend(length.to_le_bytes());
        }
        writer.0.extend(0u32.to_le_bytes());
        writer.0.extend(0u64.to_le_bytes());
        writer
    }
}

fn parse_all(bytes: Vec<u8>) -> Result<Header, Reason> {
    let size = bytes.len() as u64;
    parse(BufReader::new(Cursor::new(bytes)), size)
}

fn llama() -> Vec<u8> {
    Writer::new(1, 8)
        .word("general.architecture", "llama")
        .word("general.name", "tiny")
        .count("llama.context_length", 512)
        .count("llama.embedding_length", 64)
        .count("llama.block_count", 2)
        .count("llama.attention.head_count", 4)
        .count("llama.attention.head_count_kv", 2)
        .words("tokenizer.ggml.tokens", 300)
        .tensor("token_embd.weight", [64, 300])
        .0
}

/// The header with as many bytes as it promises.
pub(in crate::bridge::gguf) fn small_gguf() -> Vec<u8> {
    let mut bytes = llama();
    bytes.resize(bytes.len().next_multiple_of(32) + 64 * 300 * 4, 0);
    bytes
}

#[test]
fn a_file_that_was_cut_is_told_by_its_tensors() {
    let whole = small_gguf();
    for (missing, told) in [(1, "1 byte is missing"), (76_800, "76800 bytes are missing")] {
        let reason = parse_all(whole[..whole.len() - missing].to_vec()).unwrap_err();
        assert_eq!(reason.0, format!("it was cut: {told}"));
    }
}

#[test]
fn a_header_tells_what_a_model_needs() {
    let header = parse_all(small_gguf()).unwrap();
    assert_eq!(header.architecture, "llama");
    assert_eq!(header.name.as_deref(), Some("tiny"));
    assert_eq!(header.context_length(), 512);
    assert_eq!(header.parameters, 64 * 300);
    assert_eq!(header.weights, 64 * 300 * 4);
    assert_eq!(header.metadata["tokenizer.ggml.tokens"], Value::Long(300));
    // Two blocks, two heads of 16 for keys and as much for values, two bytes each.
    assert_eq!(header.cache_per_token(), 2 * 2 * (16 + 16) * 2);
}

#[test]
fn every_cut_is_an_error_and_not_a_panic() {
    let bytes = llama();
    for length in 0..bytes.len() {
        let reason = parse_all(bytes[..length].to_vec()).unwrap_err();
        assert!(reason.0.contains("ends within the header"), "{length}: {}", reason.0);
    }
}

#[test]
fn lies_about_lengths_take_no_memory() {
    for keys in [u64::MAX, 1 << 40] {
        assert!(parse_all(Writer::new(0, keys).0).is_err());
    }
    let mut text = Writer::new(0, 1).0;
    text.extend(u64::MAX.to_le_bytes());
    assert!(parse_all(text).is_err());
    let mut list = Writer::new(0, 1).key("list", 9).0;
    list.extend(4u32.to_le_bytes());
    list.extend(u64::MAX.to_le_bytes());
    assert!(parse_all(list).is_err());
}

#[test]
fn what_is_no_gguf_is_named() {
    let reason = parse_all(b"PK\x03\x04 something".to_vec()).unwrap_err();
    assert_eq!(reason.0, "it does not begin with `GGUF`");
}
