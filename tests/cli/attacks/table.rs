//! The attacks by number, and what has to become of each on each rung.
//!
//! 1 to 105 are those that the design of the sandbox was tried with; what follows was found later.

/// What must become of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The command was refused it.
    Denied,
    /// The same, with this error: another one would be somebody else's refusal.
    By(&'static str),
    /// It happened, and was undone when the command ended; the person was told.
    Restored,
    /// What steers git was put back; the rest of the repository went the way of any file that a command
    /// may delete.
    Steering,
}

use Verdict::By;
use Verdict::Denied;
use Verdict::Restored;
use Verdict::Steering;

/// One attack.
pub struct Attack {
    pub number: u32,
    /// Its name in the program, or a shell script (which has a blank in it).
    pub name: &'static str,
    pub namespaces: Verdict,
    pub landlock: Verdict,
}

const fn row(number: u32, name: &'static str, namespaces: Verdict, landlock: Verdict) -> Attack {
    Attack { number, name, namespaces, landlock }
}

/// Names that lead to files.
pub const FILES: [Attack; 46] = [
    row(1, "make-hooks", Denied, Restored),
    row(2, "write-hook", Denied, Restored),
    row(3, "rename-onto-hooks", Denied, Restored),
    row(4, "exchange-git", Denied, Restored),
    row(5, "rename-git-away", Denied, Restored),
    row(6, "link-hooks", Denied, Restored),
    row(7, "rename-link-onto-hooks", Denied, Restored),
    row(8, "hard-link-in", Denied, Restored),
    row(9, "alias-config", Denied, Restored),
    row(10, "through-directory-link", Denied, Restored),
    row(11, "new-through-directory-link", Denied, Restored),
    row(12, "by-descriptor", Denied, Restored),
    row(13, "make-by-descriptor", Denied, Restored),
    row(14, "through-file-link", Denied, Restored),
    row(15, "through-dangling-link", Denied, Restored),
    row(16, "through-proc-cwd", Denied, Restored),
    row(17, "through-thread-cwd", Denied, Restored),
    row(18, "through-proc-root", Denied, Restored),
    row(19, "through-proc-descriptor", Denied, Restored),
    row(20, "through-task-cwd", Denied, Restored),
    row(21, "reopen-path-descriptor", Denied, Restored),
    row(22, "reopen-device-descriptor", Denied, Restored),
    row(23, "truncate-descriptor", Denied, Restored),
    row(24, "reopen-read-only", Denied, Restored),
    row(25, "read-only-truncating", Denied, Restored),
    row(26, "third-access-mode", Denied, Restored),
    row(27, "truncate-config", Denied, Restored),
    row(28, "truncate-open-file", Denied, Denied),
    row(29, "map-shared", Denied, Denied),
    row(30, "from-inside-make", Denied, Restored),
    row(31, "from-inside-write", Denied, Restored),
    row(32, "dots", Denied, Restored),
    row(33, "link-unnamed", Denied, Restored),
    row(34, "link-unnamed-by-descriptor", Denied, Restored),
    row(35, "unlink-config", Denied, Restored),
    row(36, "make-node", Denied, Restored),
    row(37, "make-pipe", Denied, Restored),
    row(38, "agent-directory", Restored, Restored),
    row(39, "agent-file", Restored, Restored),
    row(40, "rename-onto-agent", Restored, Restored),
    row(41, "agent-by-case", Restored, Restored),
    row(42, "present-hard-link", Restored, Restored),
    row(43, "openat2-config", Denied, Restored),
    row(44, "write-outside", By("EACCES"), By("EACCES")),
    row(45, "read-shadow", By("EACCES"), By("EACCES")),
    row(46, "write-etc", By("EACCES"), By("EACCES")),
];

const FILTER: Verdict = By("EPERM");
const ABSENT: Verdict = By("ENOSYS");

