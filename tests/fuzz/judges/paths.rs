//! The resolver of paths against the file system itself: every file of a generated tree says where it
//! is, so what is read through any spelling tells whether it was inside, and whatever is written,
//! made and removed, the world outside stays as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use agi_agent::system::opener::Opener;
use agi_agent::system::opener::PathRules;

const INSIDE: &str = "inside";
const OUTSIDE: &str = "outside";

/// More lines than this say nothing new.
const MAX_LINES: usize = 24;

/// A line each: `f`, `d` or `l` make a file, a directory, a link (`l NAME>TARGET`) in the workspace;
/// `r`, `w`, `m`, `x`, `s` read, write, make a directory, remove, list through the opener. `$` is the directory
/// around the workspace.
pub fn judge(data: &[u8]) {
    let Some(text) = super::text(data) else { return };
    let base = tempfile::tempdir().expect("a directory");
    let base = base.path().canonicalize().expect("its real path");
    let work = base.join("work");
    for directory in ["work/.git", "outside/d", "state"] {
        std::fs::create_dir_all(base.join(directory)).expect("a directory");
    }
    for file in ["outside/secret", "outside/d/secret", "state/agent.db", "work/.git/config"] {
        std::fs::write(base.join(file), OUTSIDE).expect("a file");
    }
    std::fs::write(work.join("a"), INSIDE).expect("a file");
    let world = contents(&base);
    let opener = Opener::new(PathRules {
        cwd: work.clone(),
        write: vec![work.clone()],
        protected: vec![base.join("state")],
        ..PathRules::default()
    });
    for line in text.lines().take(MAX_LINES) {
        let Some((verb, rest)) = line.split_at_checked(1) else { continue };
        let rest = rest.trim_start_matches(' ').replace('$', &base.to_string_lossy());
        match verb {
            "f" | "d" | "l" => make(&work, verb, &rest),
            verb => attempt(&opener, verb, Path::new(&rest), &base),
        }
    }
    let now = contents(&base);
    assert_eq!(now, world, "{text:?} changed what is not the workspace's");
}

/// Makes a node of the tree, by the system's own calls and below the workspace only.
fn make(work: &Path, verb: &str, rest: &str) {
    let (name, target) = rest.split_once('>').unwrap_or((rest, ""));
    let plain = |part: &str| !part.is_empty() && part != ".." && !part.contains('\0');
    if !name.split('/').all(plain) || name.to_lowercase().contains("git") {
        return;
    }
    let path = work.join(name);
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    // Outside nothing is made, and git's own files are part of the world that must not change.
    if !parent.is_some_and(|real| real.starts_with(work) && !real.starts_with(work.join(".git"))) {
        return;
    }
    // A name may be taken: then there is one node less.
    drop(match verb {
        "f" => std::fs::File::create_new(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, INSIDE.as_bytes())),
        "d" => std::fs::create_dir(&path),
        _ => std::os::unix::fs::symlink(target, &path),
    });
}

fn attempt(opener: &Opener, verb: &str, path: &Path, base: &Path) {
    match verb {
        "r" => {
            let Ok(file) = opener.open_read(path) else { return };
            let allowed = opener.check_read(path);
            assert!(allowed.is_ok(), "{} opens, and may not be read", path.display());
            let mut content = [0; 7];
            let read = std::io::Read::read(&mut &file, &mut content).unwrap_or(0);
            let is_git = real(&file).starts_with(base.join("work/.git"));
            let outside = content[..read] == *OUTSIDE.as_bytes();
            assert!(!outside || is_git, "{} reads what is outside", path.display());
        }
        "w" => {
            let allowed = opener.check_write(path).is_ok();
            let done = opener.replace(path, b"written", None);
            assert!(allowed || done.is_err(), "{} was written unasked", path.display());
        }
        "m" => drop(opener.create_dir_all(path)),
        "x" => drop(opener.remove_file(path)),
        "s" => {
            let Ok(entries) = opener.read_dir(path) else { return };
            let outside = base.join("outside");
            assert!(entries.iter().all(|entry| !entry.path.starts_with(&outside)), "{entries:?}");
        }
        _ => {}
    }
}

/// Where an open file really is.
fn real(file: &std::fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default()
}

/// Everything around the workspace, and git's own files in it: path and content.
fn contents(base: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![base.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory").flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a kind");
            let is_ours = path.starts_with(base.join("work/.git"));
            if path.starts_with(base.join("work/")) && path != base.join("work") && !is_ours {
                continue;
            }
            if kind.is_dir() {
                open.push(path.clone());
            }
            let content =
                if kind.is_file() { std::fs::read(&path).expect("a file") } else { Vec::new() };
            found.insert(path, content);
        }
    }
    found
}
