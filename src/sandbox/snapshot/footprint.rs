//! What a run that is to leave nothing has made of the place where agents meet (`shared`): gone with it.
//!
//! Removes nothing that was there before, and nothing that another agent uses.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use super::shared;

/// The place as it was when this was made; dropped, it is so again.
#[derive(Debug)]
pub(in crate::sandbox) struct Footprint {
    directory: PathBuf,
    /// Directories on the way there that were missing, the deepest first.
    missing: Vec<PathBuf>,
    before: BTreeSet<OsString>,
}

impl Footprint {
    pub(in crate::sandbox) fn of(directory: &Path) -> Self {
        let missing = directory.ancestors().take_while(|path| !path.exists());
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        Self {
            directory: directory.to_path_buf(),
            missing: missing.map(Path::to_path_buf).collect(),
            before: entries.map(|entry| entry.file_name()).collect(),
        }
    }
}

impl Drop for Footprint {
    fn drop(&mut self) {
        if let Err(error) = shared::clear(&self.directory, &self.before) {
            tracing::debug!(%error, directory = %self.directory.display(), "others meet here");
            return;
        }
        for directory in &self.missing {
            // What is not empty is somebody else's by now.
            if std::fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::Footprint;
    use super::shared::Place;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn join(directory: &Path, root: &Path) -> Place {
        let joined = Place::join(directory, root, false, |_| Ok(Arc::default()));
        joined.unwrap_or_else(|_| panic!("nobody is there")).0
    }

    #[test]
    fn nothing_is_left_of_a_place_that_was_not_there() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("share/agi-agent/running");
        let footprint = Footprint::of(&directory);
        join(&directory, base.path()).leave();
        assert_eq!(names(&directory), ["lock"]);
        drop(footprint);
        assert_eq!(names(base.path()), [""; 0]);
    }

    #[test]
    fn what_was_there_or_is_another_agent_s_stays() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("running");
        let footprint = Footprint::of(&directory);
        let other = join(&directory, base.path());
        drop(footprint);
        assert_eq!(names(&directory).len(), 2);
        let later = Footprint::of(&directory);
        other.leave();
        drop(later);
        assert_eq!(names(&directory), ["lock"]);
    }
}
