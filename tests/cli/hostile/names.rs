//! Spellings of paths, one per line: nothing here is tried by itself.

/// The file outside of the workspace; `$BASE` is the directory around it.
pub const OF_THE_SECRET: [&str; 27] = [
    "../outside/secret",
    "./../outside/secret",
    "sub/../../outside/secret",
    "sub/../../work/../outside/secret",
    "../work/../outside/./secret",
    "..//outside//secret",
    "../outside/secret/",
    "../outside/secret/.",
    "../outside/../outside/secret",
    "$BASE/outside/secret",
    "$BASE//outside/secret",
    "$BASE/work/../outside/secret",
    "$BASE/outside/secret/",
    "//$BASE/outside/secret",
    "link/secret",
    "link/../outside/secret",
    "link/./secret",
    "/proc/self/root/$BASE/outside/secret",
    "/proc/self/cwd/../outside/secret",
    "/proc/thread-self/root/$BASE/outside/secret",
    "/proc/1/root/$BASE/outside/secret",
    "/dev/fd/../root/$BASE/outside/secret",
    "/proc/self/fd/../cwd/../outside/secret",
    "/usr/../$BASE/outside/secret",
    "/etc/../$BASE/outside/secret",
    "file\0/../outside/secret",
    "../outside/secret\0.txt",
];

/// Git metadata and the agent's own directory, as file systems that fold case or drop characters
/// would read them.
pub const OF_GIT: [&str; 14] = [
    ".git/config",
    ".git/hooks/pre-commit",
    ".git",
    ".GIT/config",
    ".Git/hooks/pre-commit",
    "sub/.git/config",
    "sub/../.git/config",
    "./.git/./config",
    ".git//config",
    ".agi-agent/config.json",
    ".AGI-AGENT/config.json",
    ".g\u{200c}it/config",
    ".git /config",
    "git~1/config",
];
