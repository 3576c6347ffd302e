//! Walking: what is found, what is left out, and that it ends.

use std::collections::BTreeSet;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::files::tree_for_tests::Tree as Files;

fn found(files: &Files, root: &str, hidden: bool) -> Vec<String> {
    let seen = Mutex::new(BTreeSet::new());
    let visitor = || {
        let seen = &seen;
        Box::new(move |found: &Found| {
            assert!(seen.lock().unwrap().insert(shown(&found.shown)), "{found:?} came twice");
            Ok(())
        }) as Visitor<'_>
    };
    let options = Walk { root: root.into(), hidden };
    let problems = walk(&files.opener, &options, &CancellationToken::new(), &visitor).unwrap();
    assert_eq!(problems, Problems::default());
    seen.into_inner().unwrap().into_iter().collect()
}

#[test]
fn hidden_and_ignored_files_are_left_out_as_ripgrep_does() {
    let files = Files::new(&[
        (".git/config", ""),
        (".git/info/exclude", "excluded\n"),
        (".gitignore", "*.log\n/target\n!keep.log\nbuild/\n# comment\n"),
        (".ignore", "*.tmp\n!special.log\n"),
        (".hidden", ""),
        ("a.rs", ""),
        ("b.log", ""),
        ("keep.log", ""),
        ("special.log", ""),
        ("c.tmp", ""),
        ("excluded", ""),
        ("target/x", ""),
        ("deep/target/x", ""),
        ("deep/build/x", ""),
        ("deep/.gitignore", "!b.log\n*.rs\n!.github\n"),
        ("deep/a.rs", ""),
        ("deep/b.log", ""),
        ("deep/.github/x.yml", ""),
    ]);
    let expected = [
        "a.rs",
        "deep",
        "deep/.github",
        "deep/.github/x.yml",
        "deep/b.log",
        "deep/target",
        "deep/target/x",
        "keep.log",
        "special.log",
    ];
    assert_eq!(found(&files, ".", false), expected);
    let all = found(&files, ".", true);
    assert!(all.contains(&".git/config".to_owned()) && all.contains(&"target/x".to_owned()));
    assert_eq!(all.len(), 18 + 7, "every file and every directory: {all:?}");
}

#[test]
fn gitignore_counts_inside_repositories_only() {
    let files =
        Files::new(&[(".gitignore", "a\n"), (".ignore", "b\n"), ("a", ""), ("b", ""), ("c", "")]);
    assert_eq!(found(&files, ".", false), ["a", "c"]);
}

#[test]
fn rules_of_directories_above_the_root_count() {
    let files = Files::new(&[
        (".git/HEAD", ""),
        (".gitignore", "a\n/src/c\n"),
        ("src/a", ""),
        ("src/b", ""),
        ("src/c", ""),
        ("nested/.git/HEAD", ""),
        ("nested/a", ""),
    ]);
    assert_eq!(found(&files, "src", false), ["src/b"]);
    assert_eq!(
        found(&files, "nested", false),
        ["nested/a"],
        "another repository has its own rules"
    );
}

#[test]
fn a_file_is_visited_even_when_it_is_ignored() {
    let files = Files::new(&[(".git/HEAD", ""), (".gitignore", "a\n"), ("a", ""), (".b", "")]);
    assert_eq!(found(&files, "a", false), ["a"]);
    assert_eq!(found(&files, ".b", false), [".b"]);
}

#[test]
fn a_large_tree_is_walked_once() {
    let files = Files::new(&[]);
    for directory in 0..20 {
        for file in 0..300 {
            if file % 10 == 0 || directory == 0 {
                files.write(&format!("{directory}/{file}/x"), "");
            }
        }
    }
    assert_eq!(found(&files, ".", false).len(), 20 + 2 * (300 + 19 * 30));
}

#[test]
fn a_missing_root_is_an_error() {
    let files = Files::new(&[]);
    let options = Walk { root: "nothing".into(), hidden: false };
    let visitor = || Box::new(|_: &Found| Ok(())) as Visitor<'_>;
    let error = walk(&files.opener, &options, &CancellationToken::new(), &visitor).unwrap_err();
    assert_eq!(error.to_string(), "`nothing` does not exist");
}

