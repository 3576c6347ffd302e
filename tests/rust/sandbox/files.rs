//! What commands can write, on every rung. What they must not reach is in `tests/cli/hostile`.

use std::path::PathBuf;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::sandbox::Rung;

use super::Place;
use super::rungs;

#[tokio::test]
async fn read_only_writes_nothing_but_its_private_temporary_directory() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        std::fs::write(place.work().join("file"), "old").unwrap();
        for way in [
            "echo x > file",
            "echo x > new",
            "rm file",
            "mv file other",
            "mkdir d",
            "truncate -s 0 file",
            "ln -s x y",
            "mkfifo p",
            "cp /bin/true $BASE/outside/",
            "echo x > /tmp/agi-outside-$$",
        ] {
            let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
            assert_ne!(finished.status.exit_code(), 0, "{rung:?}: {way}");
        }
        shared_memory_is_the_commands_own(&place, rung).await;
        assert_eq!(std::fs::read_to_string(place.work().join("file")).unwrap(), "old");
        assert_eq!(std::fs::read_dir(place.work()).unwrap().count(), 1);
        let script =
            "cat <<< here; echo x > $TMPDIR/f && cat $TMPDIR/f; stat -c %a $TMPDIR; echo $TMPDIR";
        let finished = place.sh(script).await;
        let text = finished.stdout.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..3], ["here", "x", "700"], "{}", finished.stderr.text());
        // H48: gone with the sandbox.
        let temporary = PathBuf::from(lines[3]);
        assert!(temporary.exists());
        drop(place);
        assert!(!temporary.parent().unwrap().exists());
    }
}

/// In namespaces commands have shared memory of their own, at every level; elsewhere none at this one.
async fn shared_memory_is_the_commands_own(place: &Place, rung: Rung) {
    let name = format!("agi-outside-{}", std::process::id());
    let outside = PathBuf::from(format!("/dev/shm/{name}"));
    std::fs::write(&outside, "outside").unwrap();
    let script = format!("cat /dev/shm/{name}; echo x > /dev/shm/{name}-new && ls /dev/shm");
    let seen = place.sh(&format!("{{ {script}; }} 2>/dev/null")).await.stdout.text();
    let written = PathBuf::from(format!("/dev/shm/{name}-new")).exists();
    std::fs::remove_file(&outside).unwrap();
    let expected = if rung == Rung::Namespaces { format!("{name}-new\n") } else { String::new() };
    assert_eq!((seen, written), (expected, false), "{rung:?}");
}

#[tokio::test]
async fn workspace_write_writes_the_workspace_and_nothing_else() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let script = "mkdir -p a/b && echo x > a/b/f && mv a/b/f g && ln g h && ln -s g i && rm h && \
                      chmod 700 g && truncate -s 3 g && tar cf t g && rm -r a && mkfifo p && echo ok";
        let finished = place.sh(script).await;
        assert_eq!(finished.stdout.text(), "ok\n", "{rung:?} {}", finished.stderr.text());
        std::os::unix::fs::symlink(place.base().join("outside"), place.work().join("link"))
            .unwrap();
        for way in [
            "echo x > link/secret",
            "echo x > $BASE/outside/new",
            "mv g $BASE/outside/",
            "rm $BASE/outside/secret",
            "mv $BASE/outside moved",
            "echo x > $BASE/state/agent.db",
            "cd / && echo x > tmp/agi-outside-$$",
            "truncate -s 0 $BASE/outside/secret",
        ] {
            let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
            assert_ne!(finished.status.exit_code(), 0, "{rung:?}: {way}");
        }
        let secret = std::fs::read_to_string(place.base().join("outside/secret")).unwrap();
        assert_eq!(secret, "outside secret");
        assert_eq!(std::fs::read_dir(place.base().join("outside")).unwrap().count(), 1);
    }
}

