//! What git reads as its configuration: a file, and those that it includes (`include.path`, `includeIf`),
//! which may lie anywhere, under any name.
//!
//! Conditions of `includeIf` are taken to hold: what git would leave out today it may read tomorrow. Nothing
//! is written here, and nothing is read but through a [`Ground`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::config;
use super::config::Entry;
use crate::config::env::Environment;

/// Git follows no deeper (`MAX_INCLUDE_DEPTH` in its `config.c`).
const DEEPEST: usize = 10;

/// Files that are read in all.
const MOST: usize = 256;

/// Links that are followed on the way to one of them, as the kernel does.
const MOST_LINKS: usize = 40;

/// Where configuration lies.
pub(in crate::sandbox) trait Ground {
    /// Where the link at a path leads, if there is one.
    fn link(&self, path: &Path) -> Option<PathBuf>;

    /// The contents of the file at a path, which is no link.
    fn file(&self, path: &Path) -> Option<Arc<[u8]>>;
}

/// The file system as it is, links outside of a repository included.
pub(in crate::sandbox) struct OnDisk;

impl Ground for OnDisk {
    fn link(&self, path: &Path) -> Option<PathBuf> {
        std::fs::read_link(path).ok()
    }

    fn file(&self, path: &Path) -> Option<Arc<[u8]>> {
        super::read(path).map(Into::into)
    }
}

/// A configuration with all that it includes.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Configuration {
    /// Its variables, in the order of the files.
    pub(in crate::sandbox) entries: Vec<Entry>,
    /// Files that are included, whether or not they are there; their parents are no links.
    pub(in crate::sandbox) files: BTreeSet<PathBuf>,
    /// Names on the way to them: links, and where a link would lead to another file.
    pub(in crate::sandbox) ways: BTreeSet<PathBuf>,
}

impl Configuration {
    /// Reads files, which lie where no link leads, and what they include.
    pub(in crate::sandbox) fn read(
        files: impl IntoIterator<Item = (PathBuf, Arc<[u8]>)>,
        ground: &impl Ground,
    ) -> Self {
        let mut all = Self::default();
        let files = files.into_iter();
        let mut level: Vec<Named> =
            files.map(|(path, bytes)| Named { path, bytes, is_real: true }).collect();
        let mut names = BTreeSet::new();
        for _ in 0..=DEEPEST {
            let mut next = Vec::new();
            for named in level {
                let entries = config::entries(&named.bytes);
                for entry in entries.iter().filter(|entry| entry.includes()) {
                    let Some((path, file)) = all.find(&named, &entry.value, ground) else {
                        continue;
                    };
                    if names.len() < MOST && names.insert(path.clone()) {
                        let is_real = path == file;
                        let bytes = ground.file(&file);
                        next.extend(bytes.map(|bytes| Named { path, bytes, is_real }));
                        all.files.insert(file);
                    }
                }
                all.entries.extend(entries);
            }
            level = next;
        }
        all
    }

    /// The file that `value` means in a configuration: as git calls it, and without links.
    fn find(
        &mut self,
        named: &Named,
        value: &str,
        ground: &impl Ground,
    ) -> Option<(PathBuf, PathBuf)> {
        let from = named.path.parent()?;
        let below = expanded(value)?;
        let path = from.join(&below);
        // Git goes by the names of directories, not by where their links lead.
        let (mut at, mut rest) = if named.is_real {
            (from.to_path_buf(), parts(&below))
        } else {
            (PathBuf::new(), parts(&path))
        };
        let mut links = 0;
        while let Some(part) = rest.pop() {
            match Path::new(&part).components().next() {
                Some(Component::ParentDir) => drop(at.pop()),
                Some(Component::Normal(_)) => {
                    at.push(part);
                    let Some(target) = ground.link(&at) else {
                        if !rest.is_empty() {
                            self.ways.insert(at.clone());
                        }
                        continue;
                    };
                    self.ways.insert(at.clone());
                    links += 1;
                    if links > MOST_LINKS {
                        return None;
                    }
                    at.pop();
                    rest.extend(parts(&target));
                }
                Some(Component::RootDir | Component::Prefix(_)) => at.push(part),
                Some(Component::CurDir) | None => {}
            }
        }
        Some((path, at))
    }
}

