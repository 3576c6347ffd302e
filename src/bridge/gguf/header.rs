//! The header of a GGUF file (version 2 and 3): its keys and the shapes of its tensors.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Everything is checked
//! against the size of the file, so that a damaged or hostile one costs an error and no memory.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::PathBuf;

use super::plausible;
use super::plausible::Seen;
use super::source::Source;
use super::tensor;
use crate::system::process::executable;

/// The first four bytes.
const MAGIC: [u8; 4] = *b"GGUF";
/// Longer arrays are told by their length.
const KEPT_ENTRIES: u64 = 64;
/// Longest key or value that is taken; chat templates have some 10 KB.
const MAX_TEXT: u64 = 1 << 22;
/// Most keys and most tensors; real files have some tens and some thousands.
const MAX_ITEMS: u64 = 1 << 16;
/// Where the file does not say how tensor data is aligned.
const ALIGNMENT: u64 = 32;

/// The kind of each token of the vocabulary, and that of those that stand for a byte.
const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
const BYTE_TOKEN: u64 = 6;

/// A file that cannot be read as GGUF.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    #[error("model file `{path}` cannot be read: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("directory of models `{path}` cannot be read: {source}")]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is not a usable GGUF file: {reason}")]
    Format { path: PathBuf, reason: String },
    #[error("no model `{name}` in this executable; it has: {known}")]
    NotAppended { name: String, known: String },
    #[error("the model `{name}` is behind this program's own file, which cannot be read: {reason}")]
    OwnFile { name: String, reason: String },
}

impl GgufError {
    /// What to do next, where it is not about the file that was named.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::OwnFile { .. }).then_some(executable::HINT)
    }
}

/// A value of the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// Up to 64 entries.
    Array(Vec<Self>),
    /// The length of a longer array.
    Long(u64),
}

impl Value {
    /// A count, where the value is one.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Unsigned(value) => Some(*value),
            Self::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }
}

/// The header, with what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// `llama`, `qwen3`, `bert`, …: the prefix of its keys.
    pub architecture: String,
    pub name: Option<String>,
    /// Bytes of the whole GGUF.
    pub file_size: u64,
    /// Bytes of the tensors.
    pub weights: u64,
    pub parameters: u64,
    pub metadata: BTreeMap<String, Value>,
}

impl Header {
    /// The count under a key of the architecture, such as `block_count`.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.metadata.get(&format!("{}.{key}", self.architecture))?.count()
    }

    /// Tokens the model was trained for; 0 when the file does not say.
    pub fn context_length(&self) -> u64 {
        self.count("context_length").unwrap_or(0)
    }

    pub fn embedding_length(&self) -> u64 {
        self.count("embedding_length").unwrap_or(0)
    }

    /// Bytes of key and value cache per token at 16 bits: for each block, the heads that have keys
    /// of their own, times the length of key and value. Models that make vectors only have none.
    pub fn cache_per_token(&self) -> u64 {
        if self.metadata.get(&format!("{}.attention.causal", self.architecture))
            == Some(&Value::Bool(false))
        {
            return 0;
        }
        let blocks = self.count("block_count").unwrap_or(0);
        let heads = self.count("attention.head_count").unwrap_or(0);
        let length = self.embedding_length().checked_div(heads).unwrap_or(0);
        let key = self.count("attention.key_length").unwrap_or(length);
        let value = self.count("attention.value_length").unwrap_or(length);
        let all_heads =
            match self.metadata.get(&format!("{}.attention.head_count_kv", self.architecture)) {
                Some(Value::Array(per_block)) => {
                    per_block.iter().filter_map(Value::count).fold(0, u64::saturating_add)
                }
                Some(one) => one.count().unwrap_or(heads).saturating_mul(blocks),
                None => heads.saturating_mul(blocks),
            };
        all_heads.saturating_mul(key.saturating_add(value)).saturating_mul(2)
    }
}

/// Reads the header of a model.
pub fn read(source: &Source) -> Result<Header, GgufError> {
    let path = source.path();
    let io = |error| GgufError::Io { path: path.to_path_buf(), source: error };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let (start, size) = match source {
        Source::File(_) => (0, file.metadata().map_err(io)?.len()),
        Source::Part { offset, size, .. } => (*offset, *size),
    };
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    let stream = BufReader::with_capacity(1 << 16, file);
    parse(stream, size)
        .map_err(|reason| GgufError::Format { path: path.to_path_buf(), reason: reason.0 })
}

/// Why a stream is no header.
#[derive(Debug)]
struct Reason(String);

impl From<std::io::Error> for Reason {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Self("it ends within the header".to_owned())
        } else {
            Self(error.to_string())
        }
    }
}

