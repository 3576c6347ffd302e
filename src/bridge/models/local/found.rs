//! Which file a model's name means, and which models there are.
//!
//! A name is a path, `embedded` or `embedded:NAME` (appended to this executable), or a file in the
//! directory of models. Headers are read; nothing is loaded.

use std::path::Path;
use std::path::PathBuf;

use crate::bridge::gguf;
use crate::bridge::gguf::Header;
use crate::bridge::gguf::Source;
use crate::bridge::gguf::Value;
use crate::config::models::local::AUTO;
use crate::config::settings::ModelSettings;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// How deep the directory of models is searched: downloads come as `AUTHOR/MODEL/FILE.gguf`.
const DEPTH: usize = 3;
/// Entries that are looked at; a directory that holds more is somebody's whole disk.
const MAX_ENTRIES: usize = 10_000;

/// A model that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// As the configuration and `--model local/NAME` call it.
    pub name: String,
    /// A path, or `embedded:NAME`.
    pub source: String,
    pub header: Header,
}

impl Found {
    fn read(name: String, source: String) -> Result<Self, gguf::GgufError> {
        let header = gguf::read(&Source::find(&source)?)?;
        Ok(Self { name, source, header })
    }

    /// Whether it writes text; others make vectors only.
    pub fn writes(&self) -> bool {
        let key = format!("{}.attention.causal", self.header.architecture);
        self.header.metadata.get(&key) != Some(&Value::Bool(false))
    }

    /// Such as `Q8_0`; empty where the file does not say.
    pub fn quantisation(&self) -> &'static str {
        let kind = self.header.metadata.get("general.file_type").and_then(Value::count);
        kind.map_or("", quantisation)
    }
}

/// A file or directory in the directory of models, or a model of this executable, that cannot be used.
#[derive(Debug)]
pub struct Unreadable {
    /// As a model there would be called.
    pub name: String,
    pub source: String,
    pub error: gguf::GgufError,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those inside this executable, then those of the directory by name.
    pub models: Vec<Found>,
    pub unreadable: Vec<Unreadable>,
}

impl Listing {
    fn add(&mut self, name: String, source: String) {
        match Found::read(name.clone(), source.clone()) {
            Ok(model) => self.models.push(model),
            Err(error) => self.unreadable.push(Unreadable { name, source, error }),
        }
    }

    /// What to do where there is no model to take.
    fn hint(&self, directory: Option<&Path>) -> String {
        match self.unreadable.len() {
            0 => place(directory),
            count => format!(
                "{}; of {count} that cannot be read `agi-agent model list` says why",
                place(directory)
            ),
        }
    }
}

/// llama.cpp's `llama_ftype`.
fn quantisation(kind: u64) -> &'static str {
    const NAMES: [(u64, &str); 26] = [
        (0, "F32"),
        (1, "F16"),
        (2, "Q4_0"),
        (3, "Q4_1"),
        (7, "Q8_0"),
        (8, "Q5_0"),
        (9, "Q5_1"),
        (10, "Q2_K"),
        (11, "Q3_K_S"),
        (12, "Q3_K_M"),
        (13, "Q3_K_L"),
        (14, "Q4_K_S"),
        (15, "Q4_K_M"),
        (16, "Q5_K_S"),
        (17, "Q5_K_M"),
        (18, "Q6_K"),
        (19, "IQ2_XXS"),
        (20, "IQ2_XS"),
        (21, "Q2_K_S"),
        (23, "IQ3_XXS"),
        (24, "IQ1_S"),
        (25, "IQ4_NL"),
        (26, "IQ3_S"),
        (30, "IQ4_XS"),
        (32, "BF16"),
        (38, "MXFP4"),
    ];
    NAMES.iter().find(|(number, _)| *number == kind).map_or("", |(_, name)| name)
}

/// The model that the settings mean.
pub fn find(settings: &ModelSettings) -> Result<Found, ModelError> {
    let directory = settings.local.directory.as_deref();
    let name = settings.name.as_str();
    if name == AUTO {
        return the_only(directory);
    }
    if name == "embedded" {
        let found = embedded().models.into_iter().find(Found::writes);
        return found.ok_or_else(|| wrong("this executable holds no model that writes text"));
    }
    let source = source(name, directory);
    let Some(source) = source else {
        return Err(unknown(name, directory));
    };
    Found::read(name.to_owned(), source).map_err(|error| match error.hint() {
        Some(hint) => wrong(error.to_string()).with_hint(hint),
        None => wrong(error.to_string()),
    })
}

/// Where a name leads: a path as it is, a file of the directory with or without `.gguf`, a model of
/// this executable.
fn source(name: &str, directory: Option<&Path>) -> Option<String> {
    if name.starts_with(gguf::EMBEDDED) || Path::new(name).is_file() {
        return Some(name.to_owned());
    }
    let in_directory = directory.and_then(|directory| {
        [directory.join(name), directory.join(format!("{name}.gguf"))]
            .into_iter()
            .find(|path| path.is_file())
            .map(|path| path.to_string_lossy().into_owned())
    });
    in_directory.or_else(|| {
        let held = gguf::appended().iter().any(|model| model.name == name);
        held.then(|| format!("{}{name}", gguf::EMBEDDED))
    })
}

