//! Processes: output, time, cancellation, and that nothing is left behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::sandbox::EndStatus;
use agi_agent::sandbox::Input;
use agi_agent::sandbox::SandboxError;
use tokio_util::sync::CancellationToken;

use super::Place;
use super::is_long;
use super::is_running;
use super::mark;
use super::rungs;

/// T1, T2, H43: whoever stays in the background does not hold the call, and does not outlive it.
#[tokio::test]
async fn a_background_process_neither_holds_the_call_nor_outlives_it() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let ways = [
            "sleep MARK & echo ok",
            "setsid sleep MARK & echo ok",
            "nohup sleep MARK >/dev/null & disown; echo ok",
            "(setsid sleep MARK </dev/null >/dev/null 2>&1 &) ; echo ok",
            "(sleep MARK >/dev/null &) ; echo ok",
            "setsid sh -c 'setsid sh -c \"sleep MARK\" & sleep MARK' & echo ok",
        ];
        let mark = mark();
        for way in ways {
            let start = Instant::now();
            let finished = place.sh(&way.replace("MARK", &mark)).await;
            assert_eq!(finished.stdout.text(), "ok\n", "{way}");
            assert_eq!(finished.status, EndStatus::Exited(0));
            assert!(start.elapsed() < Duration::from_secs(3), "{way}: {:?}", start.elapsed());
            assert!(!is_running(&mark), "{rung:?} {way}");
        }
        let finished = place.sh(&format!("sleep {mark} & echo ok")).await;
        assert_eq!(finished.pipe_held_by.len(), 1, "{rung:?}");
    }
}

/// T3 and the ladder: a command that waits for ever is ended at its time.
#[tokio::test]
async fn a_time_out_ends_the_tree_even_if_it_ignores_the_polite_signal() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let mut command = place.command("echo before; mkfifo pipe; cat pipe");
        command.timeout = Duration::from_millis(300);
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.status, EndStatus::TimedOut);
        assert_eq!(finished.stdout.text(), "before\n");
        assert!(finished.duration < Duration::from_secs(2), "{:?}", finished.duration);
        // T4.
        let mark = mark();
        let script = "trap '' TERM INT HUP; (trap '' TERM; sleep MARK; sleep MARK) & \
                      setsid sh -c \"trap '' TERM; sleep MARK; sleep MARK\" & wait; sleep MARK";
        let mut command = place.command(&script.replace("MARK", &mark));
        command.timeout = Duration::from_millis(300);
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.status, EndStatus::TimedOut);
        assert!(finished.duration < Duration::from_secs(5), "{:?}", finished.duration);
        assert!(!is_running(&mark), "{rung:?}");
    }
}

/// T6, T7: bounded memory, exact counts, any bytes.
#[tokio::test]
async fn output_is_counted_exactly_and_kept_at_both_ends() {
    let bytes: u64 = if is_long() { 4 << 30 } else { 100 << 20 };
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let script = format!("echo head; head -c {bytes} /dev/zero | tr '\\0' x; echo; echo tail");
        let finished = place.sh(&script).await;
        assert_eq!(finished.stdout.total, bytes + 11);
        assert!(finished.stdout.text().starts_with("head\nxxx"));
        assert!(finished.stdout.text().ends_with("xxx\ntail\n"));
        assert!(finished.stdout.head.len() + finished.stdout.tail.len() <= 64 << 10);
        let finished =
            place.sh("printf '\\xff\\x00\\xc3'; sleep 0.05; printf '\\xa4\\n' >&2").await;
        assert_eq!(finished.stdout.head, b"\xff\x00\xc3");
        assert_eq!(finished.stderr.head, b"\xa4\n");
    }
}

/// T11: nobody waits for input that will not come; what is given arrives whole.
#[tokio::test]
async fn input_is_empty_or_what_was_given() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let finished = place.sh("cat; read line; echo $?; test -c /dev/stdin && echo null").await;
        assert_eq!(finished.stdout.text(), "1\nnull\n");
        let mut command = place.command("wc -c");
        command.stdin = Input::Bytes(vec![b'x'; 3 << 20]);
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.stdout.text().trim(), (3 << 20).to_string());
    }
}

