//! Two agents of one user in one workspace at the same time: what the command of one has changed is not
//! what the other takes for the original.

use std::fs;
use std::process::Child;
use std::time::Duration;

use crate::hostile::Ground;
use crate::hostile::each;
use crate::support::collected;
use crate::support::wait_until;

/// An agent whose command goes on until `end` and the number is there.
fn started(ground: &Ground, number: usize, script: &str) -> Child {
    let script =
        format!("{script}; touch began{number}; until [ -e end{number} ]; do sleep 0.02; done");
    let level = ["sandbox", "--level", "workspace-write", "--timeout", "30", "--", "bash", "-c"];
    let mut command = ground.command_as_it_is(&[&level[..], &[&script]].concat());
    let mut agent = command.spawn().unwrap();
    let began = ground.work().join(format!("began{number}"));
    wait_until(Duration::from_secs(30), "the start of a command", || {
        began.exists() || agent.try_wait().unwrap().is_some()
    });
    assert!(began.exists(), "agent {number} did not begin: {}", collected(agent).stderr);
    agent
}

fn ended(ground: &Ground, number: usize, agent: Child) -> String {
    fs::write(ground.work().join(format!("end{number}")), "").unwrap();
    collected(agent).stderr
}

/// Agents whose commands overlap.
fn run_together(ground: &Ground, first: &str, second: &str, ends_first: usize) -> [String; 2] {
    let mut agents = [Some(started(ground, 0, first)), Some(started(ground, 1, second))];
    let mut said = [String::new(), String::new()];
    for number in [ends_first, 1 - ends_first] {
        said[number] = ended(ground, number, agents[number].take().unwrap());
    }
    said
}

/// What a running command leaves there is no project's word: an agent that starts meanwhile is stopped and
/// told why, and can start when the command has ended.
#[test]
fn a_configuration_that_a_running_command_broke_is_an_error_for_as_long_as_it_runs() {
    each("a broken configuration meanwhile", |ground, rows| {
        // Gives all of it away, once, to the user that the agents run as.
        drop(ground.command(&["--version"]));
        let evil = "mkdir -p .agi-agent && printf '{' > .agi-agent/config.json";
        let agent = started(ground, 0, evil);
        let second = ground.command_as_it_is(&["config", "get", "sandbox.level"]).spawn().unwrap();
        let second = collected(second);
        let said = second.stderr.contains("what another agent's command left there is put back");
        let held = second.code == 52 && said && second.stdout.is_empty();
        rows.row(format!("{} meanwhile", ground.setting), held, &second.stderr);
        ended(ground, 0, agent);
        let after = ground.command_as_it_is(&["config", "get", "sandbox.level"]).spawn().unwrap();
        let after = collected(after);
        rows.row(format!("{} after", ground.setting), after.code == 0, &after.stderr);
    });
}

#[test]
fn what_one_agents_command_changed_is_not_the_others_original() {
    each("two agents", |ground, rows| {
        for is_there in [true, false] {
            for ends_first in [0, 1] {
                fs::remove_dir_all(ground.work()).unwrap();
                fs::create_dir_all(ground.work()).unwrap();
                if is_there {
                    fs::create_dir(ground.work().join(".git")).unwrap();
                    fs::write(ground.work().join(".git/config"), "[core]\n").unwrap();
                }
                // Gives all of it away, once, to the user that the agents run as.
                drop(ground.command(&["--version"]));
                let evil = "mkdir -p .git/hooks .agi-agent; echo evil > .git/hooks/pre-commit; \
                            echo evil >> .git/config; echo evil > .agi-agent/notes";
                let said = run_together(ground, evil, "true", ends_first);
                let git = ground.work().join(".git");
                let config = fs::read_to_string(git.join("config")).ok();
                let held = config == is_there.then(|| "[core]\n".to_owned())
                    && !git.join("hooks").exists()
                    && !ground.work().join(".agi-agent").exists();
                let what = format!(
                    "{} a repository: {is_there}; agent {ends_first} ends first",
                    ground.setting
                );
                rows.row(what, held, &format!("{config:?} {}", said.concat()));
            }
        }
    });
}
