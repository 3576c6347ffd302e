//! The opener against a hostile workspace: links, hard links, spellings, races, the database.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::Access;
use super::OpenError;
use super::Opener;
use super::PathRules;

struct Tree {
    _root: tempfile::TempDir,
    workspace: PathBuf,
    outside: PathBuf,
}

fn tree() -> Tree {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().canonicalize().unwrap();
    let (workspace, outside) = (base.join("ws"), base.join("outside"));
    std::fs::create_dir_all(workspace.join("src")).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(workspace.join("src/main.rs"), "fn main() {}").unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    Tree { _root: root, workspace, outside }
}

fn writable(tree: &Tree) -> Opener {
    let cwd = tree.workspace.clone();
    Opener::new(PathRules {
        write: vec![cwd.clone()],
        protected: vec![cwd.join("state")],
        cwd,
        ..PathRules::default()
    })
}

fn read(opener: &Opener, path: impl AsRef<Path>) -> Result<String, OpenError> {
    let mut text = String::new();
    opener.open_read(path.as_ref())?.read_to_string(&mut text).unwrap();
    Ok(text)
}

#[expect(clippy::needless_pass_by_value, reason = "reads better at its uses")]
fn is_denied<T: std::fmt::Debug>(result: Result<T, OpenError>) -> bool {
    matches!(result, Err(OpenError::Denied { .. }))
}

#[test]
fn reads_inside_and_refuses_outside_however_it_is_spelled() {
    let tree = tree();
    let opener = writable(&tree);
    assert_eq!(read(&opener, "src/main.rs").unwrap(), "fn main() {}");
    assert_eq!(read(&opener, "./src/../src/main.rs").unwrap(), "fn main() {}");
    symlink(&tree.outside, tree.workspace.join("link")).unwrap();
    symlink("../../outside/secret", tree.workspace.join("src/relative")).unwrap();
    let secret = tree.outside.join("secret");
    let proc_root = Path::new("/proc/self/root").join(secret.strip_prefix("/").unwrap());
    let spellings = [
        secret.clone(),
        PathBuf::from("../outside/secret"),
        PathBuf::from("src/../../outside/secret"),
        PathBuf::from("link/secret"),
        PathBuf::from("link/../outside/secret"),
        PathBuf::from("src/relative"),
        PathBuf::from("/proc/self/cwd").join(&secret),
        proc_root,
        PathBuf::from(format!("{}/", secret.display())),
    ];
    for path in spellings {
        assert!(is_denied(read(&opener, &path)), "{}", path.display());
        assert!(is_denied(opener.check_read(&path)), "{}", path.display());
        assert!(is_denied(opener.replace(&path, b"x", None)), "{}", path.display());
    }
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
fn a_nul_byte_and_an_empty_path_are_refused() {
    let tree = tree();
    let opener = writable(&tree);
    for path in ["", "src/main.rs\0.txt"] {
        assert!(matches!(opener.check_read(Path::new(path)), Err(OpenError::Io { .. })));
    }
}

#[test]
fn the_system_is_readable_but_for_its_secrets() {
    let tree = tree();
    let opener = writable(&tree);
    for path in ["/etc/passwd", "/proc/meminfo"] {
        opener.check_read(Path::new(path)).unwrap();
        assert!(is_denied(opener.check_write(Path::new(path))));
    }
    for path in [
        "/etc/shadow",
        "/etc/ssh/sshd_config",
        "/etc/sudoers",
        "/etc/ssl/private/x.key",
        "/root/.bashrc",
        "/proc/self/environ",
        "/proc/1/cmdline",
    ] {
        let result = opener.check_read(Path::new(path));
        assert!(result.is_err(), "{path}");
    }
}

#[test]
fn git_and_agent_metadata_are_never_written_even_if_absent() {
    let tree = tree();
    let opener = writable(&tree);
    std::fs::create_dir_all(tree.workspace.join("sub/.git/hooks")).unwrap();
    for path in [
        ".git",
        ".git/hooks/pre-commit",
        ".git/config",
        ".git/info/attributes",
        "sub/.git/hooks/x",
        "sub/.GIT/config",
        ".git/modules/m/config",
        ".agi-agent/config.json",
    ] {
        assert!(is_denied(opener.replace(Path::new(path), b"x", None)), "{path}");
        assert!(is_denied(opener.create_dir_all(Path::new(path))), "{path}");
        assert!(!tree.workspace.join(path).is_file());
    }
    assert!(matches!(
        opener.replace(Path::new("state/agent.db"), b"x", None),
        Err(OpenError::Protected { .. })
    ));
    assert!(matches!(
        opener.check_read(Path::new("state/agent.db")),
        Err(OpenError::Protected { .. })
    ));
}

#[test]
fn a_dangling_link_is_refused_and_its_target_not_made() {
    let tree = tree();
    let opener = writable(&tree);
    let target = tree.outside.join("later");
    symlink(&target, tree.workspace.join("dangling")).unwrap();
    assert!(is_denied(opener.replace(Path::new("dangling"), b"x", None)));
    assert!(is_denied(opener.create_dir_all(Path::new("dangling/sub"))));
    for error in [
        opener.open_read(Path::new("dangling")).unwrap_err(),
        opener.check_read(Path::new("dangling/sub")).unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Dangling { .. }), "{error}");
    }
    assert!(!target.exists());
}

