//! Hard links: a file of the agent's own that has another name where commands reach it.
//!
//! Bounds go by names, so a command could read the database or write the configuration through such a
//! name. No command can make one; a person or a backup program may have. Nothing is repaired here: the
//! command is refused, and the link is named.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::error::SandboxError;
use super::policy::Policy;

/// Files of the agent's own that are looked at; of more than these, models and the like, the rest is not.
const MOST_OWN: usize = 2_000;
/// Entries that are looked at for another name, once a file has one.
const MOST_ENTRIES: usize = 500_000;

/// Refuses if a protected file has another name below what commands may read or write. Called before every
/// command: as long as no file has another name at all, one look at each is all that it costs.
pub(super) async fn refuse(policy: &Policy) -> Result<(), SandboxError> {
    if !policy.is_enforced() {
        return Ok(());
    }
    let own = files_of_several_names(&policy.protected);
    if own.is_empty() {
        return Ok(());
    }
    // All of the workspace: others are not to wait for that.
    let policy = policy.clone();
    let search = tokio::task::spawn_blocking(move || search(&policy, &own));
    search.await.map_err(|error| SandboxError::process(std::io::Error::other(error)))?
}

/// A file with more than one name: the one that is known, and which file it is.
type Own = (PathBuf, (u64, u64));

fn files_of_several_names(directories: &[PathBuf]) -> Vec<Own> {
    let mut own = Vec::new();
    for directory in directories {
        walk(directory, &[], MOST_OWN, &mut |path, found| {
            if found.is_file() && found.nlink() > 1 {
                own.push((path.to_path_buf(), identity(found)));
            }
            true
        });
    }
    own
}

fn search(policy: &Policy, own: &[Own]) -> Result<(), SandboxError> {
    let mut second = None;
    for root in std::iter::once(&policy.cwd).chain(&policy.read).chain(&policy.write) {
        walk(root, &policy.protected, MOST_ENTRIES, &mut |path, found| {
            if found.is_file() && found.nlink() > 1 {
                let same = own.iter().find(|(_, own)| *own == identity(found));
                second = same.map(|(own, _)| (own.clone(), path.to_path_buf()));
            }
            second.is_none()
        });
        if let Some((own, name)) = &second {
            let words = |path: &PathBuf| path.display().to_string();
            return Err(SandboxError::SecondName { own: words(own), name: words(name) });
        }
    }
    Ok(())
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Shows what is below a path, links not followed, until `show` returns false or `most` were shown.
fn walk(
    path: &Path,
    without: &[PathBuf],
    most: usize,
    show: &mut impl FnMut(&Path, &Metadata) -> bool,
) {
    let mut rest = vec![path.to_path_buf()];
    let mut count = 0;
    while let Some(path) = rest.pop() {
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        count += 1;
        if count > most || !show(&path, &found) {
            return;
        }
        if found.is_dir() && !without.contains(&path) {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            rest.extend(entries.map(|entry| entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::refuse;
    use crate::config::settings::SandboxLevel;
    use crate::config::settings::SandboxSettings;
    use crate::sandbox::policy::Policy;

    #[test]
    fn a_second_name_in_reach_is_refused_and_one_out_of_reach_is_not() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        for name in ["work/deep", "data", "elsewhere"] {
            std::fs::create_dir_all(base.join(name)).unwrap();
        }
        std::fs::write(base.join("data/agent.db"), "x").unwrap();
        std::fs::write(base.join("work/a"), "x").unwrap();
        std::fs::hard_link(base.join("work/a"), base.join("work/b")).unwrap();
        let verdict = |level| {
            let settings = SandboxSettings {
                level,
                add_dirs: Vec::new(),
                read: Vec::new(),
                net: Vec::new(),
                env: Vec::new(),
            };
            let policy = Policy::new(&settings, &base.join("work"), vec![base.join("data")]);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(refuse(&policy))
        };
        std::fs::hard_link(base.join("data/agent.db"), base.join("elsewhere/copy")).unwrap();
        verdict(SandboxLevel::WorkspaceWrite).unwrap();
        std::fs::hard_link(base.join("data/agent.db"), base.join("work/deep/copy")).unwrap();
        for level in [SandboxLevel::ReadOnly, SandboxLevel::WorkspaceWrite] {
            let error = verdict(level).unwrap_err().to_string();
            assert!(error.contains("deep/copy") && error.contains("agent.db"), "{error}");
        }
        verdict(SandboxLevel::DangerFullAccess).unwrap();
    }
}
