//! Case 10: what the agent itself may do and remembers, by every name and from every workspace.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::each;

#[expect(clippy::too_many_lines, reason = "a list of ways")]
#[test]
fn case_10_the_agents_own_files_are_out_of_reach_even_where_they_do_not_exist() {
    each("case 10", |ground, rows| {
        let home = ground.home();
        fs::create_dir_all(home.join(".local/share/agi-agent")).unwrap();
        let database = home.join(".local/share/agi-agent/agent.db");
        fs::write(&database, "database").unwrap();
        let own = [
            ".config/agi-agent/config.json",
            ".config/agi-agent/profiles/evil.json",
            ".local/share/agi-agent/agent.db",
            ".local/share/agi-agent/agent.db-wal",
            ".local/share/agi-agent/trust.json",
        ];
        // The workspace is the home directory itself, or it is added.
        let reaches = [vec!["-C", "$BASE/home"], vec!["--add-dir", "$BASE/home"]];
        for (number, reach) in reaches.iter().enumerate() {
            let (global, local) =
                if number == 0 { (&reach[..], &[][..]) } else { (&[][..], &reach[..]) };
            for path in own {
                let full = format!("$BASE/home/{path}");
                let directory = Path::new(&full).parent().unwrap().display().to_string();
                let arguments = json!({"path": full, "content": "evil"}).to_string();
                let tool = ["tool", "run", "file_write", "--args", &arguments];
                let level = ["--sandbox", "workspace-write"];
                let finished = ground.run(&[global, &tool, &level, local].concat());
                rows.row(
                    format!("{} file_write {path} {reach:?}", ground.setting),
                    finished.code == 43 && intact(&home),
                    &format!("{} {}", finished.code, finished.stderr),
                );
                for script in [
                    format!("mkdir -p {directory}; echo evil > {full}"),
                    format!("mkdir -p {directory} 2>/dev/null; cat {full} && false"),
                    format!("rm -f {full}; test ! -e {full} && false"),
                ] {
                    let fixed = ["sandbox", "--level", "workspace-write"];
                    let command = ["--", "bash", "-c", &script];
                    let finished = ground.run(&[global, &fixed, local, &command].concat());
                    let held = intact(&home) && !finished.stdout.contains("database");
                    rows.row(
                        format!("{} {script} {reach:?}", ground.setting),
                        held,
                        &format!("{} {}", finished.code, finished.stderr),
                    );
                }
            }
            for trick in [
                "mv ~/.config ~/.c2; mkdir -p ~/.config/agi-agent; echo '{}' > ~/.config/agi-agent/config.json",
                "mv ~/.local/share ~/s2; mkdir -p ~/.local/share/agi-agent; echo evil > ~/.local/share/agi-agent/agent.db",
                "ln -s ~/evil ~/.config; mkdir -p ~/evil/agi-agent; echo '{}' > ~/evil/agi-agent/config.json",
                "ln ~/.local/share/agi-agent/agent.db ~/copy; cat ~/copy",
                "mv ~/.local/share/agi-agent ~/moved",
            ] {
                let fixed = ["sandbox", "--level", "workspace-write"];
                let command = ["--", "bash", "-c", trick];
                let finished = ground.run(&[global, &fixed, local, &command].concat());
                let held = intact(&home) && !finished.stdout.contains("database");
                rows.row(
                    format!("{} {trick} {reach:?}", ground.setting),
                    held,
                    &format!("{} {}", finished.code, finished.stderr),
                );
            }
        }
    });
}

/// A person at work in their home directory: commands create files there, and beside what they cannot
/// see. Without namespaces only in directories on the way to nothing protected.
#[test]
fn a_home_directory_can_be_the_workspace() {
    each("home as workspace", |ground, rows| {
        let home = ground.home();
        fs::create_dir_all(home.join("project")).unwrap();
        fs::create_dir_all(home.join(".local/share/agi-agent")).unwrap();
        fs::write(home.join(".local/share/agi-agent/agent.db"), "database").unwrap();
        let namespaces = ground.rung() == "namespaces";
        for (way, everywhere) in [
            ("echo x > project/file && mv project/file project/g", true),
            ("echo x > file && mkdir new && mv file new/ && git init -q repo", false),
            ("mkdir .config/other && echo x > .config/other/settings", false),
            ("echo x > .local/share/file && rm .local/share/file", false),
            ("rmdir .config/agi-agent || mv .config/agi-agent gone", false),
        ] {
            let level = ["sandbox", "--level", "workspace-write", "--", "bash", "-c", way];
            let finished = ground.run(&[&["-C", "$BASE/home"][..], &level].concat());
            let wanted = !way.starts_with("rmdir") && (everywhere || namespaces);
            let held = (finished.code == 0) == wanted && intact(&home);
            rows.row(format!("{} {way}", ground.setting), held, &finished.stderr);
        }
        let names =
            ground.run(&["-C", "$BASE/home", "sandbox", "--", "ls", ".local/share/agi-agent"]);
        rows.row(
            format!("{} nothing is seen", ground.setting),
            names.stdout.is_empty() || !namespaces,
            &names.stdout,
        );
    });
}

/// A hard link that a person or a backup program made: bounds go by names, and this one is in reach.
#[test]
fn case_10_another_name_of_the_agents_own_file_is_not_reached() {
    each("case 10, other names", |ground, rows| {
        let data = ground.home().join(".local/share/agi-agent");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("agent.db"), "database").unwrap();
        fs::create_dir(ground.work().join("deep")).unwrap();
        fs::hard_link(data.join("agent.db"), ground.work().join("deep/copy")).unwrap();
        for (level, script) in [
            ("workspace-write", "echo evil > deep/copy"),
            ("workspace-write", "cat deep/copy"),
            ("read-only", "cat deep/copy"),
        ] {
            let finished = ground.sh_at(level, script);
            let held = finished.code == 43
                && !finished.stdout.contains("database")
                && finished.stderr.contains("deep/copy")
                && fs::read_to_string(data.join("agent.db")).unwrap() == "database";
            rows.row(format!("{} {level} {script}", ground.setting), held, &finished.stderr);
        }
        let arguments = json!({"command": "cat deep/copy"});
        let finished = ground.tool("shell", &arguments);
        let held = finished.code == 43 && !finished.stdout.contains("database");
        rows.row(format!("{} the tool", ground.setting), held, &finished.stderr);
        // A copy is another file.
        fs::remove_file(ground.work().join("deep/copy")).unwrap();
        fs::copy(data.join("agent.db"), ground.work().join("deep/copy")).unwrap();
        let finished = ground.sh("cat deep/copy");
        let held = finished.stdout.contains("database");
        rows.row(format!("{} a copy", ground.setting), held, &finished.stderr);
    });
}

/// No configuration appeared, and the database is what it was.
fn intact(home: &Path) -> bool {
    let database = home.join(".local/share/agi-agent/agent.db");
    !home.join(".config/agi-agent/config.json").exists()
        && !home.join(".config/agi-agent/profiles").exists()
        && fs::read_to_string(database).is_ok_and(|text| text == "database")
        && fs::read_dir(home.join(".local/share/agi-agent")).unwrap().flatten().all(|entry| {
            // What agents tell each other of workspaces in which commands run.
            ["agent.db", "running"].contains(&&*entry.file_name().to_string_lossy())
        })
}
