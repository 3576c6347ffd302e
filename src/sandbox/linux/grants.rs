//! From the policy to what Landlock grants: the same roots that `system::opener` judges by.
//!
//! Landlock grants directories, not their names, so what was granted holds only as long as the names lead
//! to the same directories: [`Granted::is_current`].

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use crate::sandbox::policy::Policy;
use crate::system::opener::SYSTEM_READ;
use crate::system::opener::is_secret_of_etc;

use super::landlock::Grant;
use super::landlock::Rights;

/// Devices every program expects.
const DEVICES: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Facts of the machine: procfs (Landlock itself hides what tracing would need: environment, memory and
/// descriptors of processes outside the sandbox), processors, the own cgroup's limits.
const FACTS: [&str; 3] = ["/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup"];

/// Semaphores and shared memory of POSIX.
pub(super) const SHARED_MEMORY: &str = "/dev/shm";

/// What children of one policy are granted, and what that was read from.
#[derive(Debug)]
pub(super) struct Granted {
    grants: Vec<Grant>,
    /// Directories whose files are out of reach, and whose entries the right to list a directory above
    /// would show: Landlock has no right for one directory alone.
    hidden: Vec<PathBuf>,
    /// Directories on the way to hidden ones, which must stay where they are; parents first.
    pinned: Vec<PathBuf>,
    seen: Vec<(PathBuf, Option<Seen>)>,
}

/// What a name led to.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    /// Where the entries were granted one by one: when they last changed, by modification and by change
    /// of the directory itself (seconds and nanoseconds).
    entries: Option<[(i64, i64); 2]>,
}

impl Seen {
    fn new(found: &Metadata, listed: bool) -> Self {
        let times = [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())];
        Self { device: found.dev(), inode: found.ino(), entries: listed.then_some(times) }
    }

    fn at(path: &Path, listed: bool) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found| Self::new(&found, listed))
    }
}

impl Granted {
    /// What a child under `policy` is granted. `scratch`: its private temporary directory; `program`:
    /// this executable, which `python_exec` starts; `mounts`: directories can be hidden and pinned.
    pub(super) fn new(
        policy: &Policy,
        scratch: Option<&Path>,
        program: &Path,
        mounts: bool,
    ) -> Self {
        let (grants, hidden, pinned, seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut list = List {
            granted: Self { grants, hidden, pinned, seen },
            protected: &policy.protected,
            unmade: policy.unmade.as_deref(),
        };
        // These stay what they are while a system runs.
        for path in SYSTEM_READ.iter().filter(|path| **path != "/etc") {
            list.grant(Rights::Read, Path::new(path));
        }
        list.etc();
        for path in FACTS {
            list.grant(Rights::Read, Path::new(path));
        }
        for path in DEVICES {
            list.grant(Rights::Device, Path::new(path));
        }
        list.see(program, false);
        list.grant(Rights::Read, program);
        for path in std::iter::once(&policy.cwd).chain(&policy.read) {
            list.below(Rights::Read, path);
        }
        for path in &policy.write {
            if !(mounts && list.around(path)) {
                list.below(Rights::Write, path);
            }
        }
        if !policy.write.is_empty() {
            // Without namespaces it is shared with other programs of the same user.
            list.grant(Rights::Write, Path::new(SHARED_MEMORY));
        }
        if let Some(scratch) = scratch {
            list.see(scratch, false);
            list.grant(Rights::Scratch, scratch);
        }
        list.granted
    }

    pub(super) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    pub(super) fn hidden(&self) -> &[PathBuf] {
        &self.hidden
    }

    pub(super) fn pinned(&self) -> &[PathBuf] {
        &self.pinned
    }

    /// Whether all names lead to what they led to then.
    pub(super) fn is_current(&self) -> bool {
        self.seen.iter().all(|(path, seen)| {
            let listed = seen.as_ref().is_some_and(|seen| seen.entries.is_some());
            *seen == Seen::at(path, listed)
        })
    }
}

struct List<'a> {
    granted: Granted,
    protected: &'a [PathBuf],
    unmade: Option<&'a Path>,
}

