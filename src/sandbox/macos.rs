//! The Seatbelt profile of a policy, as text for `/usr/bin/sandbox-exec`.
//!
//! A pure function of the policy, so that it is tested on every platform.

use std::fmt::Write as _;
use std::path::Path;

use super::policy::Policy;
use super::snapshot::STEERING;

/// Readable on every macOS.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/bin",
    "/sbin",
    "/System",
    "/Library",
    "/opt",
    "/private/etc",
    "/private/var/db/timezone",
    "/dev",
];

/// The profile that holds `policy`; `scratch` is the private temporary directory.
pub fn profile(policy: &Policy, scratch: Option<&Path>) -> String {
    let mut text = String::from(
        "(version 1)\n(deny default)\n(allow process-exec process-fork)\n(allow signal (target same-sandbox))\n\
         (allow sysctl-read)\n(allow file-read-metadata)\n",
    );
    let mut rule = |operations: &str, filter: &str, path: &Path| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "({operations} ({filter} \"{}\"))", quoted(path));
    };
    for path in SYSTEM {
        rule("allow file-read*", "subpath", Path::new(path));
    }
    for path in ["/dev/null", "/dev/zero", "/dev/tty"] {
        rule("allow file-write*", "literal", Path::new(path));
    }
    for path in std::iter::once(&policy.cwd).chain(&policy.read) {
        rule("allow file-read*", "subpath", path);
    }
    for path in policy.write.iter().map(std::path::PathBuf::as_path).chain(scratch) {
        rule("allow file-read* file-write*", "subpath", path);
    }
    // The last rule that matches decides.
    for root in &policy.write {
        for name in [".git", ".agi-agent"] {
            rule("deny file-write*", "subpath", &root.join(name));
        }
    }
    for git in &policy.git {
        if policy.write.contains(git) {
            for name in STEERING {
                rule("deny file-write*", "subpath", &git.join(name));
            }
        } else {
            rule("deny file-write*", "subpath", git);
        }
    }
    for path in &policy.protected {
        rule("deny file-read* file-write*", "subpath", path);
    }
    for path in ["/private/etc/master.passwd", "/private/etc/sudoers", "/private/etc/ssh"] {
        rule("deny file-read*", "subpath", Path::new(path));
    }
    if policy.net.is_open_to_children() {
        text.push_str("(allow network*)\n(allow system-socket)\n");
    }
    text
}

/// As a string of the profile language.
fn quoted(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::profile;
    use crate::config::settings::SandboxLevel;
    use crate::sandbox::policy::NetRule;
    use crate::sandbox::policy::Policy;

    #[test]
    fn the_profile_denies_last_what_is_protected() {
        let policy = Policy {
            level: SandboxLevel::WorkspaceWrite,
            cwd: "/w".into(),
            read: vec!["/r \"quoted\"".into()],
            write: vec!["/w".into(), "/bare".into()],
            git: vec!["/w/meta".into(), "/bare".into()],
            included: Vec::new(),
            net: NetRule::Off,
            env: Vec::new(),
            protected: vec![PathBuf::from("/w/state")],
            unmade: None,
            limits: crate::config::settings::CommandLimits::default(),
        };
        insta::assert_snapshot!(profile(&policy, Some(std::path::Path::new("/t"))), @r#"
        (version 1)
        (deny default)
        (allow process-exec process-fork)
        (allow signal (target same-sandbox))
        (allow sysctl-read)
        (allow file-read-metadata)
        (allow file-read* (subpath "/usr"))
        (allow file-read* (subpath "/bin"))
        (allow file-read* (subpath "/sbin"))
        (allow file-read* (subpath "/System"))
        (allow file-read* (subpath "/Library"))
        (allow file-read* (subpath "/opt"))
        (allow file-read* (subpath "/private/etc"))
        (allow file-read* (subpath "/private/var/db/timezone"))
        (allow file-read* (subpath "/dev"))
        (allow file-write* (literal "/dev/null"))
        (allow file-write* (literal "/dev/zero"))
        (allow file-write* (literal "/dev/tty"))
        (allow file-read* (subpath "/w"))
        (allow file-read* (subpath "/r \"quoted\""))
        (allow file-read* file-write* (subpath "/w"))
        (allow file-read* file-write* (subpath "/bare"))
        (allow file-read* file-write* (subpath "/t"))
        (deny file-write* (subpath "/w/.git"))
        (deny file-write* (subpath "/w/.agi-agent"))
        (deny file-write* (subpath "/bare/.git"))
        (deny file-write* (subpath "/bare/.agi-agent"))
        (deny file-write* (subpath "/w/meta"))
        (deny file-write* (subpath "/bare/hooks"))
        (deny file-write* (subpath "/bare/config"))
        (deny file-write* (subpath "/bare/config.worktree"))
        (deny file-write* (subpath "/bare/commondir"))
        (deny file-write* (subpath "/bare/gitdir"))
        (deny file-write* (subpath "/bare/remotes"))
        (deny file-write* (subpath "/bare/branches"))
        (deny file-read* file-write* (subpath "/w/state"))
        (deny file-read* (subpath "/private/etc/master.passwd"))
        (deny file-read* (subpath "/private/etc/sudoers"))
        (deny file-read* (subpath "/private/etc/ssh"))
        "#);
    }
}
