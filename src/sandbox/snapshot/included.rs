//! Files in the workspace that are git's configuration because what is watched includes them: they are it under
//! another name, and what one says goes for every later git.
//!
//! Where they are is read from what is remembered, which no command decides; nothing is searched for. Links
//! outside of the workspace are looked up.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Contents;
use super::States;
use crate::sandbox::git;
use crate::sandbox::git::included::Configuration;
use crate::sandbox::git::included::Ground;

/// Below a root.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Of included files, whether or not anything stands there.
    pub(super) files: BTreeSet<PathBuf>,
    /// Of what is on the way to them, where it is not watched anyway.
    pub(super) ways: BTreeSet<PathBuf>,
}

impl Places {
    /// Those that are not in others.
    pub(super) fn beyond<'a>(&'a self, known: &'a Self) -> (Vec<&'a PathBuf>, Vec<&'a PathBuf>) {
        let files = self.files.difference(&known.files).collect();
        (files, self.ways.difference(&known.ways).collect())
    }
}

/// The places below `top` that the remembered configurations lead to.
pub(super) fn of(states: &States, top: &Path) -> Places {
    let configurations: Vec<(PathBuf, Arc<[u8]>)> = states
        .iter()
        .filter_map(|(path, state)| {
            let Contents::File(bytes) = &state.contents else { return None };
            let name = path.file_name()?;
            let is_config = name == "config" || name == "config.worktree";
            // Of that name in `hooks` and the like it is something else.
            let is_apart = || {
                let parent = path.parent().and_then(|parent| states.get(parent));
                parent.is_none_or(|parent| parent.contents != Contents::Directory)
            };
            let includes = is_config && git::config::mentions(bytes, b"include") && is_apart();
            includes.then(|| (path.clone(), Arc::clone(bytes)))
        })
        .collect();
    if configurations.is_empty() {
        return Places::default();
    }
    let Configuration { mut files, mut ways, .. } =
        Configuration::read(configurations, &Remembered { states, top });
    let is_below = |path: &PathBuf| path != top && path.starts_with(top);
    files.retain(is_below);
    // What is watched for itself is no link without being put back.
    let is_link = |path: &PathBuf| match states.get(path) {
        Some(state) => matches!(state.contents, Contents::Link(_)),
        None => true,
    };
    ways.retain(|path| is_below(path) && is_link(path));
    Places { files, ways }
}

struct Remembered<'a> {
    states: &'a States,
    top: &'a Path,
}

impl Ground for Remembered<'_> {
    fn link(&self, path: &Path) -> Option<PathBuf> {
        if !path.starts_with(self.top) {
            return std::fs::read_link(path).ok();
        }
        match &self.states.get(path)?.contents {
            Contents::Link(target) => Some(target.clone()),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> Option<Arc<[u8]>> {
        match &self.states.get(path)?.contents {
            Contents::File(bytes) => Some(Arc::clone(bytes)),
            _ => None,
        }
    }
}
