//! The place of an attack, and the ways in which an agent is started there.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use super::Rows;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::binary;
use crate::support::denied;
use crate::support::finish;

/// What stands in files outside of the workspace; no output may ever show it.
pub const SECRET: &str = "outside-secret-7341";

/// The ordinary user of a test that runs as root.
const NOBODY: u32 = 65534;

/// How the binary is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Namespaces are refused to the whole tree of processes, as in a container.
    pub contained: bool,
    /// As an ordinary user (only where the test itself runs as root).
    pub ordinary: bool,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rung = if self.contained { "no namespaces" } else { "best rung" };
        let user = if self.ordinary { "ordinary user" } else { "this user" };
        write!(formatter, "[{rung}, {user}]")
    }
}

/// Workspace, home, `outside`, and the settings under which the binary is started.
pub struct Ground {
    context: TestContext,
    pub setting: Setting,
    root: PathBuf,
    program: PathBuf,
}

/// Runs `attack` once per setting on fresh ground; its rows are those of one case.
pub fn each(case: &'static str, mut attack: impl FnMut(&Ground, &mut Rows)) {
    let mut rows = Rows::new(case);
    for setting in settings() {
        attack(&Ground::new(setting), &mut rows);
    }
}

/// Every way in which the binary can be started here.
pub fn settings() -> impl Iterator<Item = Setting> {
    let is_root = rustix::process::geteuid().is_root();
    // Mutations are looked for by as many runs as there are defences: then one user is enough.
    let one_user = std::env::var_os("AGI_TEST_ONE_USER").is_some();
    if !is_root {
        crate::support::lacking("root", "settings with a second user");
    }
    let users = if is_root && !one_user { &[false, true][..] } else { &[false] };
    users.iter().flat_map(|ordinary| {
        [false, true].map(|contained| Setting { contained, ordinary: *ordinary })
    })
}

/// The same in two settings that differ in both respects: for rows that take a second each.
pub fn each_of_two(case: &'static str, mut attack: impl FnMut(&Ground, &mut Rows)) {
    let mut rows = Rows::new(case);
    let ordinary = rustix::process::geteuid().is_root();
    attack(&Ground::new(Setting { contained: false, ordinary: false }), &mut rows);
    attack(&Ground::new(Setting { contained: true, ordinary }), &mut rows);
}

impl Ground {
    pub fn new(setting: Setting) -> Self {
        let context = TestContext::new();
        let root = context.work().parent().unwrap().canonicalize().unwrap();
        fs::create_dir(root.join("outside")).unwrap();
        fs::write(root.join("outside/secret"), SECRET).unwrap();
        let program = if setting.ordinary { reachable(&root) } else { binary() };
        Self { context, setting, root, program }
    }

    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub fn outside(&self) -> PathBuf {
        self.root.join("outside")
    }

    /// A file below the workspace.
    pub fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        self.context.write(path, contents)
    }

    /// The file beside the workspace is as it was, and nothing was put beside it.
    pub fn is_untouched(&self) -> bool {
        let names = fs::read_dir(self.outside()).unwrap().count();
        names == 1 && fs::read_to_string(self.outside().join("secret")).unwrap() == SECRET
    }

    /// The binary with these arguments; `$BASE` in them is the directory around the workspace.
    pub fn command(&self, arguments: &[&str]) -> Command {
        if self.setting.ordinary {
            give_away(&self.root);
        }
        self.command_as_it_is(arguments)
    }

    /// The same, with the files' owners as they are (another thread may be moving them).
    pub fn command_as_it_is(&self, arguments: &[&str]) -> Command {
        let base = self.root.to_string_lossy();
        let arguments = arguments.iter().map(|text| text.replace("$BASE", &base));
        let sealed = self.context.command(arguments);
        let mut command = Command::new(&self.program);
        command.args(sealed.get_args()).env_clear();
        let variables = sealed.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables).current_dir(self.work());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.setting.ordinary {
            command.uid(NOBODY).gid(NOBODY);
        }
        if self.setting.contained {
            denied::namespaces(&mut command);
        }
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.command(arguments))
    }

    /// A shell script in the sandbox at `workspace-write`.
    pub fn sh(&self, script: &str) -> Finished {
        self.sh_at("workspace-write", script)
    }

    /// A shell script in the sandbox at a level.
    pub fn sh_at(&self, level: &str, script: &str) -> Finished {
        self.run(&["sandbox", "--level", level, "--timeout", "30", "--", "bash", "-c", script])
    }

    /// The rung that holds here.
    pub fn rung(&self) -> String {
        let finished = self.run(&["--json", "sandbox", "--explain"]);
        let value: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
        value["rung"].as_str().unwrap_or_default().to_owned()
    }

    /// A tool at `workspace-write`.
    pub fn tool(&self, name: &str, arguments: &Value) -> Finished {
        let arguments = arguments.to_string();
        self.run(&["tool", "run", name, "--args", &arguments, "--sandbox", "workspace-write"])
    }

    /// A whole run with a scripted model.
    pub fn agent(&self, script: &Value, more: &[&str]) -> Finished {
        let path = self.file("../home/script.json", script.to_string());
        let model = format!("scripted/{}", path.display());
        let fixed = ["run", "go", "--sandbox", "workspace-write", "--model", &model];
        self.run(&[&fixed[..], more].concat())
    }
}

/// The binary where an ordinary user can start it: itself, or a copy.
fn reachable(root: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let program = binary().canonicalize().unwrap();
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.mode() & 0o1 != 0);
    if program.ancestors().all(is_open) {
        return program;
    }
    let copy = root.join("agi-agent");
    fs::copy(program, &copy).unwrap();
    copy
}

/// Makes the ordinary user the owner of everything below: what protects a file in a test is then the
/// sandbox, never its owner.
fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    let is_directory = fs::symlink_metadata(path).unwrap().is_dir();
    for entry in is_directory.then(|| fs::read_dir(path).unwrap()).into_iter().flatten() {
        give_away(&entry.unwrap().path());
    }
}