/// The whole list of docs/sandbox.md, what is readable and what is not, as root too.
#[tokio::test]
async fn readable_is_what_the_level_says() {
    for rung in rungs().await {
        for level in [SandboxLevel::ReadOnly, SandboxLevel::WorkspaceWrite] {
            let place = Place::with(level, rung, |settings, base| {
                for name in ["added", "named", "work/data/agi-agent", "work/data/other"] {
                    std::fs::create_dir_all(base.join(name)).unwrap();
                    std::fs::write(base.join(name).join("file"), name).unwrap();
                }
                settings.add_dirs = vec![base.join("added")];
                settings.read = vec![base.join("named")];
                vec![base.join("work/data/agi-agent")]
            });
            let agent = std::process::id();
            for readable in [
                "cat $BASE/added/file".to_owned(),
                "cat $BASE/named/file".to_owned(),
                "cat data/other/file".to_owned(),
                "cat /etc/passwd".to_owned(),
                "ls /usr/bin".to_owned(),
                "cat /proc/self/status".to_owned(),
                "cat /proc/meminfo".to_owned(),
                "ls /sys/devices/system/cpu".to_owned(),
                "head -c 1 /dev/urandom".to_owned(),
            ] {
                let finished = place.sh(&format!("{readable} >/dev/null")).await;
                assert_eq!(finished.status.exit_code(), 0, "{rung:?} {level:?}: {readable}");
            }
            for refused in [
                "cat data/agi-agent/file".to_owned(),
                // Its name is seen; the names in it only where nothing can be mounted over it.
                "ls data/agi-agent | grep . && [ $$ -lt 100 ]".to_owned(),
                "cat $BASE/state/agent.db".to_owned(),
                "ls ~".to_owned(),
                "ls /".to_owned(),
                "ls /home".to_owned(),
                "cat /etc/shadow".to_owned(),
                "cat /etc/gshadow".to_owned(),
                "cat /etc/sudoers".to_owned(),
                "cat /etc/ssh/* | grep .".to_owned(),
                "ls /etc/ssl/private | grep . && [ $$ -lt 100 ]".to_owned(),
                "ls /var/log".to_owned(),
                "echo x > $BASE/named/file".to_owned(),
                "echo x > data/agi-agent/file".to_owned(),
                format!("cat /proc/{agent}/environ"),
                format!("cat /proc/{agent}/maps"),
                format!("head -c 1 /proc/{agent}/mem"),
                format!("cat /proc/{agent}/fd/*"),
                format!("ls /proc/{agent}/cwd/"),
                format!("ls /proc/{agent}/root/"),
                format!("readlink /proc/{agent}/exe"),
            ] {
                let finished = place.sh(&format!("{{ {refused}; }} >/dev/null 2>&1")).await;
                assert_ne!(finished.status.exit_code(), 0, "{rung:?} {level:?}: {refused}");
            }
            let writes = place.sh("echo x 2>/dev/null > $BASE/added/new").await;
            let may = level == SandboxLevel::WorkspaceWrite;
            assert_eq!(writes.status.exit_code() == 0, may, "{rung:?}: --add-dir");
        }
    }
}

/// What people do all day: a repository is made, and something is built in parallel.
#[tokio::test]
async fn git_init_and_a_parallel_make_work() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let objects: Vec<String> = (0..8).map(|number| format!("o{number}")).collect();
        for object in &objects {
            std::fs::write(place.work().join(format!("{object}.in")), object).unwrap();
        }
        let makefile = format!(
            "all: {list}\n\tcat {list} > all\n%: %.in\n\ttr a-z A-Z < $< > $@\n",
            list = objects.join(" ")
        );
        std::fs::write(place.work().join("Makefile"), makefile).unwrap();
        let finished = place
            .sh("git init -q . && git add -A && git -c user.name=x -c user.email=x@y commit -qm x && \
                 git log --oneline | wc -l && make -s -j2 && cat all")
            .await;
        let text = finished.stdout.text();
        assert_eq!(text, "1\nO0O1O2O3O4O5O6O7", "{rung:?} {}", finished.stderr.text());
        assert_eq!(finished.status.exit_code(), 0);
    }
}
