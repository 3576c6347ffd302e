//! Models behind the end of our own executable.
//!
//! `[executable] [zeros up to a page] [GGUF] [trailer]`, and again for the next one. A trailer is 64
//! bytes: `AGIGGUF1`, the name (32 bytes, zeros behind), then as little-endian 64-bit numbers how
//! long the file was before, where the GGUF begins, and how long it is. Whole pages, so that the
//! kernel maps the model in place; nothing of it is read before it is asked for. The release
//! appends the sentence model (`release/machinery/sentence.py`), a person more (`append`).

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::system::process::executable;

const MAGIC: [u8; 8] = *b"AGIGGUF1";
/// Bytes of a name.
pub(super) const NAME: usize = 32;
const TRAILER: usize = 64;
/// Where a model may begin: pages of the usual size, so that it can be mapped.
pub(super) const PAGE: u64 = 4096;
/// Nobody appends more; bounds the walk through a damaged chain.
pub(super) const MAX_MODELS: usize = 16;

/// One model in the executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub name: String,
    pub executable: PathBuf,
    pub offset: u64,
    pub size: u64,
}

/// The models of this executable, the one appended last first; none where it cannot be read.
pub fn appended() -> &'static [Appended] {
    held().map_or(&[], Vec::as_slice)
}

/// The same, or why our own file cannot be read. Looked up once.
pub(super) fn held() -> Result<&'static Vec<Appended>, &'static str> {
    static FOUND: OnceLock<Result<Vec<Appended>, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let found = executable::to_open().and_then(|path| chain(&path));
        found.map_err(|error| {
            tracing::debug!(%error, "models of the executable cannot be listed");
            error.to_string()
        })
    });
    found.as_ref().map_err(String::as_str)
}

/// Follows the trailers from the end of a file.
pub(super) fn chain(path: &Path) -> std::io::Result<Vec<Appended>> {
    let mut file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut found = Vec::new();
    while found.len() < MAX_MODELS && end >= TRAILER as u64 {
        file.seek(SeekFrom::Start(end - TRAILER as u64))?;
        let mut trailer = [0; TRAILER];
        file.read_exact(&mut trailer)?;
        let Some((name, before, offset, size)) = read(&trailer) else { break };
        if before > offset || offset.checked_add(size) != Some(end - TRAILER as u64) {
            break;
        }
        found.push(Appended { name, executable: path.to_path_buf(), offset, size });
        end = before;
    }
    Ok(found)
}

/// What stands behind a model; the name is cut to its field.
pub(super) fn trailer(name: &str, before: u64, offset: u64, size: u64) -> Vec<u8> {
    let mut trailer = MAGIC.to_vec();
    trailer.extend(name.bytes().chain(std::iter::repeat(0)).take(NAME));
    for number in [before, offset, size] {
        trailer.extend(number.to_le_bytes());
    }
    trailer
}

fn read(trailer: &[u8; TRAILER]) -> Option<(String, u64, u64, u64)> {
    let (magic, rest) = trailer.split_at(MAGIC.len());
    let (name, numbers) = rest.split_at(NAME);
    if magic != MAGIC {
        return None;
    }
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = std::str::from_utf8(name).ok()?.to_owned();
    let (numbers, _) = numbers.as_chunks::<8>();
    let [before, offset, size] = numbers else { return None };
    Some((
        name,
        u64::from_le_bytes(*before),
        u64::from_le_bytes(*offset),
        u64::from_le_bytes(*size),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(bytes: &mut Vec<u8>, name: &str, model: &[u8]) {
        let before = bytes.len() as u64;
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        let offset = bytes.len() as u64;
        bytes.extend(model);
        bytes.extend(trailer(name, before, offset, model.len() as u64));
    }

    fn chain_of(bytes: &[u8]) -> Vec<Appended> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        chain(file.path()).unwrap()
    }

    #[test]
    fn models_are_found_from_the_end() {
        let mut bytes = b"\x7fELF and so on".to_vec();
        append(&mut bytes, "first", b"GGUF one");
        append(&mut bytes, "second", b"GGUF second");
        let found = chain_of(&bytes);
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["second", "first"]);
        for (one, content) in found.iter().zip([&b"GGUF second"[..], b"GGUF one"]) {
            let start = usize::try_from(one.offset).unwrap();
            assert_eq!(start % 4096, 0);
            assert_eq!(&bytes[start..start + usize::try_from(one.size).unwrap()], content);
        }
    }

    #[test]
    fn a_file_without_models_or_with_a_broken_trailer_has_none() {
        assert_eq!(chain_of(b""), []);
        assert_eq!(chain_of(&[7; 200]), []);
        let mut bytes = vec![1; 100];
        append(&mut bytes, "model", b"GGUF");
        let size = bytes.len();
        bytes[size - 1] = 0xff;
        assert_eq!(chain_of(&bytes), []);
        bytes.push(0);
        assert_eq!(chain_of(&bytes), []);
    }
}
