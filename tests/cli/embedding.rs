//! `model embed`: with the sentence model of the released file, and with a server.
//!
//! The development binary has neither kernel nor model: there only the server and the refusals are
//! tried. `AGI_TEST_BINARY` names a released file, where everything has to work.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;
use crate::support::lacking;

/// Whether a released file is tested; what cannot be tried without one is said.
fn released(test: &str) -> bool {
    let found = std::env::var_os("AGI_TEST_BINARY").is_some();
    if !found {
        lacking("released file", test);
    }
    found
}

/// Texts and the vectors of the model's reference implementation (`release/bench/embeddings.py`).
fn reference() -> Vec<(String, Vec<f64>)> {
    include_str!("../fixtures/embedding/reference.jsonl")
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["text"].as_str().unwrap().to_owned(), vector(&row))
        })
        .collect()
}

fn vector(row: &Value) -> Vec<f64> {
    row["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn rows(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn vectors_are_those_of_the_reference() {
    if !released("vectors_are_those_of_the_reference") {
        return;
    }
    let context = TestContext::new();
    let reference = reference();
    let texts: Vec<&str> = reference.iter().map(|(text, _)| text.as_str()).collect();
    let input = texts.join("\n");
    let finished = context.run_with_input(["model", "embed", "--offline"], input.as_bytes());
    assert_eq!((finished.code, &*finished.stderr), (0, ""));
    let rows = rows(&finished.stdout);
    assert_eq!(rows.len(), reference.len());
    for (number, (row, (text, expected))) in rows.iter().zip(&reference).enumerate() {
        assert_eq!(row["index"], number);
        let near = cosine(&vector(row), expected);
        // Also of what is no sentence: nothing at all, one word 400 times.
        assert!(near > 0.9995, "{near}: {text}");
    }
    // Meaning, not only numbers: two meals are nearer to each other than to the stock market.
    let [meal, same, other] = [0, 1, 2].map(|index| vector(&rows[index]));
    assert!(cosine(&meal, &same) > 0.6 && cosine(&meal, &other) < 0.3);
}

#[test]
fn floats_are_the_same_vectors() {
    if !released("floats_are_the_same_vectors") {
        return;
    }
    let context = TestContext::new();
    let text = context.run_with_input(["model", "embed"], b"one\r\ntwo");
    let lengths: Vec<usize> = rows(&text.stdout).iter().map(|row| vector(row).len()).collect();
    assert_eq!(lengths, [384, 384]);
    let mut child = context
        .command(["model", "embed", "--format", "f32"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let bytes = child.wait_with_output().unwrap().stdout;
    assert_eq!(bytes.len(), 2 * 384 * 4);
    let floats: Vec<f64> =
        bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four).into()).collect();
    assert!(cosine(&floats[..384], &vector(&rows(&text.stdout)[0])) > 0.999_999);
}

#[test]
fn a_file_that_is_no_model_is_named() {
    let context = TestContext::new();
    context.write("notes.gguf", "these are notes");
    let finished = context.run_with_input(["model", "embed", "--name", "./notes.gguf"], b"text\n");
    assert_eq!(finished.code, 52, "{}", finished.stderr);
    assert!(finished.stderr.contains("does not begin with `GGUF`"), "{}", finished.stderr);
    let finished = context.run_with_input(["model", "embed", "--name", "nowhere"], b"text\n");
    assert_eq!(finished.code, 52, "{}", finished.stderr);
    assert!(finished.stderr.contains("models/nowhere.gguf"), "{}", finished.stderr);
}

#[test]
fn a_model_that_does_not_fit_is_refused_with_the_numbers() {
    if !released("a_model_that_does_not_fit_is_refused_with_the_numbers") {
        return;
    }
    let context = TestContext::new();
    // A sparse file: the header is whole, the weights are a hole of a hundred terabytes.
    let script = "
import struct
text = lambda s: struct.pack('<Q', len(s)) + s
key = lambda k, kind, data: text(k) + struct.pack('<I', kind) + data
keys = [key(b'general.architecture', 8, text(b'llama')), key(b'llama.block_count', 4, struct.pack('<I', 80))]
with open('huge.gguf', 'wb') as f:
    f.write(b'GGUF' + struct.pack('<IQQ', 3, 0, len(keys)) + b''.join(keys))
    f.truncate(8 << 40)
";
    assert_eq!(context.run(["python", "-c", script]).code, 0);
    let finished = context.run_with_input(["model", "embed", "--name", "./huge.gguf"], b"text\n");
    assert_ne!(finished.code, 0);
    assert!(finished.stderr.contains("needs 8796.1 GB of memory"), "{}", finished.stderr);
}

/// Tokens of the reference's tokenizer (`release/bench/embedding_tokens.py`): texts of many scripts.
#[test]
fn vectors_are_of_the_tokens_of_the_reference() {
    if !released("vectors_are_of_the_tokens_of_the_reference") {
        return;
    }
    let context = TestContext::new();
    let script = "
import _agi_llama, json, sys
model = _agi_llama.load('embedded:all-MiniLM-L6-v2').result()
for line in open(sys.argv[1], encoding='utf-8'):
    row = json.loads(line)
    tokens = model.tokenize(row['text'])
    assert tokens == row['ids'], (row, tokens)
    print()
";
    let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tokens.jsonl");
    let finished =
        context.run(["python".as_ref(), "-c".as_ref(), script.as_ref(), rows.as_os_str()]);
    assert_eq!((finished.code, &*finished.stderr), (0, ""));
    assert!(finished.stdout.lines().count() >= 300, "{}", finished.stdout);
}

#[test]
fn a_model_that_gives_no_vectors_is_refused() {
    let context = TestContext::new();
    if context.run(["python", "-c", "import _agi_llama"]).code != 0 {
        lacking("kernel", "a_model_that_gives_no_vectors_is_refused");
        return;
    }
    // The small encoder of the tests: once with scores, once with a number that is none.
    let script = "
import struct, sys
sys.path.insert(0, sys.argv[1])
import models
model = bytearray(models.bert())
open('fine.gguf', 'wb').write(model)
key = b'bert.pooling_type'
place = model.index(key) + len(key) + 4
ranks = model[:place] + struct.pack('<I', 4) + model[place + 4:]
open('ranks.gguf', 'wb').write(ranks)
open('nan.gguf', 'wb').write(model[:-4] + struct.pack('<f', float('nan')))
";
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/local");
    let made = context.run(["python".as_ref(), "-c".as_ref(), script.as_ref(), models.as_os_str()]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let embed = |arguments: &[&str]| {
        let fixed = ["model", "embed", "--name"];
        context.run_with_input(fixed.iter().chain(arguments), b"the name\nthe path\n")
    };
    let fine = embed(&["./fine.gguf"]);
    assert_eq!((fine.code, rows(&fine.stdout).len()), (0, 2), "{}", fine.stderr);
    for (name, reason) in [
        ("./ranks.gguf", "gives texts a score and no vector (`pooling_type` is 4, rank)"),
        ("./nan.gguf", "the model computes no numbers (NaN or infinite)"),
    ] {
        let refused = embed(&[name]);
        assert_eq!((refused.code, &*refused.stdout), (52, ""), "{name}: {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    }
    // Told how to make a vector of it, the model that was made for scores gives vectors.
    let told = embed(&["./ranks.gguf", "-c", "embedding.pooling=mean"]);
    assert_eq!((told.code, told.stdout), (0, fine.stdout), "{}", told.stderr);
}

/// Answers requests one after the other with these bodies; gives what was asked.
fn server(answers: Vec<(u16, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        while let Some((status, body)) = answers.get(asked.len()) {
            let (mut stream, _) = listener.accept().unwrap();
            // A connection that was opened and not used is no question.
            let Some(request) = request(&mut stream) else { continue };
            asked.push(request);
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

/// A whole request; `None` when the connection ends before.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0usize) {
            return Some(text);
        }
    }
}

fn remote(url: &str) -> TestContext {
    let mut context = TestContext::new();
    context.configure(
        &json!({"embedding": {"provider": "openai", "name": "small", "base_url": url}}).to_string(),
    );
    context.env("OPENAI_API_KEY", "sk-embedding");
    context
}

#[test]
fn a_server_is_asked_in_its_own_api() {
    let entry = |index: u8, vector: [f32; 2]| json!({"index": index, "embedding": vector});
    // In another order, and not of length 1.
    let answer = json!({"data": [entry(1, [0.0, 2.0]), entry(0, [3.0, 4.0])]}).to_string();
    let (url, thread) = server(vec![(503, "{}".into()), (200, answer)]);
    let context = remote(&url);
    let finished = context.run_with_input(["model", "embed"], b"one\ntwo\n");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let vectors: Vec<Vec<f64>> = rows(&finished.stdout).iter().map(vector).collect();
    assert!(cosine(&vectors[0], &[0.6, 0.8]) > 0.999_999);
    assert!((vectors[1][1] - 1.0).abs() < 1e-6, "{vectors:?}");
    let asked = thread.join().unwrap();
    assert_eq!(asked.len(), 2, "a failed server is asked again");
    let (head, body) = asked[1].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/embeddings HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer sk-embedding"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["model"], &body["input"]), (&json!("small"), &json!(["one", "two"])));
}

#[test]
fn a_server_that_refuses_or_answers_nonsense_is_quoted() {
    let refused = json!({"error": {"message": "bad key sk-embedding"}}).to_string();
    let (url, thread) = server(vec![(401, refused)]);
    let finished = remote(&url).run_with_input(["model", "embed"], b"one\n");
    assert_eq!(finished.code, 41, "{}", finished.stderr);
    assert!(finished.stderr.contains("HTTP 401: bad key ***"), "{}", finished.stderr);
    thread.join().unwrap();
    let short = json!({"data": [{"index": 0, "embedding": []}]}).to_string();
    let (url, thread) = server(vec![(200, short)]);
    let mut context = remote(&url);
    context.env("AGI_NETWORK_MAX_RETRIES", "0");
    let finished = context.run_with_input(["model", "embed"], b"one\n");
    assert_eq!(finished.code, 46, "{}", finished.stderr);
    assert!(finished.stderr.contains("vectors of 0"), "{}", finished.stderr);
    thread.join().unwrap();
}

#[test]
fn offline_asks_no_server_elsewhere() {
    let context = remote("https://embeddings.example/v1");
    let finished = context.run_with_input(["model", "embed", "--offline"], b"one\n");
    assert_eq!(finished.code, 45, "{}", finished.stderr);
}