fn parse<R: Read + Seek>(stream: BufReader<R>, size: u64) -> Result<Header, Reason> {
    let mut reader = Reader { stream, position: 0, size };
    if reader.bytes::<4>()? != MAGIC {
        return Err(Reason("it does not begin with `GGUF`".to_owned()));
    }
    let version = u32::from_le_bytes(reader.bytes()?);
    if !(2..=3).contains(&version) {
        return Err(Reason(format!("version {version} is not known")));
    }
    let tensors = reader.number("tensors", MAX_ITEMS)?;
    let keys = reader.number("keys", MAX_ITEMS)?;
    let mut metadata = BTreeMap::new();
    let mut seen = Seen::default();
    for _ in 0..keys {
        let key = reader.text()?;
        let kind = u32::from_le_bytes(reader.bytes()?);
        let value = if key == TOKEN_TYPES && kind == 9 {
            reader.token_types(&mut seen)?
        } else {
            reader.value(kind, true)?
        };
        metadata.insert(key, value);
    }
    let (mut parameters, mut end) = (0u64, 0u64);
    for _ in 0..tensors {
        let tensor = reader.tensor(&mut seen)?;
        parameters = parameters.saturating_add(tensor.elements);
        end = end.max(tensor.end);
    }
    let alignment = metadata.get("general.alignment").and_then(Value::count).unwrap_or(ALIGNMENT);
    let data = reader.position.next_multiple_of(alignment.clamp(1, 1 << 20));
    match data.saturating_add(end).saturating_sub(size) {
        // Without tensors there is nothing to align.
        0 => {}
        _ if tensors == 0 => {}
        1 => return Err(Reason("it was cut: 1 byte is missing".to_owned())),
        missing => return Err(Reason(format!("it was cut: {missing} bytes are missing"))),
    }
    let text = |key: &str| match metadata.get(key) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let header = Header {
        architecture: text("general.architecture")
            .ok_or_else(|| Reason("no key `general.architecture`".to_owned()))?,
        name: text("general.name"),
        file_size: size,
        weights: size.saturating_sub(data),
        parameters,
        metadata,
    };
    plausible::objection(&header, &seen).map_or(Ok(header), |objection| Err(Reason(objection)))
}

/// Little-endian values, counted.
struct Reader<R> {
    stream: BufReader<R>,
    position: u64,
    size: u64,
}

impl<R: Read + Seek> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let mut bytes = [0; N];
        self.advance(N as u64)?;
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Counts what is about to be read; an error past the end.
    fn advance(&mut self, length: u64) -> Result<(), Reason> {
        self.position = self
            .position
            .checked_add(length)
            .filter(|end| *end <= self.size)
            .ok_or_else(|| Reason("it ends within the header".to_owned()))?;
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), Reason> {
        self.advance(length)?;
        let length = i64::try_from(length).map_err(|error| Reason(error.to_string()))?;
        Ok(self.stream.seek_relative(length)?)
    }

    fn number(&mut self, what: &str, most: u64) -> Result<u64, Reason> {
        let number = u64::from_le_bytes(self.bytes()?);
        if number > most { Err(Reason(format!("it claims {number} {what}"))) } else { Ok(number) }
    }

    fn text(&mut self) -> Result<String, Reason> {
        let length = self.number("bytes of text", MAX_TEXT)?;
        self.advance(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|e| Reason(e.to_string()))?];
        self.stream.read_exact(&mut bytes)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// One value; `outermost`: arrays may not hold arrays.
    fn value(&mut self, kind: u32, outermost: bool) -> Result<Value, Reason> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.bytes()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.bytes()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.bytes()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Unsigned(u32::from_le_bytes(self.bytes()?).into()),
            5 => Value::Signed(i32::from_le_bytes(self.bytes()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.bytes()?).into()),
            7 => Value::Bool(self.bytes::<1>()? != [0]),
            8 => Value::Text(self.text()?),
            9 if outermost => self.array()?,
            10 => Value::Unsigned(u64::from_le_bytes(self.bytes()?)),
            11 => Value::Signed(i64::from_le_bytes(self.bytes()?)),
            12 => Value::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(Reason(format!("a value has the unknown type {kind}"))),
        })
    }

    fn array(&mut self) -> Result<Value, Reason> {
        let kind = u32::from_le_bytes(self.bytes()?);
        let length = u64::from_le_bytes(self.bytes()?);
        if length <= KEPT_ENTRIES {
            return (0..length)
                .map(|_| self.value(kind, false))
                .collect::<Result<_, _>>()
                .map(Value::Array);
        }
        if kind == 8 {
            for _ in 0..length {
                let text = self.number("bytes of text", MAX_TEXT)?;
                self.skip(text)?;
            }
            return Ok(Value::Long(length));
        }
        let width: u64 = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            _ => return Err(Reason(format!("a list has the unknown type {kind}"))),
        };
        self.skip(length.saturating_mul(width))?;
        Ok(Value::Long(length))
    }

    /// The kinds of all tokens, of which only what [`Seen`] wants is kept.
    fn token_types(&mut self, seen: &mut Seen) -> Result<Value, Reason> {
        let kind = u32::from_le_bytes(self.bytes()?);
        let length = u64::from_le_bytes(self.bytes()?);
        for _ in 0..length {
            seen.byte_tokens |= self.value(kind, false)?.count() == Some(BYTE_TOKEN);
        }
        Ok(Value::Long(length))
    }

    /// One tensor's description.
    fn tensor(&mut self, seen: &mut Seen) -> Result<Tensor, Reason> {
        let name = self.text()?;
        let dimensions = u32::from_le_bytes(self.bytes()?);
        if dimensions > 4 {
            return Err(Reason(format!("a tensor has {dimensions} dimensions")));
        }
        let mut elements = 1u64;
        for _ in 0..dimensions {
            elements = elements.saturating_mul(u64::from_le_bytes(self.bytes()?));
        }
        let kind = u32::from_le_bytes(self.bytes()?);
        let offset = u64::from_le_bytes(self.bytes()?);
        seen.tensor(&name, dimensions, kind);
        let bytes = tensor::bytes(kind, elements).unwrap_or(0);
        Ok(Tensor { elements, end: offset.saturating_add(bytes) })
    }
}

/// What is kept of a tensor's description.
struct Tensor {
    elements: u64,
    /// Where its bytes end, counted from where those of all tensors begin.
    end: u64,
}

/// A whole file, for tests of other parts.
#[cfg(test)]
pub(super) use tests::small_gguf;

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
