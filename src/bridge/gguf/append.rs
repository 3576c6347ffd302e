//! Writes a copy of an executable with one more model behind its end (`appended` has the format).
//!
//! The copy appears under its name when it is whole and on the disk, or not at all. The executable
//! that is copied is never changed. Nothing is loaded.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::appended;
use super::appended::Appended;
use super::header;
use super::header::GgufError;
use super::header::Value;
use super::source::Source;

/// Bytes between two looks at whether it goes on.
const CHUNK: usize = 1 << 20;

/// Why a model was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Model(#[from] GgufError),
    #[error("`{path}` is the first of {parts} files")]
    Split { path: PathBuf, parts: u64 },
    #[error("`{name}` cannot be the name of an appended model: {reason}")]
    Name { name: String, reason: &'static str },
    #[error("this executable holds a model `{0}` already")]
    Taken(String),
    #[error("this executable holds {0} models, and no more can be appended")]
    Full(usize),
    #[error("`{0}` exists")]
    Exists(PathBuf),
    #[error("{action} `{path}`: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("interrupted, nothing was written")]
    Stopped,
}

impl AppendError {
    /// What to do next, where we know.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model(_) => Some("give the path of a whole GGUF file"),
            Self::Split { .. } => Some("merge the parts into one GGUF file first"),
            Self::Name { .. } | Self::Taken(_) => Some("give another one with `--name`"),
            Self::Full(_) => Some("append to a file that holds fewer"),
            Self::Exists(_) => Some("remove it, or give another name with `--output`"),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("the file needs as much room as this executable and the model together")
            }
            Self::Io { .. } | Self::Stopped => None,
        }
    }
}

/// What to append, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// Copied; it may hold models already.
    pub executable: &'a Path,
    pub model: &'a Path,
    /// The model will be `embedded:NAME`.
    pub name: &'a str,
    /// Must not exist.
    pub output: &'a Path,
}

impl Append<'_> {
    /// Checks, copies, appends; gives where the model is in the new file. `goes_on` is asked every
    /// megabyte.
    pub fn run(self, goes_on: &dyn Fn() -> bool) -> Result<Appended, AppendError> {
        self.check()?;
        let mut temporary = Temporary::create(self.output)?;
        let failed = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| AppendError::Io { action, path, source }
        };
        let mut executable =
            File::open(self.executable).map_err(failed("cannot read", self.executable))?;
        let mut model = File::open(self.model).map_err(failed("cannot read", self.model))?;
        let before = self.copy(&mut executable, &mut temporary, goes_on)?;
        let offset = before.next_multiple_of(appended::PAGE);
        let gap = usize::try_from(offset - before).unwrap_or_default();
        temporary.write(&vec![0; gap])?;
        let size = self.copy(&mut model, &mut temporary, goes_on)?;
        temporary.write(&appended::trailer(self.name, before, offset, size))?;
        let mode = executable.metadata().map_err(failed("cannot read", self.executable))?;
        temporary.finish(mode.permissions())?;
        Ok(Appended {
            name: self.name.to_owned(),
            executable: self.output.to_path_buf(),
            offset,
            size,
        })
    }

    fn check(self) -> Result<(), AppendError> {
        let name = |reason| AppendError::Name { name: self.name.to_owned(), reason };
        if self.name.is_empty() {
            return Err(name("it is empty"));
        }
        if self.name.len() > appended::NAME {
            return Err(name("it has more than 32 bytes"));
        }
        if self.name.contains(|c: char| c.is_control() || c.is_whitespace() || c == '/') {
            return Err(name("it has blanks or slashes"));
        }
        let header = header::read(&Source::File(self.model.to_path_buf()))?;
        match header.metadata.get("split.count").and_then(Value::count) {
            Some(parts) if parts > 1 => {
                return Err(AppendError::Split { path: self.model.to_path_buf(), parts });
            }
            _ => {}
        }
        let held = appended::chain(self.executable).map_err(|source| AppendError::Io {
            action: "cannot read",
            path: self.executable.to_path_buf(),
            source,
        })?;
        if held.iter().any(|one| one.name == self.name) {
            return Err(AppendError::Taken(self.name.to_owned()));
        }
        if held.len() >= appended::MAX_MODELS {
            return Err(AppendError::Full(held.len()));
        }
        if self.output.symlink_metadata().is_ok() {
            return Err(AppendError::Exists(self.output.to_path_buf()));
        }
        Ok(())
    }

    /// Copies a whole file; gives its length.
    fn copy(
        self,
        from: &mut File,
        to: &mut Temporary<'_>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<u64, AppendError> {
        let mut chunk = vec![0; CHUNK];
        let mut length = 0;
        loop {
            if !goes_on() {
                return Err(AppendError::Stopped);
            }
            let read = from.read(&mut chunk).map_err(|source| AppendError::Io {
                action: "cannot go on reading for",
                path: self.output.to_path_buf(),
                source,
            })?;
            if read == 0 {
                return Ok(length);
            }
            to.write(&chunk[..read])?;
            length += read as u64;
        }
    }
}

/// The new file while it is written, beside its later name; removed unless it is finished.
struct Temporary<'a> {
    output: &'a Path,
    path: PathBuf,
    file: File,
}

impl<'a> Temporary<'a> {
    fn create(output: &'a Path) -> Result<Self, AppendError> {
        let failed = |source| AppendError::Io {
            action: "cannot create",
            path: output.to_path_buf(),
            source,
        };
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        // A copy that was killed may have left its part behind, and in a container every process id is 1.
        let mut count = 0_u32;
        loop {
            let path =
                output.with_file_name(format!(".{name}.{}-{count}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { output, path, file }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => count += 1,
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn failed(&self, source: std::io::Error) -> AppendError {
        AppendError::Io { action: "cannot write", path: self.output.to_path_buf(), source }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        self.file.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Gives the file its name, once it is on the disk.
    fn finish(self, permissions: std::fs::Permissions) -> Result<(), AppendError> {
        self.file.set_permissions(permissions).map_err(|error| self.failed(error))?;
        self.file.sync_all().map_err(|error| self.failed(error))?;
        // A link never replaces what somebody has put there meanwhile; where there are no links, the
        // moment between the look and the renaming stays.
        match std::fs::hard_link(&self.path, self.output) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(AppendError::Exists(self.output.to_path_buf()))
            }
            Err(_) => std::fs::rename(&self.path, self.output).map_err(|error| self.failed(error)),
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "a part of a file is left");
        }
    }
}

#[cfg(test)]
#[path = "append_tests.rs"]
mod tests;
