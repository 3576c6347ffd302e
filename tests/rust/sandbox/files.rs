//! What commands can write, on every rung. What they must not reach is in `tests/cli/hostile`.

use std::path::PathBuf;

use agi_agent::config::settings::SandboxLevel;

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
