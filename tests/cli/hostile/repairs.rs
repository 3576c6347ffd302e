//! Case 9 again: putting back takes as long as a command makes it. Nobody else waits for it, and nobody is
//! told how the command ended before it is done.
//!
//! A repair is made as long as a test likes by the lock that agents of one user share.

use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::FlockOperation;
use serde_json::Value;
use serde_json::json;

use super::Ground;
use super::Rows;
use super::each;
use super::settings;
use crate::support::wait_until;

/// Plants a hook, and ends when it is told to.
const PLANT: &str = "mkdir -p .git/hooks; echo evil > .git/hooks/pre-commit; mkdir -p .agi-agent; \
                     echo evil > .agi-agent/notes; touch began; until [ -e end ]; do sleep 0.02; done";

/// An agent whose lines are read as they come.
struct Agent {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Agent {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Self { child, lines }
    }

    fn send(&mut self, line: &Value) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line that has this in it; `None`: none came in time.
    fn line_with(&self, text: &str, limit: Duration) -> Option<String> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Some(line),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn planted(ground: &Ground) -> bool {
    [".git/hooks/pre-commit", ".agi-agent/notes"]
        .iter()
        .any(|path| ground.work().join(path).exists())
}

/// The lock under which agents put back in the workspace of a command that runs.
fn repair_lock(ground: &Ground) -> File {
    let began = ground.work().join("began");
    wait_until(Duration::from_secs(30), "the command", || began.exists());
    let running = ground.home().join(".local/share/agi-agent/running");
    let names = fs::read_dir(&running).unwrap().map(|entry| entry.unwrap().path());
    let places: Vec<PathBuf> = names.filter(|path| !path.ends_with("lock")).collect();
    let [place] = &places[..] else { panic!("{places:?}") };
    let lock = File::create(place.with_extension("repair")).unwrap();
    // It may be another user's.
    rustix::fs::fchmod(&lock, 0o666.into()).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    lock
}

fn run_with(ground: &Ground, options: &[&str]) -> Command {
    let call = json!({"name": "shell", "arguments": {"command": PLANT}});
    let script = json!([{"tool_calls": [call]}, {"text": "done"}]);
    let path = ground.file("../home/script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let fixed = ["run", "go", "--sandbox", "workspace-write", "--model", &model];
    ground.command(&[&fixed[..], &["--output-format", "jsonl"], options].concat())
}

/// Requests of other clients are answered while a repair takes its time.
#[test]
fn case_09_putting_back_holds_up_nobody_else() {
    each("case 9, others meanwhile", |ground, rows| {
        let call = json!({"name": "shell", "arguments": {"command": PLANT}});
        let script = json!([{"tool_calls": [call]}, {"text": "done"}]);
        let path = ground.file("../home/script.json", script.to_string());
        let mut agent = Agent::start(ground.command(&["serve", "--stdio"]));
        let config = json!({"model.provider": "scripted", "model.script": path,
                            "sandbox.level": "workspace-write"});
        let params = json!({"task": "go", "options": {"config": config}});
        agent.send(&json!({"id": 1, "method": "run.start", "params": params}));
        let lock = repair_lock(ground);
        ground.file("end", "");
        // The command has ended by the second of these, and is being put back.
        let mut answered = 0;
        for number in 0..4 {
            std::thread::sleep(Duration::from_millis(300));
            let id = format!("hello-{number}");
            agent.send(&json!({"id": id, "method": "hello"}));
            answered += u32::from(agent.line_with(&id, Duration::from_secs(2)).is_some());
        }
        let seen = format!("{answered} of 4 answered, planted: {}", planted(ground));
        rows.row(format!("{} others", ground.setting), answered == 4 && planted(ground), &seen);
        drop(lock);
        let result = agent.line_with("\"exit_code\"", Duration::from_secs(20)).unwrap_or_default();
        let held = result.contains("\"exit_code\":0") && !planted(ground);
        rows.row(format!("{} the result", ground.setting), held, &result);
    });
}

/// Neither a deadline nor any number of signals makes the agent tell a result, or end, before all is put back; both
/// take longer than a call that was cancelled has to come back.
#[test]
fn case_09_no_deadline_and_no_signal_comes_before_what_is_put_back() {
    let mut rows = Rows::new("case 9, ended meanwhile");
    // All are made before the first program starts: it would hold a copy of the binary open for writing
    // that is just made.
    let grounds: Vec<_> = settings()
        .flat_map(|setting| [true, false].map(|by| (setting, by, Ground::new(setting))))
        .collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let start = |(setting, by_signal, ground): &'_ (_, bool, Ground)| {
            (*setting, *by_signal, end_meanwhile(ground, *by_signal))
        };
        let all: Vec<_> = grounds.iter().map(|one| scope.spawn(move || start(one))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (setting, by_signal, (held, seen)) in results {
        rows.row(format!("{setting} by a signal: {by_signal}"), held, &seen);
    }
}

fn end_meanwhile(ground: &Ground, by_signal: bool) -> (bool, String) {
    let options: &[&str] = if by_signal { &[] } else { &["--timeout", "3"] };
    let mut agent = Agent::start(run_with(ground, options));
    let lock = repair_lock(ground);
    if by_signal {
        // The second one takes the time of a command away, not what is put back after it.
        for _ in 0..2 {
            let id = agent.child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    // The ladder by which a command is ended has a second and a half, a call that is cancelled four.
    let told =
        agent.line_with("item.completed", Duration::from_secs(if by_signal { 8 } else { 11 }));
    let waited = agent.child.try_wait().unwrap().is_none() && planted(ground);
    drop(lock);
    let ended = agent.line_with("\"type\":\"result\"", Duration::from_secs(20)).unwrap_or_default();
    let status = agent.child.wait().unwrap();
    let seen = format!("told: {told:?}, waited: {waited}, {status} {ended}");
    let code = crate::support::code(status);
    (told.is_none() && waited && !planted(ground) && [143, 124].contains(&code), seen)
}
