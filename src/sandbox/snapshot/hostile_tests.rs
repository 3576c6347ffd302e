//! What a command may do to be overlooked, or to be in a repair's way.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::Bounds;
use super::Earlier;
use super::Snapshot;
use super::tests::repository;
use super::tests::take;
use super::tests::text;

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// However much a command plants, the last of it is found, and nothing of it is read.
#[test]
fn what_is_planted_is_found_among_any_number() {
    let (_root, path) = repository();
    let bounds = Bounds { new_repositories: 20, ..Bounds::default() };
    let roots = std::slice::from_ref(&path);
    let snapshot = Snapshot::take_within(roots, &[], None, &Earlier::default(), bounds).unwrap();
    let hooks = path.join(".git/hooks");
    for number in 0..10_500 {
        std::fs::write(hooks.join(format!("h{number}")), "").unwrap();
    }
    for number in 0..30 {
        std::fs::create_dir(path.join(format!(".git/modules/m{number}"))).unwrap();
    }
    std::fs::write(path.join(".git/modules/m/hooks/post-checkout"), "evil").unwrap();
    std::fs::write(path.join(".git/modules/m7/config"), "evil").unwrap();
    let restored = snapshot.restore().unwrap();
    assert!(restored.len() < 300 && restored.contains(&hooks), "{}", restored.len());
    assert_eq!(std::fs::read_dir(&hooks).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(path.join(".git/modules/m/hooks")).unwrap().count(), 0);
    assert!(!path.join(".git/modules/m7/config").exists());
    // Of new git directories so many stay as anybody has submodules.
    let modules = std::fs::read_dir(path.join(".git/modules")).unwrap().count();
    assert_eq!(modules, 21);
}

/// The tenth of a submodule's names has a slash in it.
#[test]
fn submodules_in_directories_are_watched_wherever_they_are_hidden() {
    let (_root, path) = repository();
    let libs = path.join(".git/modules/libs");
    std::fs::create_dir_all(libs.join("deep/foo/hooks")).unwrap();
    std::fs::write(libs.join("deep/foo/HEAD"), "ref: refs/heads/main").unwrap();
    std::fs::write(libs.join("deep/foo/config"), "[core]").unwrap();
    let snapshot = take(&path);
    // It looks as if `libs` were a git directory itself: those have no others below but in `modules`.
    std::fs::write(libs.join("HEAD"), "ref: refs/heads/main").unwrap();
    std::fs::write(libs.join("deep/foo/hooks/post-checkout"), "evil").unwrap();
    std::fs::write(libs.join("deep/foo/config"), "evil").unwrap();
    assert_eq!(snapshot.restore().unwrap().len(), 2);
    assert!(!libs.join("deep/foo/hooks/post-checkout").exists());
    assert_eq!(text(&libs.join("deep/foo/config")), "[core]");
}

/// Every name that a submodule may have, parts of it that are names of git's own included.
#[test]
fn submodules_of_any_name_are_watched_and_git_may_work_in_them() {
    let names = [
        "hooks",
        "config",
        "info",
        "objects",
        "modules",
        "worktrees",
        "hooks/x",
        "info/x",
        "objects/x",
        "modules/x",
        "worktrees/x",
        "worktrees/x/y",
        "a/hooks",
        "a/hooks/x",
        "a/info",
        "a/info/x",
        "a/objects/info",
        "a/objects/x",
        "a/objects/info/x",
        "a/config",
        "a/config/x",
        "a/modules",
        "a/modules/x",
        "a/worktrees/x",
        "a/commondir/gitdir",
        "Hooks/x",
        "a/.",
    ];
    for name in names {
        for is_there in [true, false] {
            let (_root, path) = repository();
            let module = path.join(".git/modules").join(name);
            let make = |name: &str| {
                for directory in ["objects", "refs/heads", "hooks"] {
                    std::fs::create_dir_all(module.join(directory)).unwrap();
                }
                std::fs::write(module.join("HEAD"), "ref: refs/heads/main\n").unwrap();
                std::fs::write(module.join("refs/heads/config"), name).unwrap();
            };
            if is_there {
                make("before");
            }
            let snapshot = take(&path);
            make("after");
            std::fs::write(module.join("hooks/post-checkout"), "evil").unwrap();
            std::fs::write(module.join("config"), "evil").unwrap();
            let restored = snapshot.restore().unwrap();
            let hooks = module.join(if is_there { "hooks/post-checkout" } else { "hooks" });
            let planted = [module.join("config"), hooks];
            assert_eq!(restored, planted, "{name} {is_there}");
            assert!(planted.iter().all(|path| !path.exists()), "{name} {is_there}");
            assert_eq!(text(&module.join("refs/heads/config")), "after", "{name} {is_there}");
            assert!(module.join("HEAD").exists(), "{name} {is_there}");
            assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new(), "{name} {is_there}");
        }
    }
}