#[test]
fn cancellation_ends_a_walk() {
    let files = Files::new(&[("a", ""), ("b/c", "")]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let options = Walk { root: ".".into(), hidden: false };
    let visitor =
        || Box::new(|_: &Found| -> Result<(), FileError> { panic!("visited") }) as Visitor<'_>;
    let error = walk(&files.opener, &options, &cancel, &visitor).unwrap_err();
    assert!(matches!(error, FileError::Cancelled));
}

#[test]
fn a_visitor_that_panics_stops_all_threads() {
    let files = Files::new(&[]);
    for number in 0..500 {
        files.write(&format!("{}/{number}", number % 7), "");
    }
    let options = Walk { root: ".".into(), hidden: false };
    let result = std::panic::catch_unwind(|| {
        let visitor = || {
            Box::new(|found: &Found| {
                assert!(!found.relative.ends_with("250"), "deliberate");
                Ok(())
            }) as Visitor<'_>
        };
        walk(&files.opener, &options, &CancellationToken::new(), &visitor).map(drop).ok()
    });
    assert!(result.is_err());
}

/// What git says: every file it tracks or would offer to add. `None` without git.
fn git_files(files: &Files) -> Option<Vec<String>> {
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(args).current_dir(files.path());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.output().ok().filter(|output| output.status.success())
    };
    git(&["init", "-q"])?;
    let listed = git(&["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let mut names: Vec<String> =
        String::from_utf8(listed.stdout).ok()?.lines().map(str::to_owned).collect();
    names.retain(|name| !name.starts_with('.') && !name.contains("/."));
    names.sort();
    Some(names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ignores_what_git_ignores(
        top in prop::collection::vec(prop::sample::select(PATTERNS.to_vec()), 0..5),
        deep in prop::collection::vec(prop::sample::select(PATTERNS.to_vec()), 0..4),
    ) {
        let files = Files::new(&[(".gitignore", &top.join("\n")), ("d/.gitignore", &deep.join("\n"))]);
        for path in ["a", "b.log", "keep.log", "d/a", "d/b.log", "d/e/a", "d/e/keep.log", "e/a", "e/d/a"] {
            files.write(path, "");
        }
        if let Some(expected) = git_files(&files) {
            let mut ours = found(&files, ".", false);
            ours.retain(|path| files.path().join(path).is_file());
            prop_assert_eq!(ours, expected);
        }
    }
}

/// Lines of ignore files that are easy to get wrong.
const PATTERNS: [&str; 16] = [
    "a",
    "/a",
    "*.log",
    "!keep.log",
    "d/",
    "/d",
    "e/",
    "d/e",
    "**/e",
    "d/**",
    "!a",
    "e/a",
    "/d/*",
    "!/d/e",
    "# a",
    "\\!a",
];

#[cfg(unix)]
mod hostile {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_named_and_not_followed() {
        let files = Files::new(&[("real/a", "")]);
        symlink("/etc", files.path().join("etc")).unwrap();
        symlink(".", files.path().join("real/loop")).unwrap();
        symlink("real", files.path().join("alias")).unwrap();
        assert_eq!(found(&files, ".", false), ["alias", "etc", "real", "real/a", "real/loop"]);
        assert_eq!(found(&files, "alias", false), ["alias/a", "alias/loop"], "but a root is");
    }

    #[test]
    fn ignore_files_that_are_traps_do_no_harm() {
        let files = Files::new(&[("a", ""), (".git/HEAD", "")]);
        let fifo = files.path().join(".gitignore");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        symlink("/etc/passwd", files.path().join(".ignore")).unwrap();
        std::fs::create_dir(files.path().join(".rgignore")).unwrap();
        assert_eq!(found(&files, ".", false), ["a"]);
    }

    #[test]
    fn names_that_are_not_utf8_or_not_one_line_are_found() {
        let files = Files::new(&[]);
        for name in [b"a\xff".as_slice(), b"b\nc", b"d\x1b[2J"] {
            std::fs::write(files.path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        assert_eq!(found(&files, ".", false), ["a\u{fffd}", "b\\nc", "d\\u{1b}[2J"]);
    }

    #[test]
    fn a_root_outside_the_rules_is_refused_and_a_fifo_too() {
        let files = Files::new(&[]);
        let outside = tempfile::tempdir().unwrap();
        let visitor =
            || Box::new(|_: &Found| -> Result<(), FileError> { panic!("visited") }) as Visitor<'_>;
        let error = |root: &Path| {
            let options = Walk { root: root.to_path_buf(), hidden: true };
            walk(&files.opener, &options, &CancellationToken::new(), &visitor).unwrap_err()
        };
        for root in [outside.path(), Path::new(".."), Path::new("/proc/self")] {
            let error = error(root);
            assert!(matches!(error, FileError::Open(OpenError::Denied { .. })), "{error}");
        }
        let fifo = files.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(error(Path::new("fifo")).to_string(), "`fifo` is a FIFO");
    }
}
