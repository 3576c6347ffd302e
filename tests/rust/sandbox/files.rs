//! What commands can read and write, on every rung.

use std::path::PathBuf;
use std::time::Duration;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::sandbox::Rung;
use agi_agent::sandbox::SandboxError;

use super::Place;
use super::rungs;

/// H1, H5, H10, H30: scripts that must print nothing of what they try to read.
#[tokio::test]
async fn nothing_outside_is_read() {
    for rung in rungs().await {
        for level in [SandboxLevel::ReadOnly, SandboxLevel::WorkspaceWrite] {
            let place = Place::new(level, rung);
            std::os::unix::fs::symlink(place.base(), place.work().join("up")).unwrap();
            let ways = [
                "cat $BASE/outside/secret",
                "cat ../outside/secret",
                "cat up/outside/secret",
                "cat /proc/self/root$BASE/outside/secret",
                "cat /proc/self/cwd/../outside/secret",
                "cat $BASE/state/agent.db",
                "cd $BASE/outside && cat secret",
                "cat < $BASE/outside/secret",
                "ln $BASE/outside/secret here && cat here",
                "cat /etc/shadow | grep root",
                "cat /root/.* 2>/dev/null",
                "tr '\\0' '\\n' < /proc/$PPID/environ",
                "for p in /proc/[0-9]*; do cat $p/environ | tr '\\0' '\\n' | grep CARGO; done",
                "head -c1 /proc/$PPID/mem",
                "readlink /proc/$PPID/fd/*",
            ];
            for way in ways {
                let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
                assert_eq!(finished.stdout.text(), "", "{rung:?} {level:?}: {way}");
            }
        }
    }
}

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
            "echo x > /dev/shm/agi-outside-$$",
        ] {
            let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
            assert_ne!(finished.status.exit_code(), 0, "{rung:?}: {way}");
        }
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

/// H9: denied, or put back at once and reported; present before or not.
#[tokio::test]
async fn git_metadata_is_as_it_was_after_every_command() {
    for rung in rungs().await {
        let ways = [
            "echo evil > .git/hooks/pre-commit",
            "echo evil >> .git/config",
            "echo evil > .git/info/attributes",
            "echo evil > .git/commondir",
            "echo evil > .git/config.worktree",
            "mv .git g2 && mkdir -p .git/hooks && echo evil > .git/hooks/pre-push",
            "rm -rf .git; echo 'gitdir: /evil' > .git",
            "rm -rf .git/hooks && ln -s ../evil .git/hooks && mkdir evil",
            "mkdir -p .git/modules/m; echo evil > .git/modules/m/config",
            "mkdir .agi-agent && echo '{}' > .agi-agent/config.json",
        ];
        for way in ways {
            let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
            let git = place.work().join(".git");
            std::fs::create_dir_all(git.join("hooks")).unwrap();
            std::fs::create_dir_all(git.join("info")).unwrap();
            std::fs::write(git.join("config"), "[core]\n").unwrap();
            std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
            let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
            let refused = finished.status.exit_code() != 0;
            assert!(refused || !finished.restored.is_empty(), "{rung:?}: {way}");
            assert_eq!(std::fs::read_to_string(git.join("config")).unwrap(), "[core]\n", "{way}");
            assert_eq!(std::fs::read_dir(git.join("hooks")).unwrap().count(), 0, "{rung:?}: {way}");
            let gone = [
                ".git/info/attributes",
                ".git/commondir",
                ".git/config.worktree",
                ".git/modules/m/config",
                ".agi-agent",
            ];
            for name in gone {
                assert!(!place.work().join(name).exists(), "{rung:?}: {way}: {name}");
            }
            if rung == Rung::Namespaces && way.contains("hooks/pre-commit") {
                assert!(refused && finished.restored.is_empty(), "mounted read-only");
            }
        }
    }
}

/// H7: which directory a command runs in widens nothing.
#[tokio::test]
async fn the_working_directory_must_be_inside() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        for cwd in ["/", "..", "../outside", "/etc"] {
            let mut command = place.command("pwd");
            command.cwd = PathBuf::from(cwd);
            let result = place.run(command).await;
            assert!(matches!(result, Err(SandboxError::WorkingDirectory { .. })), "{cwd}");
        }
        let mut command = place.command("pwd");
        command.cwd = PathBuf::from("sub");
        std::fs::create_dir(place.work().join("sub")).unwrap();
        command.timeout = Duration::from_secs(5);
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.stdout.text().trim(), place.work().join("sub").to_string_lossy());
    }
}