/// A file of a configuration.
struct Named {
    /// As git calls it.
    path: PathBuf,
    bytes: Arc<[u8]>,
    /// Its path leads over no link.
    is_real: bool,
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}

/// A path as git expands it: `~/` is the home directory. `None`: another user's, or git's own.
pub(super) fn expanded(named: &str) -> Option<PathBuf> {
    match named.strip_prefix('~') {
        _ if named.is_empty() || named.starts_with("%(prefix)") => None,
        None => Some(named.into()),
        Some(below) => {
            let below = below.strip_prefix('/')?;
            Some(Environment::of_process().path("HOME")?.join(below))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::Configuration;
    use super::DEEPEST;
    use super::Ground;
    use super::MOST;

    /// Files, and links as files whose text begins with `->`.
    struct Drawn(BTreeMap<PathBuf, String>);

    impl Ground for Drawn {
        fn link(&self, path: &Path) -> Option<PathBuf> {
            self.0.get(path)?.strip_prefix("->").map(PathBuf::from)
        }

        fn file(&self, path: &Path) -> Option<Arc<[u8]>> {
            Some(self.0.get(path)?.as_bytes().into())
        }
    }

    fn read(config: &str, others: &[(&str, &str)]) -> Configuration {
        let others = others.iter().map(|(path, text)| (path.into(), (*text).to_owned()));
        let first = ("/w/.git/config".into(), config.as_bytes().into());
        Configuration::read([first], &Drawn(others.collect()))
    }

    fn shown(paths: &std::collections::BTreeSet<PathBuf>) -> Vec<&str> {
        paths.iter().map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn includes_are_followed_from_the_file_that_names_them() {
        let config = "[include] path = ../conf/a\n[includeIf \"gitdir:/x\"] path = missing\n\
                      [other] path = no\n[include] path\n[include] path = ~other/x\n";
        let found = read(config, &[("/w/conf/a", "[include] path = b\n[core] hooksPath = x")]);
        assert_eq!(shown(&found.files), ["/w/.git/missing", "/w/conf/a", "/w/conf/b"]);
        assert_eq!(shown(&found.ways), ["/w", "/w/.git", "/w/conf"]);
        assert!(found.entries.iter().any(|entry| entry.key == "hookspath"));
    }

    #[test]
    fn links_are_followed_and_are_on_the_way() {
        let links =
            [("/w/conf", "->real/../real2"), ("/w/real2/a", "->/w/b"), ("/w/loop", "->loop")];
        let config = "[include] path = ../conf/a\n path = ../loop\n";
        let found = read(config, &links);
        assert_eq!(shown(&found.files), ["/w/b"]);
        let ways = ["/w", "/w/conf", "/w/loop", "/w/real", "/w/real2", "/w/real2/a"];
        assert_eq!(shown(&found.ways), ways);
    }

    #[test]
    fn what_includes_itself_or_without_end_comes_to_an_end() {
        let found =
            read("[include] path = config\n", &[("/w/.git/config", "[include] path=config")]);
        assert_eq!(found.files.len(), 1);
        let chain: Vec<(String, String)> = (0..30)
            .map(|number| (format!("/w/.git/{number}"), format!("[include] path={}", number + 1)))
            .collect();
        let chain: Vec<(&str, &str)> =
            chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(read("[include] path=0", &chain).files.len(), DEEPEST + 1);
        let many: Vec<String> =
            (0..2 * MOST).map(|number| format!("[include] path={number}")).collect();
        let many = many.join("\n");
        assert_eq!(read(&many, &[]).files.len(), MOST);
    }
}