/// The kernel's own doors.
pub const KERNEL: [Attack; 22] = [
    row(47, "ring", FILTER, FILTER),
    row(48, "new-user", FILTER, FILTER),
    row(49, "clone-three", ABSENT, ABSENT),
    row(50, "enter-namespace", FILTER, FILTER),
    row(51, "mount", FILTER, FILTER),
    row(52, "by-handle", FILTER, FILTER),
    row(86, "snapshot-tree", FILTER, FILTER),
    row(87, "new-subvolume", FILTER, FILTER),
    row(88, "own-supervisor", FILTER, FILTER),
    row(89, "own-notification", ABSENT, ABSENT),
    row(90, "own-tracing", ABSENT, ABSENT),
    row(91, "internet", FILTER, FILTER),
    row(92, "internet-six", FILTER, FILTER),
    row(93, "netlink", FILTER, FILTER),
    row(94, "machine-socket", FILTER, FILTER),
    row(95, "unix-datagrams", FILTER, FILTER),
    row(96, "connect-unix", FILTER, FILTER),
    row(97, "bind-unix", Denied, By("EACCES")),
    row(98, "datagram-pair", FILTER, FILTER),
    row(99, "old-mkdir", ABSENT, ABSENT),
    row(100, "old-open", ABSENT, ABSENT),
    row(101, "x32-open", ABSENT, ABSENT),
];

/// Other processes: the one that watches the command (0), who started that (1), the agent (2), and so on.
pub const PROCESSES: [Attack; 33] = [
    row(53, "trace-keeper", FILTER, FILTER),
    row(54, "kill-keeper", FILTER, FILTER),
    row(55, "write-keeper", FILTER, FILTER),
    row(56, "memory-0", Denied, Denied),
    row(57, "variables-0", Denied, Denied),
    row(58, "memory-1", Denied, Denied),
    row(59, "variables-1", Denied, Denied),
    row(60, "signal-1", Denied, Denied),
    row(61, "memory-2", Denied, Denied),
    row(62, "variables-2", Denied, Denied),
    row(63, "signal-2", Denied, Denied),
    row(64, "memory-3", Denied, Denied),
    row(65, "variables-3", Denied, Denied),
    row(66, "signal-3", Denied, Denied),
    row(67, "memory-4", Denied, Denied),
    row(68, "variables-4", Denied, Denied),
    row(69, "signal-4", Denied, Denied),
    row(70, "memory-5", Denied, Denied),
    row(71, "variables-5", Denied, Denied),
    row(72, "signal-5", Denied, Denied),
    row(73, "deputy-variables", Denied, Denied),
    row(74, "deputy-memory", Denied, Denied),
    row(75, "deputy-descriptor-0", Denied, Denied),
    row(76, "deputy-descriptor-1", Denied, Denied),
    row(77, "deputy-descriptor-2", Denied, Denied),
    row(78, "deputy-descriptor-3", Denied, Denied),
    row(79, "deputy-descriptor-4", Denied, Denied),
    row(80, "deputy-descriptor-5", Denied, Denied),
    row(81, "deputy-descriptor-6", Denied, Denied),
    row(82, "deputy-descriptor-7", Denied, Denied),
    row(83, "deputy-directory", Denied, Denied),
    row(84, "deputy-root", Denied, Denied),
    row(85, "limit-keeper", FILTER, FILTER),
];

/// Races, and all of it at once.
pub const RACES: [Attack; 4] = [
    row(102, "race-of-arguments", Denied, Restored),
    row(103, "race-of-links", Denied, Restored),
    row(104, "hooks-after-everything", Restored, Restored),
    row(105, "common-directory-after-everything", Restored, Restored),
];

/// Programs that stay after the command, and what a shell can do.
pub const OWN: [Attack; 19] = [
    row(106, "writer-that-stays", Denied, Restored),
    row(107, "renamer-that-stays", Denied, Restored),
    row(108, "swapper-that-stays", Denied, Restored),
    row(109, "held-descriptor", Denied, Restored),
    row(110, "mapped-memory", Denied, Restored),
    row(111, "mode-of-config", Denied, Restored),
    row(112, "git config core.hooksPath /x", Denied, Restored),
    row(113, "rm -rf .git/hooks .git/config && mkdir .git/hooks", Denied, Restored),
    row(114, "mkdir n && mv .git n/deep", Denied, Restored),
    row(115, "mv .git g2 && mv prep .git", Denied, Restored),
    row(116, "mv .git g2 && ln -s g2 .git", Denied, Restored),
    row(117, "umount .git", Denied, Denied),
    row(118, "mount -o remount,rw .git", Denied, Denied),
    row(119, "echo x > /dev/tcp/127.0.0.1/80", Denied, Denied),
    row(120, "rm -r .git", Denied, Steering),
    row(122, "mv .git/objects o && mkdir .git/objects", Denied, Restored),
    row(123, "mv .git/info i && mv .git n && mkdir -p .git/info", Denied, Restored),
    row(124, "rm -rf .git && git init -q . && git config x.y z", Denied, Steering),
    row(121, "cp .git/config c && mv c .git/config && echo evil >> .git/config", Denied, Restored),
];
