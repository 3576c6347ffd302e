//! T1 to T4, T14, T16, T17: how commands end, and what is left.

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::tool;
use crate::hostile::is_running;
use crate::support::TestContext;
use crate::support::binary;
use crate::support::denied;
use crate::support::finish;
use crate::support::wait_until;

fn mark(seconds: u32) -> String {
    format!("{seconds}.{:08}", std::process::id())
}

#[test]
fn t01_and_t02_a_background_process_does_not_hold_the_call() {
    let context = TestContext::new();
    // Longer than a call may take that does not wait for it.
    let mark = mark(31);
    for way in [
        format!("sleep {mark} & echo ok"),
        format!("setsid sleep {mark} & echo ok"),
        format!("nohup sleep {mark} & echo ok"),
        format!("sleep {mark} & disown; echo ok"),
        format!("(setsid sleep {mark} &) & echo ok"),
        // Only one of the two streams is held.
        format!("setsid sleep {mark} >/dev/null & echo ok"),
        format!("setsid sleep {mark} 2>/dev/null & echo ok"),
    ] {
        let (finished, value) = tool(&context, "shell", &json!({"command": way}));
        assert_eq!((finished.code, &value["data"]["stdout"]), (0, &json!("ok\n")), "{way}");
        let took = value["duration_ms"].as_u64().unwrap();
        assert!(took < 2_000, "{way}: {took} ms");
        assert!(!is_running(&mark), "{way}");
    }
}

#[test]
fn t03_a_fifo_that_nobody_opens_ends_with_the_time_out() {
    let context = TestContext::new();
    let command = "echo before; mkfifo p; (exec 3<>p; exec cat <&3) & cat < p";
    let (finished, value) = tool(&context, "shell", &json!({"command": command, "timeout": 1}));
    assert_eq!(finished.code, 124, "{}", finished.stderr);
    assert_eq!(value["data"]["stdout"], "before\n");
    assert!(value["duration_ms"].as_u64().unwrap() < 5_000, "{value}");
}

#[test]
fn t04_a_tree_that_ignores_the_polite_signal_dies() {
    let context = TestContext::new();
    let mark = mark(34);
    let command = format!(
        "trap '' TERM INT HUP QUIT; (trap '' TERM; sleep {mark}; sleep {mark}) & \
         setsid sh -c \"trap '' TERM; sleep {mark}; sleep {mark}\" & wait; sleep {mark}"
    );
    let arguments = json!({"command": command, "timeout": 1});
    let (finished, value) = tool(&context, "shell", &arguments);
    assert_eq!((finished.code, &value["status"]), (124, &json!("timeout")));
    // One second of its own, one and a half of grace, and the machine's; at five it would be given up.
    assert!(value["duration_ms"].as_u64().unwrap() < 4_500, "{value}");
    assert!(!is_running(&mark));
}

