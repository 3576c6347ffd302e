//! Walks a tree with several threads. Symbolic links are never followed, so a walk ends and stays
//! below its root; what is left out is ripgrep's default (see `ignored`).
//!
//! Visitors run on all threads in any order: whoever shows results sorts them.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio_util::sync::CancellationToken;

use super::ignored::Rules;
use super::name::shown;
use crate::files::FileError;
use crate::system::opener::Entry;
use crate::system::opener::EntryKind;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;

/// Entries of a large directory that one thread takes at a time.
const BATCH: usize = 128;

/// More threads than this do not help: the kernel's directory locks are the limit.
const MAX_THREADS: usize = 8;

/// Problems that are kept in words; all are counted.
const MAX_PROBLEMS: usize = 20;

/// What to walk.
#[derive(Debug, Clone)]
pub struct Walk {
    /// A directory, or a file (which is then the only thing visited, hidden and ignored or not).
    pub root: PathBuf,
    /// Also what is hidden or ignored.
    pub hidden: bool,
}

/// Something found. The root itself is not, unless it is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Real path, for opening.
    pub path: PathBuf,
    /// Below the root; empty when the root is a file.
    pub relative: PathBuf,
    /// As a person would write it: the root as given, joined with `relative`.
    pub shown: PathBuf,
    pub kind: EntryKind,
}

/// What could not be looked at: a few in words, in order, and how many in all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Problems {
    pub first: Vec<String>,
    pub total: u64,
}

impl Problems {
    pub(super) fn add(&mut self, line: String) {
        self.total += 1;
        let place = self.first.binary_search(&line).unwrap_or_else(|place| place);
        if place < MAX_PROBLEMS {
            self.first.insert(place, line);
            self.first.truncate(MAX_PROBLEMS);
        }
    }
}

/// Takes what a thread finds. Each thread makes its own.
pub type Visitor<'a> = Box<dyn FnMut(&Found) -> Result<(), FileError> + 'a>;

/// Walks. An error of a visitor or of a directory below the root is a problem and the walk goes on;
/// an error of the root itself is the error of the walk.
pub fn walk<'a>(
    opener: &Opener,
    walk: &Walk,
    cancel: &CancellationToken,
    visitor: &(dyn Fn() -> Visitor<'a> + Sync),
) -> Result<Problems, FileError> {
    let entries = match opener.read_dir(&walk.root) {
        Ok(entries) => entries,
        Err(OpenError::NotAFile { .. }) => return visit_file(opener, walk, visitor),
        Err(error) if is_not_a_directory(&error) => return visit_file(opener, walk, visitor),
        Err(error) => return Err(error.into()),
    };
    let root = opener.resolve(&walk.root);
    let real = std::fs::canonicalize(&root).unwrap_or(root);
    let rules = if walk.hidden { Arc::default() } else { Rules::above(opener, &real) };
    let tree = Tree { opener, walk, cancel, queue: Queue::default(), problems: Mutex::default() };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    tree.take_in(&Directory { real, relative: PathBuf::new(), rules }, entries);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| tree.work(&mut *visitor()));
        }
        tree.work(&mut *visitor());
    });
    if cancel.is_cancelled() {
        return Err(FileError::Cancelled);
    }
    Ok(tree.problems.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn is_not_a_directory(error: &OpenError) -> bool {
    matches!(error, OpenError::Io { source, .. }
        if source.kind() == std::io::ErrorKind::NotADirectory)
}

fn visit_file<'a>(
    opener: &Opener,
    walk: &Walk,
    visitor: &(dyn Fn() -> Visitor<'a> + Sync),
) -> Result<Problems, FileError> {
    // Opened and closed, so that a FIFO or a forbidden file is an error and not an empty result.
    opener.open_read(&walk.root)?;
    let found = Found {
        path: opener.resolve(&walk.root),
        relative: PathBuf::new(),
        shown: walk.root.clone(),
        kind: EntryKind::File,
    };
    visitor()(&found)?;
    Ok(Problems::default())
}

/// A directory whose entries are to be looked at.
#[derive(Clone)]
struct Directory {
    real: PathBuf,
    relative: PathBuf,
    /// The rules that hold for its entries.
    rules: Arc<Rules>,
}

enum Job {
    /// List the directory; `rules` are still those of its parent.
    List(Directory),
    /// Files to visit.
    Visit(Vec<Found>),
}

/// Jobs that wait, and whether more may come.
#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: Vec<Job>,
    /// Threads that hold a job and may add more.
    busy: usize,
    /// A thread panicked: the others leave too.
    broken: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, jobs: Vec<Job>) {
        self.lock().jobs.extend(jobs);
        self.changed.notify_all();
    }

    /// The next job; `None` when all is done.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.broken {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Gives a job back even when its thread panics, so that no other thread waits for ever.
struct Busy<'a>(&'a Queue);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        state.broken |= std::thread::panicking();
        drop(state);
        self.0.changed.notify_all();
    }
}

struct Tree<'a> {
    opener: &'a Opener,
    walk: &'a Walk,
    cancel: &'a CancellationToken,
    queue: Queue,
    problems: Mutex<Problems>,
}

impl Tree<'_> {
    fn work(&self, visit: &mut dyn FnMut(&Found) -> Result<(), FileError>) {
        while let Some(job) = self.queue.next() {
            let _busy = Busy(&self.queue);
            if self.cancel.is_cancelled() {
                continue;
            }
            match job {
                Job::List(directory) => match self.opener.read_dir(&directory.real) {
                    Ok(entries) => self.take_in(&directory, entries),
                    Err(error) => self.problem(&directory.relative, &error.into()),
                },
                Job::Visit(batch) => {
                    for found in batch {
                        if self.cancel.is_cancelled() {
                            break;
                        }
                        if let Err(error) = visit(&found) {
                            self.problem(&found.relative, &error);
                        }
                    }
                }
            }
        }
    }

    /// Puts the entries of a directory into the queue: directories to list, batches to visit.
    fn take_in(&self, directory: &Directory, entries: Vec<Entry>) {
        let rules = if self.walk.hidden {
            Arc::clone(&directory.rules)
        } else {
            let parent = Arc::clone(&directory.rules);
            Rules::below(self.opener, parent, &directory.real, &entries)
        };
        let mut jobs = Vec::new();
        let mut batch = Vec::new();
        for entry in entries {
            let is_directory = entry.kind == EntryKind::Directory;
            if !self.walk.hidden && rules.leaves_out(&entry.path, is_directory) {
                continue;
            }
            let relative = directory.relative.join(&entry.name);
            if is_directory {
                let rules = Arc::clone(&rules);
                jobs.push(Job::List(Directory {
                    real: entry.path.clone(),
                    relative: relative.clone(),
                    rules,
                }));
            }
            let shown = self.shown(&relative);
            batch.push(Found { path: entry.path, relative, shown, kind: entry.kind });
            if batch.len() == BATCH {
                jobs.push(Job::Visit(std::mem::take(&mut batch)));
            }
        }
        if !batch.is_empty() {
            jobs.push(Job::Visit(batch));
        }
        self.queue.add(jobs);
    }

    fn shown(&self, relative: &Path) -> PathBuf {
        let root = &self.walk.root;
        if root == Path::new(".") || root.as_os_str().is_empty() {
            relative.to_path_buf()
        } else {
            root.join(relative)
        }
    }

    fn problem(&self, relative: &Path, error: &FileError) {
        let line = match error {
            FileError::Open(_) | FileError::Io { .. } => error.to_string(),
            _ => format!("`{}`: {error}", shown(relative)),
        };
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).add(line);
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
