//! Files that some program runs or obeys later without being asked: a shell at its start, an editor
//! that opens the directory, a build, a hook. To write one is to run something, only not now.
//!
//! A list of names; nothing is opened here and nothing is forbidden here. Who is asked about a write,
//! and the model that made it, are told.

use std::path::Path;

/// Whole names, and who runs or obeys them.
const NAMES: [(&str, &[&str]); 9] = [
    (
        "a shell",
        &[
            ".bashrc",
            ".bash_profile",
            ".bash_login",
            ".bash_logout",
            ".profile",
            ".zshrc",
            ".zshenv",
            ".zprofile",
            ".zlogin",
            ".kshrc",
            ".inputrc",
            "config.fish",
        ],
    ),
    ("direnv", &[".envrc"]),
    ("make", &["Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "meson.build", "justfile"]),
    (
        "python",
        &[
            "conftest.py",
            "sitecustomize.py",
            "usercustomize.py",
            "setup.py",
            "pyproject.toml",
            "noxfile.py",
            "tox.ini",
        ],
    ),
    ("cargo", &["build.rs", "Cargo.toml"]),
    (
        "a package manager",
        &[
            "package.json",
            ".npmrc",
            ".yarnrc",
            ".yarnrc.yml",
            ".pnpmfile.cjs",
            "Gemfile",
            "Rakefile",
            "composer.json",
            "build.gradle",
            "build.gradle.kts",
            "pom.xml",
        ],
    ),
    (
        "git",
        &[".gitattributes", ".gitmodules", ".gitconfig", ".pre-commit-config.yaml", "lefthook.yml"],
    ),
    (
        "an agent or its servers",
        &[".mcp.json", "AGENTS.md", "CLAUDE.md", "GEMINI.md", ".cursorrules", ".aider.conf.yml"],
    ),
    ("an editor", &[".vimrc", ".exrc", ".nvimrc", ".dir-locals.el", ".editorconfig"]),
];

/// Directories whose files somebody runs or obeys.
const DIRECTORIES: [(&str, &[&str]); 6] = [
    ("an editor", &[".vscode", ".idea", ".zed", ".nvim", ".vim"]),
    ("an agent", &[".claude", ".codex", ".gemini", ".cursor", ".agi-agent"]),
    ("git", &[".husky", ".githooks", ".lefthook"]),
    ("continuous integration", &[".github", ".gitlab", ".circleci", ".ci"]),
    ("a container", &[".devcontainer"]),
    ("cargo", &[".cargo"]),
];

/// Who runs or obeys this file later; `None` for ordinary files.
pub fn runs_later(path: &Path) -> Option<&'static str> {
    let file = path.file_name()?;
    let find = |list: &[(&'static str, &[&str])], name: &std::ffi::OsStr| {
        let is_listed = |names: &&[&str]| names.iter().any(|known| name == *known);
        list.iter().find(|(_, names)| is_listed(names)).map(|(who, _)| *who)
    };
    let parents = || path.parent().into_iter().flat_map(Path::components);
    find(&NAMES, file)
        .or_else(|| parents().find_map(|part| find(&DIRECTORIES, part.as_os_str())))
        .or_else(|| is_in_environment(path).then_some("whoever uses this environment"))
}

/// `venv/bin/python`, `.venv/Scripts/activate`, `node_modules/.bin/x`: programs that are found first.
fn is_in_environment(path: &Path) -> bool {
    let mut parts = path.components().rev().skip(1).map(std::path::Component::as_os_str);
    let (Some(directory), Some(above)) = (parts.next(), parts.next()) else { return false };
    let is_programs = ["bin", "Scripts", ".bin"].iter().any(|name| directory == *name);
    let is_environment =
        ["venv", ".venv", "env", ".env", "node_modules"].iter().any(|name| above == *name);
    is_programs && is_environment
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::runs_later;

    #[test]
    fn names_directories_and_environments() {
        for (path, who) in [
            ("a/.bashrc", Some("a shell")),
            ("Makefile", Some("make")),
            ("sub/conftest.py", Some("python")),
            (".vscode/deep/tasks.json", Some("an editor")),
            ("/x/venv/bin/python", Some("whoever uses this environment")),
            ("node_modules/.bin/tsc", Some("whoever uses this environment")),
            ("bin/python", None),
            ("venv", None),
            (".bashrc.txt", None),
            ("src/main.rs", None),
            ("/", None),
        ] {
            assert_eq!(runs_later(Path::new(path)), who, "{path}");
        }
    }
}