/// A submodule may have the name `.`.
#[test]
fn modules_itself_is_watched_and_hides_nothing() {
    let (_root, path) = repository();
    let modules = path.join(".git/modules");
    let snapshot = take(&path);
    for directory in ["objects", "refs", "hooks", "new/hooks"] {
        std::fs::create_dir_all(modules.join(directory)).unwrap();
    }
    let planted = ["config", "hooks/post-checkout", "new/hooks/post-checkout", "new/config"];
    std::fs::write(modules.join("HEAD"), "ref: refs/heads/main").unwrap();
    for name in planted {
        std::fs::write(modules.join(name), "evil").unwrap();
    }
    snapshot.restore().unwrap();
    for name in planted {
        assert!(!modules.join(name).exists(), "{name}");
    }
}

/// What only looks like a git directory hides nothing, and nothing is too deep to be looked at.
#[test]
fn submodules_hide_neither_in_false_repositories_nor_deep_down() {
    let deep = "d/".repeat(70);
    for (hide, below) in [
        ("HEAD: garbage, objects, refs", "a/b"),
        ("HEAD, objects", "a/b"),
        ("HEAD, objects, refs, commondir", "a/b"),
        ("HEAD, closed objects, refs", "a/b"),
        ("long HEAD, objects, refs", "a/b"),
        ("", deep.as_str()),
    ] {
        let (_root, path) = repository();
        let modules = path.join(".git/modules");
        let snapshot = take(&path);
        let hooks = modules.join(below).join("hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::fs::write(hooks.join("post-checkout"), "evil").unwrap();
        for part in hide.split(", ").filter(|part| !part.is_empty()) {
            let at = modules.join("a");
            match part {
                "HEAD: garbage" => std::fs::write(at.join("HEAD"), "garbage").unwrap(),
                "HEAD" => std::fs::write(at.join("HEAD"), "ref: refs/heads/x").unwrap(),
                "long HEAD" => std::fs::write(at.join("HEAD"), "x".repeat(5000)).unwrap(),
                "commondir" => std::fs::write(at.join(part), "nowhere").unwrap(),
                "closed objects" => {
                    std::fs::create_dir(at.join("objects")).unwrap();
                    set_mode(&at.join("objects"), 0);
                }
                directory => std::fs::create_dir(at.join(directory)).unwrap(),
            }
        }
        snapshot.restore().unwrap();
        // With `commondir` it is a git directory once that was removed: git wants none below it.
        let is_hidden = hide.ends_with("commondir");
        assert_eq!(hooks.join("post-checkout").exists(), is_hidden, "{hide}");
        assert!(!modules.join("a/commondir").exists());
    }
}

/// One path that cannot be put back does not shield the others, and is the error.
#[test]
fn what_cannot_be_put_back_keeps_nothing_else() {
    let (_root, path) = repository();
    std::fs::create_dir(path.join(".agi-agent")).unwrap();
    let large = path.join(".agi-agent/large");
    std::fs::write(&large, vec![b'x'; 2 << 20]).unwrap();
    let snapshot = take_within(&path, None, Bounds { all: 1 << 20, ..Bounds::default() }).unwrap();
    std::fs::write(&large, "evil").unwrap();
    std::fs::write(path.join(".git/config"), "evil").unwrap();
    std::fs::write(path.join(".git/hooks/post-commit"), "evil").unwrap();
    let error = snapshot.restore().unwrap_err().to_string();
    assert!(error.contains(".agi-agent/large"), "{error}");
    assert!(!path.join(".git/hooks/post-commit").exists());
    assert_eq!(text(&path.join(".git/config")), ".git/config");
}

/// Nor does one root keep another.
#[test]
fn a_root_that_cannot_be_repaired_keeps_no_other() {
    let ((_one, one), (_other, other)) = (repository(), repository());
    std::fs::write(one.join(".git/config"), vec![b'x'; 2 << 20]).unwrap();
    let bounds = Bounds { all: 1 << 20, ..Bounds::default() };
    let roots = [one.clone(), other.clone()];
    let snapshot = Snapshot::take_within(&roots, &[], None, &Earlier::default(), bounds).unwrap();
    for path in [&one, &other] {
        std::fs::write(path.join(".git/config"), "evil").unwrap();
    }
    let error = snapshot.restore().unwrap_err().to_string();
    assert!(error.contains(&one.display().to_string()), "{error}");
    assert_eq!(text(&other.join(".git/config")), ".git/config");
}

pub(super) fn take_within(
    path: &PathBuf,
    places: Option<&Path>,
    bounds: Bounds,
) -> Result<Snapshot, crate::sandbox::SandboxError> {
    Snapshot::take_within(std::slice::from_ref(path), &[], places, &Earlier::default(), bounds)
}

/// Kept bytes are bounded, what is looked at is not.
#[test]
fn beyond_the_bound_a_change_is_an_error_and_what_is_planted_goes() {
    let (_root, path) = repository();
    let bounds = Bounds { all: 5, ..Bounds::default() };
    let snapshot =
        Snapshot::take_within(std::slice::from_ref(&path), &[], None, &Earlier::default(), bounds)
            .unwrap();
    std::fs::write(path.join(".git/hooks/post-commit"), "evil").unwrap();
    assert_eq!(snapshot.restore().unwrap(), [path.join(".git/hooks/post-commit")]);
    std::fs::write(path.join(".git/config"), "evil").unwrap();
    assert!(snapshot.restore().unwrap_err().to_string().contains(".git/config"));
}

/// Deeper than there are descriptors, longer than a path may be, and closed.
#[test]
#[expect(clippy::disallowed_methods, reason = "who runs it says so in the environment")]
fn a_deep_directory_is_removed() {
    let (_root, path) = repository();
    let snapshot = take(&path);
    let hooks = path.join(".git/hooks");
    std::fs::write(hooks.join("post-commit"), "evil").unwrap();
    let mut at = rustix::fs::open(&hooks, rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
    // Where this test has a process of its own.
    if std::env::var_os("NEXTEST").is_some() {
        let few = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
    }
    for level in 0..2_500 {
        let mode = if level % 7 == 3 { 0 } else { 0o700 };
        let name = if level == 0 { "aaa" } else { "d" };
        rustix::fs::mkdirat(&at, name, 0o700.into()).unwrap();
        let next = rustix::fs::openat(&at, name, rustix::fs::OFlags::DIRECTORY, 0.into()).unwrap();
        if level % 10 == 0 {
            rustix::fs::mkdirat(&next, "beside", 0o700.into()).unwrap();
            let file = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
            drop(rustix::fs::openat(&next, "beside/file", file, 0o600.into()).unwrap());
            rustix::fs::symlinkat("/etc", &next, "link").unwrap();
        }
        rustix::fs::fchmod(&at, if level == 0 { 0o755 } else { mode }.into()).unwrap();
        at = next;
    }
    snapshot.restore().unwrap();
    let names: Vec<_> = std::fs::read_dir(&hooks).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Permissions of directories are put back, and keep nothing from being seen.
#[test]
fn a_directory_that_was_closed_or_opened_to_others_is_what_it_was() {
    for closed in [0o000, 0o311, 0o555, 0o777] {
        let (_root, path) = repository();
        set_mode(&path.join(".git/modules/m/hooks"), 0o750);
        let directories = [".git", ".git/hooks", ".git/info", ".git/modules/m/hooks"];
        let before = directories.map(|name| mode(&path.join(name)));
        let snapshot = take(&path);
        std::fs::write(path.join(".git/hooks/post-commit"), "evil").unwrap();
        std::fs::write(path.join(".git/info/attributes"), "evil").unwrap();
        for directory in directories.iter().rev() {
            set_mode(&path.join(directory), closed);
        }
        set_mode(&path, 0o311);
        let restored = snapshot.restore().unwrap();
        assert!(restored.contains(&path.join(".git/hooks")), "{closed:o} {restored:?}");
        // The workspace itself is the command's to close.
        assert_eq!(mode(&path), 0o311, "{closed:o}");
        assert_eq!(directories.map(|name| mode(&path.join(name))), before, "{closed:o}");
        assert!(!path.join(".git/hooks/post-commit").exists());
        assert!(!path.join(".git/info/attributes").exists());
        assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new(), "{closed:o}");
    }
}

/// A directory that its owner keeps closed is opened up for a moment, before and after.
#[test]
fn a_directory_that_is_closed_to_its_owner_stays_so() {
    let (_root, path) = repository();
    set_mode(&path.join(".git/hooks"), 0o311);
    let snapshot = take(&path);
    assert_eq!(mode(&path.join(".git/hooks")), 0o311);
    assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new());
    std::fs::write(path.join(".git/hooks/post-commit"), "evil").unwrap();
    assert_eq!(snapshot.restore().unwrap(), [path.join(".git/hooks/post-commit")]);
    assert_eq!(mode(&path.join(".git/hooks")), 0o311);
    assert!(path.join(".git/hooks/pre-push").exists());
}

/// Clocks of file systems tick: a second change within a tick shows in no stamp.
#[test]
fn what_had_just_been_changed_is_compared_by_its_contents() {
    let (_root, path) = repository();
    let config = path.join(".git/config");
    for settled in [false, true] {
        let mut snapshot = take(&path);
        let size = text(&config).len();
        std::fs::write(&config, "x".repeat(size)).unwrap();
        let after = take(&path).roots[0].states[&config].stamp;
        let states = Arc::get_mut(&mut snapshot.roots[0].states).unwrap();
        let state = states.get_mut(&config).unwrap();
        assert!(!state.settled, "it was made a moment ago");
        (state.stamp, state.settled) = (after, settled);
        let restored = snapshot.restore().unwrap();
        assert_eq!(restored.is_empty(), settled, "a stamp that is settled is believed");
    }
}

/// No regular file, other names, other owners: none of it stays, and nothing is read without end.
#[test]
fn odd_things_in_place_of_files_are_replaced() {
    use std::os::unix::ffi::OsStringExt as _;
    let (_root, path) = repository();
    let git = path.join(".git");
    let snapshot = take(&path);
    std::fs::remove_file(git.join("config")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        git.join("config"),
        rustix::fs::FileType::Fifo,
        0o644.into(),
        0,
    )
    .unwrap();
    std::fs::remove_file(git.join("modules/m/config")).unwrap();
    std::fs::create_dir(git.join("modules/m/config")).unwrap();
    std::fs::write(git.join("modules/m/config/x"), "evil").unwrap();
    std::fs::hard_link(git.join("hooks/pre-push"), git.join("config.worktree")).unwrap();
    let sparse = std::fs::File::create(git.join("hooks/sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let odd = std::ffi::OsString::from_vec(b"a\n\xff\x1b[2J".to_vec());
    std::fs::write(git.join("hooks").join(odd), "evil").unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(git.join("hooks"), Some(65534), Some(65534)).unwrap();
    }
    snapshot.restore().unwrap();
    assert_eq!(text(&git.join("config")), ".git/config");
    assert_eq!(text(&git.join("modules/m/config")), ".git/modules/m/config");
    assert!(!git.join("config.worktree").exists());
    assert_eq!(std::fs::read_dir(git.join("hooks")).unwrap().count(), 1);
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
    assert_eq!(owner(&git.join("hooks")), owner(&git));
    assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new());
}

/// `.git` of a worktree is a file: it may become no directory, whatever it was in between.
#[test]
fn a_git_file_stays_a_file() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    std::fs::write(path.join(".git"), "gitdir: elsewhere").unwrap();
    let snapshot = take(&path);
    std::fs::remove_file(path.join(".git")).unwrap();
    std::fs::create_dir_all(path.join(".git/hooks")).unwrap();
    std::fs::write(path.join(".git/hooks/post-commit"), "evil").unwrap();
    assert_eq!(snapshot.restore().unwrap(), [path.join(".git")]);
    assert_eq!(text(&path.join(".git")), "gitdir: elsewhere");
}

/// Contents are taken from the snapshot before only where nothing can have changed meanwhile.
#[test]
fn an_earlier_snapshot_is_believed_where_stamps_are_settled() {
    let (_root, path) = repository();
    let config = path.join(".git/config");
    let earlier = Earlier::default();
    let take = || Snapshot::take(std::slice::from_ref(&path), &[], None, &earlier, false).unwrap();
    let first = take();
    std::fs::write(&config, "changed by its owner").unwrap();
    let second = take();
    std::fs::write(&config, "evil").unwrap();
    assert_eq!(second.finish().unwrap(), std::slice::from_ref(&config));
    assert_eq!(text(&config), "changed by its owner");
    let bytes = |snapshot: &Snapshot| match &snapshot.roots[0].states[&config].contents {
        super::Contents::File(bytes) => Arc::clone(bytes),
        other => panic!("{other:?}"),
    };
    assert!(!Arc::ptr_eq(&bytes(&first), &bytes(&take())), "it was read anew");
    // As if all of it had been there for long.
    let mut states = (*take().roots[0].states).clone();
    for state in states.values_mut() {
        state.settled = true;
    }
    earlier.set(&path, &Arc::new(states));
    let kept = earlier.of(&path).unwrap();
    let super::Contents::File(kept) = &kept[&config].contents else { panic!("no file") };
    assert!(Arc::ptr_eq(kept, &bytes(&take())), "it was read again");
}
