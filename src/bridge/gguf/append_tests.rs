//! Appending to files that are made here: what comes out, and what is left when it does not work.

use std::path::Path;
use std::path::PathBuf;

use super::Append;
use super::AppendError;
use crate::bridge::gguf::appended;
use crate::bridge::gguf::header;
use crate::bridge::gguf::header::small_gguf;
use crate::bridge::gguf::source::Source;

struct Place {
    directory: tempfile::TempDir,
    model: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let model = small_gguf();
        std::fs::write(directory.path().join("program"), b"\x7fELF and so on").unwrap();
        std::fs::write(directory.path().join("model.gguf"), &model).unwrap();
        Self { directory, model }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, from: &str, name: &str, to: &Path) -> Result<(), AppendError> {
        let (executable, model) = (self.path(from), self.path("model.gguf"));
        let append = Append { executable: &executable, model: &model, name, output: to };
        append.run(&|| true).map(drop)
    }

    fn entries(&self) -> usize {
        std::fs::read_dir(self.directory.path()).unwrap().count()
    }
}

#[test]
fn models_are_appended_one_after_the_other() {
    let place = Place::new();
    let (one, two) = (place.path("one"), place.path("two"));
    place.append("program", "first", &one).unwrap();
    place.append("one", "second", &two).unwrap();
    let found = appended::chain(&two).unwrap();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["second", "first"]);
    for one in found {
        assert_eq!((one.offset % 4096, one.size), (0, place.model.len() as u64));
        let part = Source::Part { path: two.clone(), offset: one.offset, size: one.size };
        assert_eq!(header::read(&part).unwrap().architecture, "llama");
    }
    assert!(std::fs::read(&two).unwrap().starts_with(b"\x7fELF and so on\0"));
    assert_eq!(place.entries(), 4, "no temporary file is left");
}

#[test]
fn what_cannot_be_appended_leaves_nothing() {
    let place = Place::new();
    let (out, taken) = (place.path("out"), place.path("taken"));
    place.append("program", "first", &taken).unwrap();
    let again = place.append("taken", "first", &out).unwrap_err();
    assert_eq!(again.to_string(), "this executable holds a model `first` already");
    for (name, reason) in [
        ("", "it is empty"),
        ("a b", "it has blanks or slashes"),
        ("123456789012345678901234567890123", "it has more than 32 bytes"),
    ] {
        let error = place.append("program", name, &out).unwrap_err();
        assert!(error.to_string().ends_with(reason), "{error}");
    }
    let exists = place.append("program", "first", &taken).unwrap_err();
    assert!(matches!(exists, AppendError::Exists(_)));
    let nowhere = place.append("program", "first", &place.path("no/where")).unwrap_err();
    assert!(nowhere.to_string().starts_with("cannot create `"), "{nowhere}");
    std::fs::write(place.path("model.gguf"), &place.model[..place.model.len() - 1]).unwrap();
    let cut = place.append("program", "first", &out).unwrap_err();
    assert!(cut.to_string().contains("1 byte is missing"), "{cut}");
    assert_eq!(place.entries(), 3);
}

#[test]
fn who_is_interrupted_finds_nothing() {
    let place = Place::new();
    let (executable, model, out) =
        (place.path("program"), place.path("model.gguf"), place.path("out"));
    let append = Append { executable: &executable, model: &model, name: "m", output: &out };
    let asked = std::cell::Cell::new(0);
    let goes_on = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    assert!(matches!(append.run(&goes_on), Err(AppendError::Stopped)));
    assert_eq!((asked.get(), place.entries()), (3, 2));
}

#[test]
fn seventeen_are_too_many() {
    let place = Place::new();
    let mut last = "program".to_owned();
    for number in 0..appended::MAX_MODELS {
        let next = format!("out{number}");
        place.append(&last, &next, &place.path(&next)).unwrap();
        last = next;
    }
    let full = place.append(&last, "one-more", &place.path("out")).unwrap_err();
    assert_eq!(full.to_string(), "this executable holds 16 models, and no more can be appended");
}
