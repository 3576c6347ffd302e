//! Hundreds of broken configurations: each is told with the right file, line, column and reason, ends
//! 52, and never panics.

use agi_agent::cli::error::CommandError;
use agi_agent::config::error::Place;
use agi_agent::config::error::Rule;
use agi_agent::config::error::Severity;
use agi_agent::protocol::ExitCode;

use super::Machine;
use super::mutate;
use super::mutate::Broken;

const USER: &str = "home/.config/agi-agent/config.json";

fn all() -> Vec<Broken> {
    let mut all = mutate::types();
    all.extend(mutate::entries());
    all.extend(mutate::ranges());
    all.extend(mutate::typos());
    all.extend(mutate::duplicates());
    all.extend(mutate::syntax());
    let disguised = mutate::disguised(&all);
    all.extend(disguised);
    all.extend(mutate::encodings());
    all
}

/// What is wrong with the answer, if anything.
fn judge(machine: &Machine, case: &Broken) -> Option<String> {
    machine.write(USER, &case.bytes);
    let merged = machine.load();
    let errors: Vec<_> = merged.found(Severity::Error).collect();
    let text = String::from_utf8_lossy(&case.bytes).into_owned();
    let said: Vec<String> = errors.iter().map(|error| error.headline()).collect();
    let wrong = |what: &str| {
        let (line, column) = (case.line, case.column);
        Some(format!(
            "{}: {what}, expected {line}:{column} {:?} `{}`\n{text}\nsaid {said:#?}",
            case.name, case.rule, case.says
        ))
    };
    let [error] = errors[..] else { return wrong("not one error") };
    let place = Place::file(&machine.path(USER), case.line, case.column);
    if error.place != place {
        return wrong("another place");
    }
    if error.rule != case.rule || !error.message.contains(&case.says) {
        return wrong("another reason");
    }
    if error.message.ends_with('.') || error.message.starts_with(char::is_uppercase) {
        return wrong("not as our messages are written");
    }
    let failed = CommandError::from(merged.check().unwrap_err());
    if failed.code != ExitCode::Configuration {
        return wrong("another exit code");
    }
    None
}

#[test]
fn each_broken_file_is_told_with_its_place() {
    let machine = Machine::new();
    let cases = all();
    assert!(cases.len() > 1500, "{} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| judge(&machine, case)).collect();
    let count = wrong.len();
    assert!(
        wrong.is_empty(),
        "{count} of {}:\n{}",
        cases.len(),
        wrong[..count.min(12)].join("\n\n")
    );
}

/// One error of each setting in one file: all of them are told, in the order of the file.
#[test]
fn many_errors_come_at_once() {
    let machine = Machine::new();
    let lines: Vec<String> = (0..100).map(|number| format!("\"{number}\"")).collect();
    let text = format!(
        "{{\"limits\": {{\"max_turns\": \"x\", \"max_turn\": 1}},\n\"deny\": [1, 2, 3],\n\"sandbox\": {{{}: 1}}}}",
        lines.join(": 1,\n")
    );
    machine.write(USER, text);
    let merged = machine.load();
    let errors: Vec<_> = merged.found(Severity::Error).collect();
    assert_eq!(errors.len(), 2 + 3 + 100);
    let lines: Vec<usize> = errors
        .iter()
        .map(|error| match error.place {
            Place::File { line, .. } => line,
            _ => 0,
        })
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn what_is_too_deep_or_too_large_is_told() {
    let machine = Machine::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [600, 20_000] {
            let text = format!("{{\n\"deny\": {}1{}}}", open.repeat(depth), close.repeat(depth));
            machine.write(USER, text);
            let merged = machine.load();
            let error = merged.found(Severity::Error).next().unwrap();
            assert_eq!(error.rule, Rule::Syntax, "{}", error.message);
            assert!(error.message.contains("nesting depth"), "{}", error.message);
            assert!(error.place.to_string().contains("config.json:2:"), "{}", error.place);
        }
    }
    // Deep, but not too deep: refused where it begins.
    machine.write(USER, format!("{{\n\"deny\": {}{}}}", "[".repeat(400), "]".repeat(400)));
    let merged = machine.load();
    assert!(merged.found(Severity::Error).next().unwrap().place.to_string().contains(":2:"));
    machine.write(USER, vec![b' '; 10 << 20]);
    let merged = machine.load();
    let error = merged.found(Severity::Error).next().unwrap();
    assert_eq!(
        (error.rule, error.place.clone()),
        (Rule::TooLarge, Place::file(&machine.path(USER), 1, 1))
    );
}

/// A file of the wrong kind, in the place of each file that is read.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_told_and_not_opened() {
    let places = [
        USER,
        "etc/config.json",
        "etc/managed.json",
        "home/work/.agi-agent/config.json",
        "home/.config/agi-agent/p.profile.json",
    ];
    for place in places {
        let mut machine = Machine::new();
        machine.profile = place.contains("profile").then_some("p");
        let path = machine.path(place);
        let refused = |rule: Rule| {
            let merged = machine.load();
            let errors: Vec<_> = merged.found(Severity::Error).collect();
            assert_eq!(errors.len(), 1, "{place}: {errors:?}");
            assert_eq!(errors[0].rule, rule, "{place}");
            assert_eq!(errors[0].place, Place::file(&path, 1, 1));
        };
        machine.write(place, "");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        refused(Rule::NotAFile);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        refused(Rule::NotAFile);
        std::fs::remove_dir(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refused(Rule::NotAFile);
        std::fs::remove_file(&path).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        refused(Rule::NotAFile);
        drop(socket);
        std::fs::remove_file(&path).unwrap();
        machine.write(place, [0xff]);
        refused(Rule::Encoding);
    }
}

#[test]
fn a_newer_file_is_refused_with_one_error() {
    let machine = Machine::new();
    machine.write(USER, "{\"config_version\": 99,\n \"sandbox\": {\"from_the_future\": {}}}");
    let merged = machine.load();
    let errors: Vec<_> = merged.found(Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].rule, Rule::NewerVersion);
    assert_eq!(errors[0].place, Place::file(&machine.path(USER), 1, 20));
}
