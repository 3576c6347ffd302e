//! Models of this process: each file is loaded once, however often it is asked for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;
use std::time::SystemTime;

use super::raw::Failure;
use super::raw::Loading;
use super::raw::Model;
use crate::bridge::gguf;
use crate::bridge::gguf::Source;
use crate::bridge::jobs::Job;

/// What tells one loaded model from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    path: PathBuf,
    source: Source,
    size: u64,
    changed: Option<SystemTime>,
    mmap: bool,
}

static LOADED: Mutex<Vec<(Key, Weak<Model>)>> = Mutex::new(Vec::new());
/// Held while loading, so that who asks for the same model meanwhile gets that one.
static LOADING: Mutex<()> = Mutex::new(());
/// How often a waiting job looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

impl Loading for Job {
    fn at(&self, part: f32) -> bool {
        self.tell(Some(part));
        !self.is_cancelled()
    }
}

/// Why there is no model.
#[derive(Debug, Clone)]
pub(super) enum NotLoaded {
    Failed(Failure),
    /// It would not fit into memory.
    TooLarge(String),
}

/// The model at `source`; loads it unless somebody has. `Ok(None)`: cancelled.
pub(super) fn load(
    source: &Source,
    mmap: bool,
    check_memory: bool,
    job: &Job,
) -> Result<Option<Arc<Model>>, NotLoaded> {
    let key = key(source, mmap)?;
    let _alone = loop {
        match LOADING.try_lock() {
            Ok(guard) => break guard,
            Err(std::sync::TryLockError::Poisoned(error)) => break error.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) if job.is_cancelled() => return Ok(None),
            Err(std::sync::TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    };
    if let Some(model) = find(&key) {
        return Ok(Some(model));
    }
    let failed = |text: String| NotLoaded::Failed(Failure(text));
    let header = gguf::read(source).map_err(|error| failed(error.to_string()))?;
    if check_memory && let Some(text) = gguf::estimate(&header, 0, false).refusal() {
        return Err(NotLoaded::TooLarge(text));
    }
    // A part of the executable stays where it is; repacking would copy it.
    let repack = matches!(source, Source::File(_));
    let loaded = Model::load(source, mmap, repack, job);
    if job.is_cancelled() {
        return Ok(None);
    }
    let model = Arc::new(loaded.map_err(NotLoaded::Failed)?);
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(_, model)| model.strong_count() > 0);
    all.push((key, Arc::downgrade(&model)));
    Ok(Some(model))
}

fn find(key: &Key) -> Option<Arc<Model>> {
    let all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().find(|(other, _)| other == key)?.1.upgrade()
}

fn key(source: &Source, mmap: bool) -> Result<Key, NotLoaded> {
    let failed = |error: std::io::Error| {
        let path = source.path().display();
        NotLoaded::Failed(Failure(format!("model file `{path}` cannot be read: {error}")))
    };
    let path = source.path().canonicalize().map_err(failed)?;
    let facts = path.metadata().map_err(failed)?;
    let source = match source {
        Source::File(_) => Source::File(path.clone()),
        part @ Source::Part { .. } => part.clone(),
    };
    Ok(Key { path, source, size: facts.len(), changed: facts.modified().ok(), mmap })
}
