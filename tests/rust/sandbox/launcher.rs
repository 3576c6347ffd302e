//! The launcher: one for many commands, none of which sees anything of another.

use std::time::Duration;
use std::time::Instant;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::sandbox::EndStatus;
use agi_agent::sandbox::Rung;

use super::Place;
use super::children;
use super::is_long;
use super::is_running;
use super::launcher;
use super::mark;
use super::parent;
use super::rungs;
use super::running;

/// Sends a signal by a program, as anybody could.
fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn commands_share_a_launcher_and_nothing_else() {
    // What one command leaves behind, and how the next would see it.
    let ways = [
        ("cd /usr", "pwd"),
        ("export LEFT=x", "echo $LEFT"),
        ("umask 000", "umask"),
        ("ulimit -f 7", "ulimit -f"),
        ("ulimit -n 9", "ulimit -n"),
        ("trap '' TERM HUP INT USR1", "grep SigIgn /proc/self/status"),
        ("renice -n 7 $$", "nice"),
        ("exec 7< /etc/hostname", "ls -l /proc/self/fd | grep -c '[0-9] ->'"),
        ("ipcmk -Q", "ipcs -q | grep -c 0x"),
        ("echo 900 > /proc/self/oom_score_adj", "cat /proc/self/oom_score_adj"),
    ];
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let launcher = launcher(&place).await;
        for (leave, look) in ways {
            // System V objects belong to the namespace; without one they are the user's, as ever.
            if leave.starts_with("ipcmk") && rung != Rung::Namespaces {
                continue;
            }
            let before = place.sh(look).await.stdout.text();
            place.sh(&format!("{{ {leave}; }} >/dev/null 2>&1; {look}")).await;
            assert_eq!(place.sh(look).await.stdout.text(), before, "{rung:?}: {leave}");
        }
        assert_eq!(super::launcher(&place).await, launcher, "one launcher for all");
        let seen = place.sh("tr '\\0' '\\n' < /proc/$PPID/environ; ls /proc/self/fd").await;
        assert_eq!(seen.stdout.text(), "0\n1\n2\n3\n", "3 is what lists them");
    }
}

#[tokio::test]
async fn a_killed_launcher_is_replaced_and_takes_its_commands_along() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let first = launcher(&place).await;
        kill(first);
        assert_eq!(place.sh("echo again").await.stdout.text(), "again\n", "{rung:?}");
        let second = launcher(&place).await;
        assert_ne!(first, second);
        if rung == Rung::Namespaces {
            let mark = mark();
            let script = format!("setsid sleep {mark} & sleep {mark}");
            let sleeping = place.sh(&script);
            let kill = async {
                running(&mark).await;
                kill(second);
            };
            let (finished, ()) = tokio::join!(sleeping, kill);
            assert_eq!(finished.status, EndStatus::Signaled(9));
            assert!(!is_running(&mark));
        }
    }
}

#[tokio::test]
async fn a_killed_keeper_is_a_killed_command() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        std::fs::create_dir_all(place.work().join(".git/hooks")).unwrap();
        let mark = mark();
        let script = format!("exec sleep {mark}");
        let sleeping = place.sh(&script);
        let kill = async { kill(parent(running(&mark).await)) };
        let (finished, ()) = tokio::join!(sleeping, kill);
        assert_eq!(finished.status, EndStatus::Signaled(9), "{rung:?}");
        // The command hears of it from the kernel.
        let start = Instant::now();
        while is_running(&mark) {
            assert!(start.elapsed() < Duration::from_secs(2), "{rung:?}");
        }
        assert_eq!(place.sh("echo on").await.stdout.text(), "on\n");
    }
}

/// Landlock grants directories and not their names.
#[tokio::test]
async fn a_directory_that_was_replaced_is_the_new_one() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        std::fs::write(place.work().join("old"), "old").unwrap();
        assert_eq!(place.sh("ls").await.stdout.text(), "old\n");
        let away = place.base().join("outside/away");
        std::fs::rename(place.work(), &away).unwrap();
        std::fs::create_dir(place.work()).unwrap();
        let finished = place.sh("echo x > new && ls; cat $BASE/outside/away/old").await;
        assert_eq!(finished.stdout.text(), "new\n", "{rung:?} {}", finished.stderr.text());
        std::fs::remove_dir_all(place.work()).unwrap();
        assert!(place.run(place.command("echo x")).await.is_err(), "there is no directory");
        std::fs::create_dir(place.work()).unwrap();
        assert_eq!(place.sh("echo x").await.stdout.text(), "x\n");
    }
}

/// Commands under way at one time share nothing but the launcher.
#[tokio::test]
async fn many_at_once_leave_nothing() {
    let (rounds, at_once) = if is_long() { (16, 64) } else { (2, 64) };
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let launcher = launcher(&place).await;
        let before = descriptors();
        let own = std::process::id();
        let mut memory = (resident(launcher), resident(own));
        let mark = mark();
        for round in 0..rounds {
            let many = (0..at_once).map(|number| {
                let (place, mark) = (&place, &mark);
                async move {
                    let script = format!("(setsid sleep {mark} &); sleep {mark} & echo {number}");
                    let finished = place.sh(&script).await;
                    assert_eq!(finished.stdout.text(), format!("{number}\n"));
                }
            });
            futures_util::future::join_all(many).await;
            if round == 0 {
                // What so many at once need is kept for the next so many.
                memory = (resident(launcher), resident(own));
            }
        }
        assert!(!is_running(&mark), "{rung:?}: an orphan");
        assert_eq!(super::launcher(&place).await, launcher);
        let start = Instant::now();
        while !children(launcher).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(5), "{rung:?}: keepers are left");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // One of our own is shared with other tests unless each has its process.
        if std::env::var_os("NEXTEST").is_some() {
            assert_eq!(descriptors(), before, "{rung:?}");
            let grown = resident(own).saturating_sub(memory.1);
            assert!(grown < 4096, "{rung:?}: this process grew by {grown} KiB");
        }
        let grown = resident(launcher).saturating_sub(memory.0);
        assert!(grown < 512, "{rung:?}: the launcher grew by {grown} KiB");
        drop(place);
        assert_eq!(parent(launcher), 0, "{rung:?}: it was waited for");
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The ruleset grows by a procfs with each command and is made anew now and then.
#[tokio::test]
async fn procfs_is_there_in_every_one_of_many_commands() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        for _ in 0..140 {
            let finished = place.sh("cat /proc/self/comm").await;
            assert_eq!(finished.stdout.text(), "cat\n", "{rung:?}");
        }
    }
}