impl List<'_> {
    fn grant(&mut self, rights: Rights, path: &Path) {
        self.granted.grants.push(Grant { rights, path: path.as_os_str().as_bytes().to_vec() });
    }

    fn hide(&mut self, path: &Path) {
        if path.is_dir() {
            self.granted.hidden.push(path.to_path_buf());
        }
    }

    /// Looked at before it is read, so that a change meanwhile shows.
    fn see(&mut self, path: &Path, listed: bool) {
        self.granted.seen.push((path.to_path_buf(), Seen::at(path, listed)));
    }

    /// Grants a root. Landlock cannot take away below what it granted, so where something protected
    /// lies below, its siblings are granted one by one, and nothing new can be made beside it.
    fn below(&mut self, rights: Rights, root: &Path) {
        if self.protected.iter().any(|protected| root.starts_with(protected)) {
            return self.hide(root);
        }
        if !self.protected.iter().any(|protected| protected.starts_with(root)) {
            self.see(root, false);
            return self.grant(rights, root);
        }
        self.see(root, true);
        self.grant(Rights::List, root);
        let Ok(entries) = std::fs::read_dir(root) else { return };
        for entry in entries.flatten() {
            // A link leads elsewhere, where its target's own grant decides.
            if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                self.below(rights, &entry.path());
            }
        }
    }

    /// Grants all of a writable root in which something protected lies, which is hidden: nobody can see
    /// it, replace it, or move a directory on the way to it. What is not there yet gets an empty directory,
    /// since only what is there can be hidden. False: that cannot be had here.
    fn around(&mut self, root: &Path) -> bool {
        let inside: Vec<&PathBuf> =
            self.protected.iter().filter(|path| path.starts_with(root) && *path != root).collect();
        let is_inside = self.protected.iter().any(|protected| root.starts_with(protected));
        if is_inside || inside.is_empty() || root.parent().is_none() {
            return false;
        }
        let may_be_there = |path: &Path| {
            path.is_dir() || !self.unmade.is_some_and(|unmade| path.starts_with(unmade))
        };
        if !inside.iter().all(|path| may_be_there(path) && std::fs::create_dir_all(path).is_ok()) {
            return false;
        }
        for path in inside {
            let mut way: Vec<&Path> =
                path.ancestors().skip(1).take_while(|at| *at != root).collect();
            way.reverse();
            for directory in way {
                if !self.granted.pinned.iter().any(|pinned| pinned == directory) {
                    self.granted.pinned.push(directory.to_path_buf());
                }
                self.see(directory, false);
            }
            self.see(path, false);
            self.hide(path);
        }
        self.see(root, false);
        self.grant(Rights::Write, root);
        true
    }

    /// The permissions of the files keep an ordinary user from the secrets of `/etc`; root is granted
    /// everything else entry by entry.
    fn etc(&mut self) {
        let etc = Path::new("/etc");
        if !rustix::process::geteuid().is_root() {
            return self.grant(Rights::Read, etc);
        }
        self.grant(Rights::List, etc);
        for directory in [etc, Path::new("/etc/ssl")] {
            self.see(directory, true);
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if is_secret_of_etc(&path) {
                    self.hide(&path);
                } else if path != Path::new("/etc/ssl") {
                    self.grant(Rights::Read, &path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Granted;
    use crate::config::settings::SandboxLevel;
    use crate::config::settings::SandboxSettings;
    use crate::sandbox::policy::Policy;

    #[test]
    fn siblings_of_what_is_protected_are_granted_and_it_is_not() {
        let root = tempfile::tempdir().unwrap();
        let cwd = root.path().canonicalize().unwrap();
        for name in ["a", "data/agi-agent", "data/other"] {
            std::fs::create_dir_all(cwd.join(name)).unwrap();
        }
        let settings = SandboxSettings {
            level: SandboxLevel::WorkspaceWrite,
            add_dirs: Vec::new(),
            read: Vec::new(),
            net: Vec::new(),
            env: Vec::new(),
        };
        let policy = Policy::new(&settings, &cwd, vec![cwd.join("data/agi-agent")]);
        let all = Granted::new(&policy, None, std::path::Path::new("/x"), false);
        let granted: Vec<String> = all
            .grants()
            .iter()
            .filter(|grant| grant.rights != super::Rights::List)
            .filter_map(|grant| String::from_utf8(grant.path.clone()).ok())
            .filter_map(|path| path.strip_prefix(cwd.to_str()?).map(str::to_owned))
            .collect();
        assert!(granted.contains(&"/a".to_owned()) && granted.contains(&"/data/other".to_owned()));
        assert!(
            !granted
                .iter()
                .any(|path| path.is_empty() || path == "/data" || path.contains("agi-agent"))
        );
        assert!(all.hidden().contains(&cwd.join("data/agi-agent")));
    }

    #[test]
    fn what_was_granted_is_stale_once_a_name_leads_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let cwd = root.path().canonicalize().unwrap();
        for name in ["work/listed/data", "work/plain"] {
            std::fs::create_dir_all(cwd.join(name)).unwrap();
        }
        let settings = SandboxSettings {
            level: SandboxLevel::ReadOnly,
            add_dirs: Vec::new(),
            read: vec![cwd.join("later")],
            net: Vec::new(),
            env: Vec::new(),
        };
        let granted = || {
            let protected = vec![cwd.join("work/listed/data")];
            let policy = Policy::new(&settings, &cwd.join("work"), protected);
            Granted::new(&policy, None, std::path::Path::new("/x"), false)
        };
        let before = granted();
        assert!(before.is_current());
        // Changes inside of what was granted whole do not matter.
        std::fs::write(cwd.join("work/plain/file"), "x").unwrap();
        assert!(before.is_current());
        // A new entry where entries were granted one by one.
        std::fs::write(cwd.join("work/listed/file"), "x").unwrap();
        assert!(!before.is_current());
        let before = granted();
        // A directory that was absent.
        std::fs::create_dir(cwd.join("later")).unwrap();
        assert!(!before.is_current());
        let before = granted();
        // Another directory of the same name.
        std::fs::rename(cwd.join("later"), cwd.join("away")).unwrap();
        std::fs::create_dir(cwd.join("later")).unwrap();
        assert!(!before.is_current());
    }
}
