//! Rules of the tree that nobody should have to remember: size, head comments, where `unsafe` is.

use crate::tree::sources;

/// Lines of a source file, its tests included.
const MAX_LINES: usize = 500;

/// Lines of a source file without its tests.
const MAX_CODE_LINES: usize = 420;

/// Source files of one folder, tests not counted.
const MAX_FILES: usize = 15;

/// Folders that are a list of one kind: a reader looks one of them up and passes by the others.
const LISTS: [&str; 2] = ["src/cli/commands", "src/tools"];

/// The only places where `unsafe` may stand.
const UNSAFE: [&str; 12] = [
    "src/bridge/python/interpreter",
    "src/bridge/python/frozen",
    "src/bridge/python/buffer",
    "src/bridge/python/console",
    "src/bridge/llama/raw/",
    "src/sandbox/",
    "src/system/memory/allocator",
    "src/system/memory/pages",
    "src/system/name_service",
    "src/system/process",
    "src/system/signal",
    "src/system/standard",
];

#[test]
fn files_fit_into_a_mind() {
    let mut long = Vec::new();
    for source in sources("src", "rs").into_iter().chain(sources("tests", "rs")) {
        let lines = source.text.lines().count();
        let code = source.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > MAX_LINES || code > MAX_CODE_LINES {
            long.push(format!("{}: {lines} lines, {code} without tests", source.path));
        }
    }
    for source in sources("python", "py").into_iter().chain(sources("release", "py")) {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{}: {lines} lines", source.path));
        }
    }
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

#[test]
fn each_file_says_why_it_exists() {
    let rust = sources("src", "rs").into_iter().chain(sources("tests", "rs"));
    let mut silent: Vec<String> =
        rust.filter(|source| !source.text.starts_with("//! ")).map(|s| s.path).collect();
    silent.extend(
        sources("python", "py")
            .into_iter()
            .filter(|source| !source.text.starts_with("\"\"\""))
            .map(|source| source.path),
    );
    assert!(silent.is_empty(), "no head comment:\n{}", silent.join("\n"));
}

#[test]
fn folders_fit_into_a_mind() {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for source in sources("src", "rs") {
        if let Some((folder, name)) = source.path.rsplit_once('/')
            && !name.ends_with("tests.rs")
            && !LISTS.contains(&folder)
        {
            *counts.entry(folder.to_owned()).or_default() += 1;
        }
    }
    let missing: Vec<_> =
        LISTS.iter().filter(|folder| !std::path::Path::new(folder).is_dir()).collect();
    assert!(missing.is_empty(), "no such folders: {missing:?}");
    let full: Vec<_> = counts.iter().filter(|(_, count)| **count > MAX_FILES).collect();
    assert!(full.is_empty(), "folders of more than {MAX_FILES} files: {full:?}");
}

#[test]
fn unsafe_stands_where_the_design_says() {
    let mut wrong = Vec::new();
    let mut places = std::collections::BTreeSet::new();
    for source in sources("src", "rs") {
        let place = UNSAFE.iter().find(|place| source.path.starts_with(**place));
        for (number, line) in source.code().filter(|(_, line)| line.contains("unsafe ")) {
            match place {
                Some(place) => drop(places.insert(*place)),
                None => wrong.push(format!("{}:{number}: {line}", source.path)),
            }
        }
    }
    for place in UNSAFE.iter().filter(|place| !places.contains(*place)) {
        wrong.push(format!("{place}: nothing unsafe is there any more"));
    }
    assert!(wrong.is_empty(), "unsafe outside its places:\n{}", wrong.join("\n"));
}

#[test]
fn no_machine_of_ours_is_named() {
    let machine = ["/work", "/main"].concat();
    for source in sources("src", "rs").into_iter().chain(sources("python", "py")) {
        assert!(!source.text.contains(&machine), "{} names a machine's path", source.path);
    }
}

/// The judges are compiled with our own tests as well; the crate that fuzzes with them is built by nobody
/// else here, and is missing what they began to use.
#[test]
fn the_crate_of_the_fuzzers_has_what_its_judges_use() {
    let manifest = std::fs::read_to_string("tests/fuzz/Cargo.toml").unwrap().replace('-', "_");
    let has = |name: &str| manifest.lines().any(|line| line.starts_with(&format!("{name} =")));
    let mut seen = 0;
    for source in sources("tests/fuzz", "rs") {
        let uses = source.text.lines().filter_map(|line| line.strip_prefix("use "));
        for name in uses.filter_map(|path| path.split("::").next()) {
            let is_own = ["std", "core", "crate", "super", "judges"].contains(&name);
            assert!(
                is_own || has(name),
                "{}: `{name}` is not in tests/fuzz/Cargo.toml",
                source.path
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} lines read");
}
