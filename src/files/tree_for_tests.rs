//! A temporary tree for tests of this module.

use std::path::Path;

use crate::system::opener::Opener;
use crate::system::opener::PathRules;

/// A temporary directory with an opener that may read and write in it.
pub(super) struct Tree {
    directory: tempfile::TempDir,
    pub(super) opener: Opener,
}

impl Tree {
    /// Writes these files.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rules = PathRules {
            cwd: directory.path().to_path_buf(),
            write: vec![directory.path().to_path_buf()],
            ..PathRules::default()
        };
        let tree = Self { opener: Opener::new(rules), directory };
        for (path, contents) in files {
            tree.write(path, contents);
        }
        tree
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let full = self.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, contents).unwrap();
    }
}
