//! The private temporary directory of children: made on demand, gone with the sandbox.

use std::path::Path;
use std::path::PathBuf;

use crate::config::env::Environment;

/// A directory `agi-agent-…` of mode 0700. Children get `tmp` inside of it; what lies beside `tmp` is
/// out of their reach, which is what their self-test tries.
#[derive(Debug)]
pub(super) struct Scratch {
    root: PathBuf,
    tmp: PathBuf,
}

impl Scratch {
    /// In `TMPDIR` or the system's place; `None` where none can be made.
    pub(super) fn create(environment: &Environment) -> Option<Self> {
        let places = [environment.path("TMPDIR"), environment.path("TEMP")];
        let usual = [PathBuf::from("/tmp"), PathBuf::from("/var/tmp"), PathBuf::from("/dev/shm")];
        places.into_iter().flatten().chain(usual).find_map(|place| Self::create_in(&place))
    }

    fn create_in(place: &Path) -> Option<Self> {
        let place = std::fs::canonicalize(place).ok()?;
        let name = format!("agi-agent-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let root = place.join(name);
        let scratch = Self { tmp: root.join("tmp"), root };
        // Fails if the name is there, whoever made it.
        create_private(&scratch.root).ok()?;
        create_private(&scratch.tmp).ok()?;
        Some(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.tmp
    }
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A child may have taken away permissions of its own directories; the rest is the system's
        // cleaner's.
        if let Err(error) = std::fs::remove_dir_all(&self.root) {
            tracing::warn!(path = %self.root.display(), %error, "a temporary directory is left");
        }
    }
}
