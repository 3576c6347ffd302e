//! Finding, searching, showing, ranking and hashing files.

use std::time::Duration;
use std::time::SystemTime;

use sha2::Digest;

use super::Workspace;

fn touch(workspace: &Workspace, path: &str, hours_ago: u64) {
    let file = std::fs::File::options().append(true).open(workspace.path(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(hours_ago * 3600)).unwrap();
}

#[test]
fn files_are_found_by_name_and_size() {
    let workspace = Workspace::new();
    for round in 0..2 {
        let rust = workspace.ending("src", ".rs").join("\n");
        assert_eq!(workspace.ask("all *.rs under src"), rust);
        assert_eq!(workspace.ask("list the Rust files in src, please"), rust);
        assert_eq!(
            workspace.ask("find files ending in .md"),
            workspace.ending(".", ".md").join("\n")
        );
        let big: Vec<String> = workspace
            .files(".")
            .into_iter()
            .filter(|path| workspace.path(path).metadata().unwrap().len() > 1_000_000)
            .collect();
        assert_eq!(workspace.ask("files bigger than 1 MB"), big.join("\n"));
        assert_eq!(workspace.ask("where is er.rs?"), "src/deep/er.rs");
        if round == 0 {
            workspace.context.write("src/another one.rs", "");
            workspace.context.write("docs/big.md", vec![b'y'; 1_000_001]);
        }
    }
    assert_eq!(workspace.ask("find *.nothing"), "no files found");
}

#[test]
fn files_are_found_by_age_and_ranked() {
    let workspace = Workspace::new();
    for path in workspace.files(".") {
        touch(&workspace, &path, 24 * 10);
    }
    touch(&workspace, "src/lib.rs", 1);
    touch(&workspace, "docs/guide.md", 30);
    touch(&workspace, "Makefile", 24 * 40);
    assert_eq!(workspace.ask("which files were modified in the last 3 hours"), "src/lib.rs");
    assert_eq!(workspace.ask("files changed in the last 2 days"), "docs/guide.md\nsrc/lib.rs");
    assert_eq!(workspace.ask("files older than 30 days"), "Makefile");
    assert!(workspace.ask("newest file").starts_with("src/lib.rs ("));
    assert!(workspace.ask("what is the oldest file?").starts_with("Makefile ("));
    touch(&workspace, "README.md", 0);
    assert!(workspace.ask("which file was modified last").starts_with("README.md ("));
    assert_eq!(workspace.ask("largest file"), "data/big.bin (1500000 bytes)");
    let smallest = workspace.ask("what is the smallest file in src");
    assert_eq!(smallest, format!("src/lib.rs ({} bytes)", workspace.text("src/lib.rs").len()));
    assert_eq!(workspace.ask("which Rust file has the most lines"), "src/main.rs (4 lines)");
}

#[test]
fn text_is_searched() {
    let workspace = Workspace::new();
    for round in 0..2 {
        let mut with = workspace.files(".");
        with.retain(|path| path != "data/big.bin" && workspace.text(path).contains("tokio"));
        assert_eq!(workspace.ask("which files mention tokio"), with.join("\n"));
        let mut lines = Vec::new();
        for path in workspace.files("src") {
            let text = workspace.text(&path);
            let hits = text.lines().enumerate().filter(|(_, line)| line.contains("unsafe"));
            lines.extend(hits.map(|(at, line)| format!("{path}:{}:{line}", at + 1)));
        }
        assert_eq!(workspace.ask("show lines containing 'unsafe' in src"), lines.join("\n"));
        assert_eq!(workspace.ask("grep unsafe src"), lines.join("\n"));
        if round == 0 {
            workspace.context.write("src/more.rs", "\n\n    unsafe { tokio }\nunsafe\n");
        }
    }
    assert_eq!(workspace.ask("does Makefile mention tokio"), "no");
    assert_eq!(workspace.ask("search for nowhere"), "no line contains `nowhere`");
}

#[test]
fn files_are_shown() {
    let workspace = Workspace::new();
    let readme = workspace.text("README.md");
    assert_eq!(workspace.ask("show README.md"), readme.trim_end());
    assert_eq!(
        workspace.ask("cat 'docs/my notes.md'"),
        workspace.text("docs/my notes.md").trim_end()
    );
    assert_eq!(workspace.ask("first line of README.md"), "# Title");
    assert_eq!(workspace.ask("show the last 2 lines of src/main.rs"), "    unsafe {}\n}");
    assert_eq!(workspace.ask("lines 2 to 3 of README.md"), "hello tokio world\nTODO: größer");
    let lines = (0..2000).map(|number| format!("{number} {}\n", ".".repeat(40)));
    let long = lines.collect::<Vec<_>>().concat();
    workspace.context.write("long.txt", &long);
    assert_eq!(workspace.ask("show long.txt"), long.trim_end());
}

#[test]
fn files_are_hashed() {
    let workspace = Workspace::new();
    let digest = |path: &str| {
        let bytes = std::fs::read(workspace.path(path)).unwrap();
        sha2::Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat()
    };
    assert_eq!(workspace.ask("sha256 of data/big.bin"), digest("data/big.bin"));
    assert_eq!(workspace.ask("what is the SHA-256 checksum of README.md?"), digest("README.md"));
    let both: Vec<String> = workspace
        .ending("docs", ".md")
        .iter()
        .map(|path| format!("{}  {path}", digest(path)))
        .collect();
    assert_eq!(workspace.ask("hash all *.md files in docs"), both.join("\n"));
}
