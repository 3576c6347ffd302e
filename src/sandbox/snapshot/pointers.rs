//! `.git` files in the workspace that lead to what is watched: of submodules and linked worktrees. A `git
//! status` of the whole follows those of submodules.
//!
//! Where they are is read from what is remembered of the git directories that they lead to, which no command
//! decides; nothing is searched for.

use std::collections::BTreeSet;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::Contents;
use super::States;
use crate::sandbox::git;

/// The places of such files below `top`, whether or not anything stands there.
pub(super) fn of(states: &States, top: &Path) -> BTreeSet<PathBuf> {
    let own = top.join(".git");
    let places = states.iter().filter_map(|(path, state)| {
        let Contents::File(bytes) = &state.contents else { return None };
        let (git, name) = (path.parent()?, path.file_name()?);
        let is_config = name == "config" || name == "config.worktree";
        if git == own || !(is_config || name == "gitdir") {
            return None;
        }
        if !matches!(states.get(git)?.contents, Contents::Repository(_)) {
            return None;
        }
        let place =
            if is_config { worktree(bytes)? } else { String::from_utf8_lossy(bytes).into() };
        let place = Path::new(place.trim_end_matches(['\n', '\r']));
        let place = plain(&git.join(place))?;
        Some(if is_config { place.join(".git") } else { place })
    });
    let is_outside = |path: &PathBuf| {
        path.starts_with(top)
            && path.file_name().is_some_and(|name| name == ".git")
            && !path.starts_with(&own)
    };
    places.filter(is_outside).collect()
}

fn worktree(config: &[u8]) -> Option<String> {
    if !git::config::mentions(config, b"worktree") {
        return None;
    }
    let entries = git::config::entries(config).into_iter();
    let mut entries = entries.filter(|entry| entry.section == "core" && entry.key == "worktree");
    // The last one counts.
    entries.next_back().map(|entry| entry.value)
}

/// Without `..`: what it is joined to is a real path.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => plain.pop().then_some(())?,
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    Some(plain)
}