#[test]
fn a_file_with_a_second_name_is_not_edited() {
    let tree = tree();
    let opener = writable(&tree);
    std::fs::hard_link(tree.outside.join("secret"), tree.workspace.join("a")).unwrap();
    let error = opener.replace(Path::new("a"), b"x", None).unwrap_err();
    assert!(error.to_string().contains("2 hard links"), "{error}");
    assert_eq!(std::fs::read_to_string(tree.outside.join("secret")).unwrap(), "secret");
}

#[test]
fn the_database_is_never_opened_under_any_name() {
    let tree = tree();
    let opener = writable(&tree);
    let database = tree.workspace.join("agent.db");
    std::fs::write(&database, "db").unwrap();
    std::fs::hard_link(&database, tree.workspace.join("other")).unwrap();
    symlink(&database, tree.workspace.join("link")).unwrap();
    opener.protect(&[std::fs::metadata(&database).unwrap()]);
    for path in ["agent.db", "other", "link"] {
        let path = Path::new(path);
        assert!(matches!(opener.open_read(path), Err(OpenError::Protected { .. })));
        assert!(matches!(opener.replace(path, b"x", None), Err(OpenError::Protected { .. })));
    }
    assert!(matches!(opener.remove_file(Path::new("other")), Err(OpenError::Protected { .. })));
    let full =
        Opener::new(PathRules { cwd: tree.workspace.clone(), full: true, ..PathRules::default() });
    full.protect(&[std::fs::metadata(&database).unwrap()]);
    assert!(matches!(full.open_read(&database), Err(OpenError::Protected { .. })));
}

/// The number of a file that is gone may be given to another.
#[test]
fn a_later_set_of_protected_files_replaces_the_earlier_one() {
    let tree = tree();
    let opener = writable(&tree);
    let (first, second) = (tree.workspace.join("first"), tree.workspace.join("second"));
    for path in [&first, &second] {
        std::fs::write(path, "x").unwrap();
    }
    let metadata = |path: &Path| std::fs::metadata(path).unwrap();
    opener.protect(&[metadata(&first)]);
    opener.protect(&[metadata(&second)]);
    assert!(opener.open_read(&first).is_ok());
    assert!(matches!(opener.open_read(&second), Err(OpenError::Protected { .. })));
    opener.protect(&[]);
    assert!(opener.open_read(&second).is_err(), "no news is no leave");
}

#[test]
fn a_fifo_is_refused_without_blocking_and_a_directory_named() {
    let tree = tree();
    let opener = writable(&tree);
    let fifo = tree.workspace.join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(opener.open_read(&fifo), Err(OpenError::NotAFile { kind: "a FIFO", .. })));
    assert!(matches!(
        opener.open_read(Path::new("src")),
        Err(OpenError::NotAFile { kind: "a directory", .. })
    ));
}

#[test]
fn replace_keeps_the_mode_and_leaves_no_temporary_file() {
    let tree = tree();
    let opener = writable(&tree);
    let script = tree.workspace.join("run.sh");
    std::fs::write(&script, "old").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o750)).unwrap();
    symlink("run.sh", tree.workspace.join("alias")).unwrap();
    opener.replace(Path::new("alias"), b"new", None).unwrap();
    assert_eq!(std::fs::read_to_string(&script).unwrap(), "new");
    assert_eq!(std::fs::metadata(&script).unwrap().mode() & 0o7777, 0o750);
    assert!(std::fs::symlink_metadata(tree.workspace.join("alias")).unwrap().is_symlink());
    opener.replace(Path::new("private"), b"new", Some(0o600)).unwrap();
    assert_eq!(std::fs::metadata(tree.workspace.join("private")).unwrap().mode() & 0o7777, 0o600);
    let names: Vec<_> =
        opener.read_dir(Path::new(".")).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{names:?}");
}