fn the_only(directory: Option<&Path>) -> Result<Found, ModelError> {
    let mut listing = listing(directory);
    let mut found: Vec<Found> =
        std::mem::take(&mut listing.models).into_iter().filter(Found::writes).collect();
    match (found.len(), found.pop()) {
        (1, Some(only)) => Ok(only),
        (0, _) | (_, None) => {
            Err(wrong("there is no local model").with_hint(listing.hint(directory)))
        }
        (_, Some(last)) => {
            let mut names: Vec<&str> = found.iter().map(|model| model.name.as_str()).collect();
            names.push(&last.name);
            let message = format!("there are {} local models: {}", names.len(), names.join(", "));
            Err(wrong(message).with_hint("say which: `--model local/NAME`"))
        }
    }
}

fn unknown(name: &str, directory: Option<&Path>) -> ModelError {
    let error = wrong(format!("there is no local model `{name}`"));
    let listing = listing(directory);
    let names: Vec<&str> = listing.models.iter().map(|model| model.name.as_str()).collect();
    if names.is_empty() {
        return error.with_hint(listing.hint(directory));
    }
    error.with_hint(format!("there are: {}", names.join(", ")))
}

fn place(directory: Option<&Path>) -> String {
    directory.map_or_else(
        || "give the path of a GGUF file: `--model local/PATH`".to_owned(),
        |directory| {
            format!(
                "put a GGUF file into `{}`, or give its path: `--model local/PATH`",
                directory.display()
            )
        },
    )
}

fn wrong(message: impl Into<String>) -> ModelError {
    ModelError::new(ModelErrorKind::Configuration, message)
}

fn embedded() -> Listing {
    let mut listing = Listing::default();
    for model in gguf::appended() {
        let name = format!("{}{}", gguf::EMBEDDED, model.name);
        listing.add(name.clone(), name);
    }
    listing
}

/// All models, and what looks like one and is none.
pub fn listing(directory: Option<&Path>) -> Listing {
    let mut listing = embedded();
    let Some(directory) = directory else { return listing };
    let mut walk = Walk { left: MAX_ENTRIES, ..Walk::default() };
    walk.enter(directory.to_owned(), DEPTH);
    walk.files.sort();
    let name = |path: &Path| {
        let inside = path.strip_prefix(directory).unwrap_or(path);
        inside.to_string_lossy().replace('\\', "/")
    };
    for path in walk.files {
        listing.add(name(&path.with_extension("")), path.to_string_lossy().into_owned());
    }
    listing.unreadable.extend(walk.failed.into_iter().map(|(path, source)| Unreadable {
        name: name(&path),
        source: path.to_string_lossy().into_owned(),
        error: gguf::GgufError::Directory { path, source },
    }));
    listing
}

/// What a directory of models holds.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    failed: Vec<(PathBuf, std::io::Error)>,
    /// Entries that are still looked at.
    left: usize,
}

impl Walk {
    /// Looks through a directory, unless there is none.
    fn enter(&mut self, directory: PathBuf, depth: usize) {
        if let Err(error) = self.look_through(&directory, depth)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            self.failed.push((directory, error));
        }
    }

    fn look_through(&mut self, directory: &Path, depth: usize) -> std::io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let path = entry.path();
            if depth > 1 && entry.file_type()?.is_dir() {
                self.enter(path, depth - 1);
            } else if path.extension().is_some_and(|end| end == "gguf") && !is_further_part(&path) {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// Whether it is `…-00002-of-00003.gguf`: the first part stands for all.
fn is_further_part(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once("-of-").is_some_and(|(before, of)| {
        let number = before.rsplit('-').next().unwrap_or_default();
        of.len() == 5 && number.len() == 5 && number != "00001"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_split_model_count_once() {
        assert!(is_further_part(Path::new("m-00002-of-00003.gguf")));
        assert!(!is_further_part(Path::new("m-00001-of-00003.gguf")));
        assert!(!is_further_part(Path::new("state-of-the-art.gguf")));
    }

    #[test]
    fn names_lead_to_files() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("author/model.gguf");
        std::fs::create_dir(directory.path().join("author")).unwrap();
        std::fs::write(&file, "no model").unwrap();
        let path = file.to_string_lossy().into_owned();
        for name in ["author/model", "author/model.gguf", &path] {
            assert_eq!(source(name, Some(directory.path())).as_ref(), Some(&path), "{name}");
        }
        assert_eq!(source("model", Some(directory.path())), None);
        let all = listing(Some(directory.path()));
        assert!(all.models.is_empty(), "a file that is no GGUF");
        let [unreadable] = &all.unreadable[..] else { panic!("{all:?}") };
        assert_eq!((&unreadable.name[..], &unreadable.source), ("author/model", &path));
        assert!(unreadable.error.to_string().ends_with("it does not begin with `GGUF`"));
        let error = the_only(Some(directory.path())).unwrap_err();
        assert_eq!(error.message, "there is no local model");
        let hint = error.hint.unwrap();
        assert!(hint.starts_with("put a GGUF file into"), "{hint}");
        assert!(
            hint.ends_with("of 1 that cannot be read `agi-agent model list` says why"),
            "{hint}"
        );
    }
}
