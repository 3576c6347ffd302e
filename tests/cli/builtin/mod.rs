//! The builtin model through the real binary: every family of tasks, with answers recomputed here
//! by the standard library on a tree that the tests change.
//!
//! How requests are worded in detail is tested in tests/python/builtin; here the real tools answer.

mod acting;
mod counting;
mod files;

use std::path::Path;
use std::path::PathBuf;

use crate::support::Finished;
use crate::support::TestContext;

/// A workspace of its own, and tasks put to the builtin model in it.
struct Workspace {
    context: TestContext,
}

impl Workspace {
    /// Files whose counts all differ.
    fn new() -> Self {
        let context = TestContext::new();
        context.write("README.md", "# Title\nhello tokio world\nTODO: größer\n");
        context.write("Makefile", "all:\n\ttrue\n");
        context.write("src/main.rs", "fn main() {\n    // TODO one TODO\n    unsafe {}\n}\n");
        context.write("src/lib.rs", "use tokio;\n");
        context.write("src/deep/er.rs", "//! tokio\nmod x;\n");
        context.write("docs/my notes.md", "one two three\n".repeat(20));
        context.write("docs/guide.md", "A guide.\nMore TODO here.\n");
        context.write("data/big.bin", vec![b'x'; 1_500_000]);
        Self { context }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.context.work().join(path)
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).expect("a text file")
    }

    /// Runs a task with further arguments.
    fn run(&self, arguments: &[&str], task: &str) -> Finished {
        let mut all = vec!["run"];
        all.extend(arguments);
        all.push(task);
        self.context.run(all)
    }

    /// The answer to a task that must succeed, without its line end.
    fn ask(&self, task: &str) -> String {
        self.ask_with(&[], task)
    }

    /// The same where files may be written.
    fn ask_writing(&self, task: &str) -> String {
        self.ask_with(&["--sandbox", "workspace-write", "--approve", "auto"], task)
    }

    fn ask_with(&self, arguments: &[&str], task: &str) -> String {
        let finished = self.run(arguments, task);
        assert_eq!(finished.code, 0, "`{task}`: {}\n{}", finished.stdout, finished.stderr);
        assert!(finished.stderr.contains("builtin"), "the model is named: {}", finished.stderr);
        finished.stdout.strip_suffix('\n').expect("a line end").to_owned()
    }

    /// All files below a directory, as paths from the workspace, in order.
    fn files(&self, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.path(below), &mut found);
        let root = self.context.work();
        let mut names: Vec<String> = found
            .iter()
            .map(|path| path.strip_prefix(&root).expect("inside").display().to_string())
            .collect();
        names.sort();
        names
    }

    /// The files below a directory with this ending.
    fn ending(&self, below: &str, ending: &str) -> Vec<String> {
        let mut names = self.files(below);
        names.retain(|name| name.ends_with(ending));
        names
    }
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}
