//! From the policy to what Landlock grants: the same roots that `system::opener` judges by.

use std::os::unix::ffi::OsStrExt as _;
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

/// What a child under `policy` is granted. `scratch`: its private temporary directory; `program`: this
/// executable, which `python_exec` starts.
pub(super) fn grants(policy: &Policy, scratch: Option<&Path>, program: &Path) -> Vec<Grant> {
    let mut list = List { grants: Vec::new(), protected: &policy.protected };
    for path in SYSTEM_READ.iter().filter(|path| **path != "/etc") {
        list.grant(Rights::Read, Path::new(path));
    }
    list.etc();
    list.grant(Rights::Read, program);
    for path in FACTS {
        list.grant(Rights::Read, Path::new(path));
    }
    for path in DEVICES {
        list.grant(Rights::Device, Path::new(path));
    }
    for path in std::iter::once(&policy.cwd).chain(&policy.read) {
        list.below(Rights::Read, path);
    }
    for path in &policy.write {
        list.below(Rights::Write, path);
    }
    if !policy.write.is_empty() {
        // Semaphores and shared memory of POSIX; shared with other programs of the same user.
        list.grant(Rights::Write, Path::new("/dev/shm"));
    }
    if let Some(scratch) = scratch {
        list.grant(Rights::Scratch, scratch);
    }
    list.grants
}

struct List<'a> {
    grants: Vec<Grant>,
    protected: &'a [PathBuf],
}

impl List<'_> {
    fn grant(&mut self, rights: Rights, path: &Path) {
        self.grants.push(Grant { rights, path: path.as_os_str().as_bytes().to_vec() });
    }

    /// Grants a root. Landlock cannot take away below what it granted, so where something protected
    /// lies below, its siblings are granted one by one, and nothing new can be made beside it.
    fn below(&mut self, rights: Rights, root: &Path) {
        if self.protected.iter().any(|protected| root.starts_with(protected)) {
            return;
        }
        if !self.protected.iter().any(|protected| protected.starts_with(root)) {
            return self.grant(rights, root);
        }
        self.grant(Rights::List, root);
        let Ok(entries) = std::fs::read_dir(root) else { return };
        for entry in entries.flatten() {
            // A link leads elsewhere, where its target's own grant decides.
            if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                self.below(rights, &entry.path());
            }
        }
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
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if !is_secret_of_etc(&path) && path != Path::new("/etc/ssl") {
                    self.grant(Rights::Read, &path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::grants;
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
        let granted: Vec<String> = grants(&policy, None, std::path::Path::new("/x"))
            .into_iter()
            .filter(|grant| grant.rights != super::Rights::List)
            .filter_map(|grant| String::from_utf8(grant.path).ok())
            .filter_map(|path| path.strip_prefix(cwd.to_str()?).map(str::to_owned))
            .collect();
        assert!(granted.contains(&"/a".to_owned()) && granted.contains(&"/data/other".to_owned()));
        assert!(
            !granted
                .iter()
                .any(|path| path.is_empty() || path == "/data" || path.contains("agi-agent"))
        );
    }
}
