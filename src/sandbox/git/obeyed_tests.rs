//! What is told, and of what.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::MOST_TOLD;
use super::Seen;

struct Tree {
    _root: tempfile::TempDir,
    path: PathBuf,
}

impl Tree {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap().join("w");
        let tree = Self { _root: root, path };
        tree.repository(".git");
        tree
    }

    fn repository(&self, git: &str) {
        for name in ["objects", "refs", "hooks"] {
            fs::create_dir_all(self.path.join(git).join(name)).unwrap();
        }
        self.file(&format!("{git}/HEAD"), "ref: refs/heads/main\n");
        self.file(&format!("{git}/config"), "");
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn seen(&self) -> Seen {
        Seen::below(std::slice::from_ref(&self.path))
    }

    /// What is told of `change`, without the path of the workspace.
    fn told(&self, change: impl FnOnce(&Path)) -> Vec<String> {
        let before = self.seen();
        change(&self.path);
        let told = before.told(&self.seen());
        let base = format!("{}/", self.path.display());
        told.into_iter().map(|message| message.replace(&base, "")).collect()
    }
}

#[test]
fn files_that_the_configuration_names_are_told_with_the_variable() {
    let tree = Tree::new();
    let config = "[core]\nhooksPath = .hooks\nattributesFile = conf/attributes\n\
                  fsmonitor = sh ./tools/watch --now\nexcludesFile = conf/ignored\n\
                  [include] path = ../conf/git\n[filter \"x\"] clean = 'tools/a' %f\n\
                  [branch \"README\"] remote = README\n";
    tree.file(".git/config", config);
    let named = [".hooks/deep/lib.sh", ".hooks/pre-commit", "conf/git", "tools/a", "tools/watch"];
    for path in named.iter().chain(&["conf/ignored", "README", "other"]) {
        tree.file(path, "1");
    }
    assert_eq!(tree.told(|_| ()), [""; 0]);
    let told = tree.told(|work| {
        for path in named.iter().chain(&["conf/attributes", "conf/ignored", "README", "other"]) {
            fs::write(work.join(path), "2").unwrap();
        }
        fs::remove_file(work.join("tools/a")).unwrap();
    });
    let wanted = [
        ("tools/a", "removed", "filter.*.clean"),
        (".hooks/deep/lib.sh", "changed", "core.hooksPath"),
        (".hooks/pre-commit", "changed", "core.hooksPath"),
        ("conf/attributes", "created", "core.attributesFile"),
        ("conf/git", "changed", "include.path"),
        ("tools/watch", "changed", "core.fsmonitor"),
    ];
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (message, (path, change, variable)) in told.iter().zip(wanted) {
        let start = format!("`{path}` was {change}, and git goes by it (`{variable}` of ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn variables_of_included_files_count_and_those_of_a_person_s_own_hooks_do() {
    let tree = Tree::new();
    tree.file(".git/config", "[include] path = ../.gitconfig\n");
    tree.file(".gitconfig", "[core] hooksPath = .husky/_\n");
    tree.file(".husky/_/pre-commit", "1");
    let told = tree.told(|_| tree.file(".husky/pre-commit", "2"));
    assert!(told.len() == 1 && told[0].starts_with("`.husky/pre-commit` was created"), "{told:?}");
    // A hook in `.git` that is a link to a file of the project.
    #[cfg(unix)]
    {
        tree.file("scripts/check", "1");
        let hook = tree.path.join(".git/hooks/pre-push");
        std::os::unix::fs::symlink("../../scripts/check", hook).unwrap();
        let told = tree.told(|_| tree.file("scripts/check", "2"));
        assert!(told.len() == 1 && told[0].contains("(`hooks` of "), "{told:?}");
    }
}

#[test]
fn case_12_nested_repositories_that_were_there_are_told_as_well() {
    let tree = Tree::new();
    tree.repository("sub/.git");
    tree.repository("bare");
    tree.file("sub/.git/hooks/old", "");
    tree.file("sub/.git/index", "1");
    let told = tree.told(|_| {
        tree.file("sub/.git/config", "[core] fsmonitor = evil");
        tree.file("sub/.git/hooks/post-checkout", "evil");
        fs::remove_file(tree.path.join("sub/.git/hooks/old")).unwrap();
        tree.file("sub/.git/info/attributes", "* filter=x");
        tree.file("sub/.git/index", "2");
        tree.file("bare/hooks/update", "evil");
        tree.file("bare/config", "evil");
        // Protected, and nothing to tell here.
        tree.file(".git/config", "evil");
    });
    let starts = [
        "`sub/.git/hooks/old` was removed, and it steers git in the repository `sub`",
        "`bare/config` was changed, and it steers git in the repository `bare`",
        "`bare/hooks/update` was created",
        "`sub/.git/config` was changed",
        "`sub/.git/hooks/post-checkout` was created",
        "`sub/.git/info/attributes` was created",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (message, start) in told.iter().zip(starts) {
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn case_12_a_bare_layout_beside_a_git_directory_is_told() {
    let tree = Tree::new();
    let told = tree.told(|work| {
        for name in ["objects", "refs", "hooks"] {
            fs::create_dir(work.join(name)).unwrap();
        }
        tree.file("HEAD", "ref: refs/heads/main");
        tree.file("config", "evil");
        tree.repository("new/.git");
    });
    assert_eq!(told.len(), 2, "of what appeared nothing more is told: {told:?}");
    assert!(told[0].starts_with("a bare git repository appeared at"), "{told:?}");
    assert!(told[1].starts_with("a git repository appeared at `new`"), "{told:?}");
}

#[test]
fn much_of_it_is_counted() {
    let tree = Tree::new();
    tree.file(".git/config", "[core] hooksPath = hooks");
    let told = tree.told(|_| {
        (0..MOST_TOLD + 5).for_each(|number| tree.file(&format!("hooks/{number}"), ""));
    });
    assert_eq!(told.len(), MOST_TOLD + 1);
    assert!(told[MOST_TOLD].starts_with("5 more files"), "{told:?}");
}
