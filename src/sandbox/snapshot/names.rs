//! Names that mean something to git, and what it takes for a git directory.

use std::ffi::OsStr;

use super::looks::Found;
use super::looks::Kind;
use super::tree::Directory;

/// Entries of a git directory that steer git. The last two name remotes, as before there was `config`.
pub(in crate::sandbox) const STEERING: [&str; 7] =
    ["hooks", "config", "config.worktree", "commondir", "gitdir", "remotes", "branches"];

/// What a rebase that stopped will do next.
pub(super) const REBASE: &str = "git-rebase-todo";

/// Programs that git runs by themselves (`githooks(5)`).
pub(super) const HOOKS: [&str; 28] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "proc-receive",
    "push-to-checkout",
    "reference-transaction",
    "sendemail-validate",
    "update",
];

/// Bytes of such a list that are looked at.
const LIST: u64 = 1 << 20;

/// Whether a rebase would run programs when somebody lets it go on. In doubt it would.
pub(super) fn rebase_runs_programs(directory: &Directory) -> bool {
    let list = match directory.read(OsStr::new(REBASE), LIST) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
        list => list.ok().flatten(),
    };
    list.is_none_or(|list| {
        let mut lines = list.split(|byte| matches!(byte, b'\n' | b'\r'));
        lines.any(|line| {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            matches!(words.next(), Some(b"exec" | b"x"))
        })
    })
}

/// Bytes of `HEAD` that git looks at.
const HEAD: u64 = 255;

/// Whether git takes it for a git directory (`is_git_directory` in its `setup.c`): below such a one it wants
/// no submodule of another name. In doubt it is none, and all that is in it is looked at.
pub(super) fn is_git_directory(directory: &Directory) -> bool {
    let has = |name: &str| {
        let found = directory.find(OsStr::new(name)).ok().flatten();
        found.is_some_and(|found| found.kind == Kind::Directory && is_entered(&found))
    };
    has("objects") && has("refs") && has_head(directory)
}

/// Where there are permissions, its owner has the one to get at what is in it.
fn is_entered(found: &Found) -> bool {
    cfg!(not(unix)) || found.stamp.mode() & 0o100 != 0
}

/// Whether git takes what stands there as `HEAD` for one.
pub(super) fn has_head(directory: &Directory) -> bool {
    let name = OsStr::new("HEAD");
    match directory.find(name).ok().flatten().map(|found| found.kind) {
        Some(Kind::Link) => directory.target(name).is_ok_and(|target| target.starts_with("refs")),
        Some(Kind::File) => {
            matches!(directory.read(name, HEAD), Ok(Some(bytes)) if is_head(&bytes))
        }
        _ => false,
    }
}

/// A reference, or the name of a commit.
fn is_head(bytes: &[u8]) -> bool {
    if let Some(reference) = bytes.strip_prefix(b"ref:") {
        return reference.trim_ascii_start().starts_with(b"refs/");
    }
    bytes.trim_ascii_end().len() >= 40 && bytes.iter().take(40).all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::is_head;

    #[test]
    fn heads_are_what_git_takes_for_them() {
        for head in ["ref: refs/heads/main\n", "ref:refs/x", "ref:\t refs/x", &"a1".repeat(20)] {
            assert!(is_head(head.as_bytes()), "{head}");
        }
        for head in
            ["", "x", "ref: heads/main", "refs/heads/main", &"a1".repeat(19), &"x".repeat(40)]
        {
            assert!(!is_head(head.as_bytes()), "{head}");
        }
    }
}