/// Deadlines go by a clock that neither stops with the process nor jumps with the date.
#[test]
fn t14_a_stopped_agent_keeps_its_deadlines() {
    let context = TestContext::new();
    let mark = format!("30.{:07}", std::process::id());
    let command = format!("sleep {mark}");
    let arguments = json!({"command": command, "timeout": 2}).to_string();
    let started = Instant::now();
    let mut agent =
        context.command(["tool", "run", "shell", "--args", &arguments]).spawn().unwrap();
    wait_until(Duration::from_secs(20), "the command", || is_running(&format!("sleep\0{mark}")));
    let id = agent.id().to_string();
    // Longer than the deadline: that time passes while the agent is stopped is what is tried.
    for (signal, pause) in [("-STOP", 2_500), ("-CONT", 0)] {
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        std::thread::sleep(Duration::from_millis(pause));
    }
    let resumed = Instant::now();
    assert_eq!(agent.wait().unwrap().code(), Some(124));
    assert!(resumed.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// In a process namespace with few numbers every number is used again and again: what the agent ends
/// must be its own. Bystanders come and go beside it, and none of them may be ended by a signal.
const REUSE: &str = r#"
mount -t proc proc /proc
echo 320 > /proc/sys/kernel/pid_max || exit 99
(
    while [ ! -e stop ]; do
        sleep 0.05 & a=$!; sleep 0.02 & b=$!
        wait $a; [ $? -eq 0 ] || echo "a bystander was ended" >> hurt
        wait $b; [ $? -eq 0 ] || echo "a bystander was ended" >> hurt
        echo >> rounds
    done
) &
"$0" run go --model "scripted/$1" --sandbox workspace-write --ephemeral
code=$?
touch stop
wait
exit $code
"#;

#[test]
fn t16_a_process_number_that_is_used_again_is_not_ended() {
    let context = TestContext::new();
    let calls = |turn: u32| -> Vec<_> {
        (0..8)
            .map(|call| {
                let command = match (turn + call) % 3 {
                    0 => "sleep 9 & setsid sleep 9 & echo ok".to_owned(),
                    1 => "for i in 1 2 3 4 5 6 7 8 9; do /bin/true; done".to_owned(),
                    _ => "(sleep 9 &); (setsid sleep 9 &); exit 0".to_owned(),
                };
                json!({"name": "shell", "arguments": {"command": command}})
            })
            .collect()
    };
    let mut turns: Vec<_> = (0..6).map(|turn| json!({"tool_calls": calls(turn)})).collect();
    turns.push(json!({"text": "done"}));
    let script = context.write("../script.json", json!(turns).to_string());
    let mut command = Command::new("unshare");
    let user = if rustix::process::geteuid().is_root() { "-mpf" } else { "-mpfr" };
    command.args([user, "bash", "-c", REUSE]).arg(binary()).arg(script);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = finish(&mut command);
    if finished.stderr.contains("unshare failed") {
        return crate::support::lacking("namespaces", "T16");
    }
    if finished.code == 99 {
        // Before Linux 6.14 the bound is the whole machine's.
        return crate::support::lacking("a bound on process numbers per namespace", "T16");
    }
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    assert!(!context.work().join("hurt").exists(), "a bystander was ended");
    let rounds = std::fs::read_to_string(context.work().join("rounds")).unwrap_or_default();
    assert!(rounds.lines().count() > 3, "nobody stood by");
}

#[test]
fn t17_without_descriptors_or_processes_calls_fail_and_nothing_hangs() {
    let context = TestContext::new();
    context.write("f", "contents\n");
    let call = |name: &str, arguments| json!({"name": name, "arguments": arguments});
    let shell = |command: &str| call("shell", json!({"command": command}));
    let many: Vec<_> = (0..8).map(|number| shell(&format!("echo {number}"))).collect();
    let read = call("file_read", json!({"path": "f"}));
    let turns = json!([{"tool_calls": many}, {"tool_calls": [read]}, {"text": "done"}]);
    let script = context.write("../script.json", turns.to_string());
    let model = format!("scripted/{}", script.display());
    let arguments = ["run", "go", "--model", &model, "--output-format", "jsonl", "--ephemeral"];
    // With 64 descriptors it works; the calls wait for each other if they must.
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(binary()).args(arguments);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = finish(&mut command);
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    // No process can be had: the calls say so, what needs none works, and the end is not 0 in disguise.
    let mut command = context.command(arguments);
    denied::processes(&mut command);
    let finished = finish(&mut command);
    assert!(finished.duration < Duration::from_secs(20), "{:?}", finished.duration);
    assert!(finished.stdout.contains("contents"), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.contains("Resource temporarily unavailable"), "{}", finished.stdout);
    let mut command = context.command(["sandbox", "--", "echo", "ok"]);
    denied::processes(&mut command);
    let finished = finish(&mut command);
    assert!(finished.code != 0 && finished.stderr.contains("error:"), "{}", finished.stderr);
}
