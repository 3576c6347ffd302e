//! Files of ours: who may read and write them, and the directory of the person's own wheels.

use std::path::Path;
use std::path::PathBuf;

use super::finding::Finding;
use crate::config::places::Places;
use crate::config::settings::Settings;

/// What a file must keep from others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Conversations and facts: nobody else may even read them.
    Private,
    /// Who can write it decides what the agent may do.
    Unchanged,
}

/// Files that others could read or change. One finding where all is well.
pub(super) fn permissions(places: &Places, settings: &Settings) -> Vec<Finding> {
    let mut checked: Vec<(PathBuf, Keep)> = vec![(places.system_config.clone(), Keep::Unchanged)];
    if let Some(config) = &places.user_config {
        checked.extend(config.parent().map(|folder| (folder.to_path_buf(), Keep::Unchanged)));
        checked.push((config.clone(), Keep::Unchanged));
    }
    if settings.memory.ephemeral.is_none() {
        checked.extend(settings.data_dir.clone().map(|folder| (folder, Keep::Private)));
        let database = &settings.memory.path;
        for end in ["", "-wal", "-shm"] {
            let mut name = database.clone().into_os_string();
            name.push(end);
            checked.push((name.into(), Keep::Private));
        }
    }
    let findings: Vec<_> =
        checked.iter().filter_map(|(path, keep)| open_to_others(path, *keep)).collect();
    if findings.is_empty() {
        return vec![Finding::ok("permissions", "configuration and data are the owner's alone")];
    }
    findings
}

#[cfg(unix)]
fn open_to_others(path: &Path, keep: Keep) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;

    let metadata = path.metadata().ok()?;
    let shown = path.display();
    if ![0, crate::system::user::effective_id()?].contains(&metadata.uid()) {
        let detail = format!("{shown} belongs to another user (id {})", metadata.uid());
        return Some(Finding::problem("permissions", detail, format!("chown $USER {shown}")));
    }
    let mode = metadata.mode() & 0o777;
    if keep == Keep::Private && mode & 0o077 != 0 {
        let wanted = if metadata.is_dir() { "700" } else { "600" };
        let detail = format!("others can read {shown} (mode {mode:03o})");
        let remedy = format!("chmod {wanted} {shown}");
        return Some(Finding::problem("permissions", detail, remedy));
    }
    if mode & 0o022 != 0 {
        let detail = format!("others can change {shown} (mode {mode:03o})");
        return Some(Finding::problem("permissions", detail, format!("chmod go-w {shown}")));
    }
    None
}

/// Elsewhere the profile directory of the user keeps others out.
#[cfg(not(unix))]
fn open_to_others(_path: &Path, _keep: Keep) -> Option<Finding> {
    None
}

/// The directory of the person's own Python packages.
pub(super) fn wheels(settings: &Settings) -> Finding {
    match &settings.python.wheels {
        Some(path) if !path.is_dir() => Finding::problem(
            "python",
            format!("`python.wheels` names `{}`, which is no directory", path.display()),
            format!("pip install --target {} PACKAGE", path.display()),
        ),
        Some(path) => match foreign_extension(path) {
            Some(file) => Finding::note(
                "python",
                format!("{} was compiled for another Python than 3.13", file.display()),
                format!(
                    "pip install --upgrade --python-version 3.13 --only-binary :all: --target {} PACKAGE",
                    path.display()
                ),
            ),
            None => Finding::ok("python", format!("packages of {}", path.display())),
        },
        None => Finding::ok("python", "bundled"),
    }
}

/// A compiled module in a package of the directory that our Python cannot load.
fn foreign_extension(directory: &Path) -> Option<PathBuf> {
    let files = |directory: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let packages = files(directory);
    let inside = packages.iter().filter(|path| path.is_dir()).flat_map(|path| files(path));
    packages.iter().cloned().chain(inside).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".cpython-") && name.ends_with(".so") && !name.contains(".cpython-313")
    })
}