#[test]
fn t14_a_left_over_temporary_file_is_swept_and_a_fresh_or_held_one_is_not() {
    let tree = tree();
    let old = tree.workspace.join(".agi-agent-999999999-0.tmp");
    let fresh = tree.workspace.join(".agi-agent-999999998-0.tmp");
    // Of a writer in another process namespace, whose clock has jumped or ours.
    let held = tree.workspace.join(".agi-agent-999999997-0.tmp");
    for path in [&old, &fresh, &held] {
        std::fs::write(path, "x").unwrap();
    }
    let open = |path| std::fs::File::options().write(true).open(path).unwrap();
    for path in [&old, &held] {
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_hours(24);
        open(path).set_modified(then).unwrap();
    }
    let writer = open(&held);
    writer.lock_shared().unwrap();
    writable(&tree).replace(Path::new("new"), b"x", None).unwrap();
    assert!(!old.exists());
    assert!(fresh.exists() && held.exists());
    drop(writer);
    writable(&tree).replace(Path::new("new"), b"x", None).unwrap();
    assert!(!held.exists());
}

#[test]
fn a_missing_file_names_the_nearest_only_where_it_may_be_read() {
    let tree = tree();
    let opener = writable(&tree);
    let Err(OpenError::NotFound { nearest, .. }) = opener.open_read(Path::new("src/mian.rs"))
    else {
        panic!()
    };
    assert_eq!(nearest, Some(tree.workspace.join("src/main.rs")));
    assert!(is_denied(opener.open_read(&tree.outside.join("secrte"))));
}

#[test]
fn directories_are_made_and_files_removed_inside_only() {
    let tree = tree();
    let opener = writable(&tree);
    opener.create_dir_all(Path::new("a/b/c")).unwrap();
    opener.create_dir_all(Path::new("a/b/c")).unwrap();
    assert!(tree.workspace.join("a/b/c").is_dir());
    symlink(tree.outside.join("secret"), tree.workspace.join("link")).unwrap();
    opener.remove_file(Path::new("link")).unwrap();
    assert!(tree.outside.join("secret").exists());
    assert!(is_denied(opener.remove_file(&tree.outside.join("secret"))));
    assert!(is_denied(opener.create_dir_all(&tree.outside.join("x"))));
}

#[test]
fn read_only_says_so() {
    let tree = tree();
    let opener = Opener::new(PathRules { cwd: tree.workspace.clone(), ..PathRules::default() });
    let error = opener.check_write(Path::new("x")).unwrap_err();
    assert!(matches!(&error, OpenError::Denied { access: Access::Write, .. }));
    assert!(error.to_string().contains("read-only"), "{error}");
    assert!(error.hint().unwrap().contains("workspace-write"));
}

/// A link that is swapped between a harmless directory and one outside while we write and read.
#[test]
fn a_swapped_link_never_leads_outside() {
    #[expect(clippy::disallowed_methods, reason = "the switch for long variants of a test")]
    let rounds = if std::env::var_os("AGI_TEST_LONG").is_some() { 100_000 } else { 2_000 };
    let tree = tree();
    let opener = writable(&tree);
    let inside = tree.workspace.join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("secret"), "harmless").unwrap();
    let (name, spare) = (tree.workspace.join("d"), tree.workspace.join("spare"));
    symlink(&inside, &name).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut outside = true;
            while !stop.load(Ordering::Relaxed) {
                symlink(if outside { &tree.outside } else { &inside }, &spare).unwrap();
                std::fs::rename(&spare, &name).unwrap();
                outside = !outside;
            }
        });
        for _ in 0..rounds {
            if let Ok(text) = read(&opener, "d/secret") {
                assert_eq!(text, "harmless");
            }
            drop(opener.replace(Path::new("d/written"), b"x", None));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!tree.outside.join("written").exists());
    assert_eq!(std::fs::read_dir(&tree.outside).unwrap().count(), 1);
}

#[test]
fn what_a_killed_process_of_our_id_left_is_in_nobodys_way() {
    let tree = tree();
    let opener = writable(&tree);
    // The number of the next temporary file is the process's, which other tests share.
    for count in 0..64 {
        let name = format!(".agi-agent-{}-{count}.tmp", std::process::id());
        std::fs::write(tree.workspace.join(name), "half").unwrap();
    }
    opener.replace(Path::new("new"), b"whole", None).unwrap();
    assert_eq!(read(&opener, "new").unwrap(), "whole");
}