/// T9: cancelled or dropped at any time, a call has one end and leaves nothing.
#[tokio::test]
async fn a_call_can_be_cancelled_or_dropped_at_any_time() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let (cancelled, dropped) = (format!("sleep {}", mark()), format!("sleep {}", mark()));
        for delay in (0..40).step_by(if is_long() { 1 } else { 6 }) {
            let cancel = CancellationToken::new();
            let running = place.sandbox.run(place.command(&cancelled), cancel.clone());
            let stop = async {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                cancel.cancel();
            };
            let (finished, ()) = tokio::join!(running, stop);
            assert_eq!(finished.unwrap().status, EndStatus::Cancelled);
            assert!(!is_running(&cancelled["sleep ".len()..]), "{rung:?}");
        }
        for delay in (0..40).step_by(if is_long() { 1 } else { 6 }) {
            let running = place.sandbox.run(place.command(&dropped), CancellationToken::new());
            assert!(tokio::time::timeout(Duration::from_millis(delay), running).await.is_err());
        }
        let start = Instant::now();
        while is_running(&dropped["sleep ".len()..]) {
            assert!(start.elapsed() < Duration::from_secs(5), "{rung:?}: something is left");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let mut command = place.command("");
        command.argv = vec!["no-such-program".into()];
        let error = place.run(command).await.unwrap_err();
        assert!(
            matches!(&error, SandboxError::Start { program, .. } if program == "no-such-program")
        );
        let finished = place.sh("kill -9 $$").await;
        assert_eq!(finished.status, EndStatus::Signaled(9));
        let finished = place.sh("exit 7").await;
        assert_eq!(finished.status, EndStatus::Exited(7));
        // Rust ignores SIGPIPE; commands must not.
        let finished = place.sh("yes | head -1; echo ${PIPESTATUS[0]}").await;
        assert_eq!(finished.stdout.text(), "y\n141\n");
    }
}

/// What a command costs on each rung, beside a plain spawn; the release build is measured elsewhere, this
/// is only held to be of the right order (a development build starts slower).
#[tokio::test]
async fn a_command_costs_milliseconds() {
    let rounds = if is_long() { 200 } else { 20 };
    let start = Instant::now();
    for _ in 0..rounds {
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
    }
    println!("plain spawn: {:?}", start.elapsed() / rounds);
    let mut places: Vec<(String, Place)> = Vec::new();
    for rung in rungs().await {
        places.push((format!("{rung:?}"), Place::new(SandboxLevel::WorkspaceWrite, rung)));
    }
    let rung = agi_agent::sandbox::Rung::None;
    places.push(("full access".to_owned(), Place::new(SandboxLevel::DangerFullAccess, rung)));
    for (name, place) in places {
        let command = || agi_agent::sandbox::CommandSpec {
            argv: vec!["/bin/true".into()],
            ..place.command("")
        };
        place.run(command()).await.unwrap();
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(place.run(command()).await.unwrap().status, EndStatus::Exited(0));
        }
        let each = start.elapsed() / rounds;
        println!("{name}: {each:?}");
        assert!(each < Duration::from_millis(250), "{name}: {each:?}");
    }
}

/// What a shell would only become is tried without it, and the shell asked where that cannot be.
#[tokio::test]
async fn a_program_is_tried_before_its_shell() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        for (program, says) in [
            (&["echo", "program"][..], "program\n"),
            (&["/no/such/program"], "shell\n"),
            (&["no-such-program"], "shell\n"),
            (&["/"], "shell\n"),
            (&[], "shell\n"),
        ] {
            let mut command = place.command("echo shell");
            command.without_shell = program.iter().map(Into::into).collect();
            let finished = place.run(command).await.unwrap();
            assert_eq!(finished.stdout.text(), says, "{rung:?} {program:?}");
            assert_eq!(finished.status, EndStatus::Exited(0));
        }
    }
}

/// The program is the one that the shell would find: where that cannot be executed, no other is.
#[tokio::test]
async fn no_program_runs_in_place_of_the_first_in_path() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let (first, second) = (place.work().join("first"), place.work().join("second"));
        for directory in [&first, &second] {
            std::fs::create_dir(directory).unwrap();
        }
        let file = |path: &Path, text: &str, mode: u32| {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        file(&second.join("tool"), "#!/bin/sh\necho second\n", 0o755);
        let tool = first.join("tool");
        for (text, mode, says) in [
            (Some("#!/no/such/interpreter\n"), 0o755, "shell\n"),
            (Some("#!/bin/sh\r\n"), 0o755, "shell\n"),
            (Some("echo text\n"), 0o755, "shell\n"),
            (Some(""), 0o755, "shell\n"),
            // What may not be executed is passed by.
            (Some("#!/bin/sh\necho first\n"), 0o644, "second\n"),
            (Some("#!/bin/sh\necho first\n"), 0o755, "first\n"),
            (None, 0, "second\n"),
        ] {
            drop(std::fs::remove_file(&tool));
            match text {
                Some(text) => file(&tool, text, mode),
                None => std::fs::create_dir(&tool).unwrap(),
            }
            let mut command = place.command("echo shell");
            command.without_shell = vec!["tool".into()];
            let path = format!("{}:{}:/usr/bin:/bin", first.display(), second.display());
            command.env.push(("PATH".into(), path.into()));
            let finished = place.run(command).await.unwrap();
            assert_eq!(
                finished.stdout.text(),
                says,
                "{rung:?} {text:?} {}",
                finished.stderr.text()
            );
        }
    }
}
