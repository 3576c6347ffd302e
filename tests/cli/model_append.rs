//! `model append`: a copy of the program that carries a model, and what is answered when it cannot be.

#![cfg(unix)]

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::finish;

/// A context with `models/llama.gguf` in its working directory.
fn with_model() -> TestContext {
    let context = TestContext::new();
    std::fs::create_dir(context.work().join("models")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/local/models.py");
    let made = context.run(["python".as_ref(), script.as_os_str(), "models".as_ref()]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    context
}

/// Another program in the surroundings of the context.
fn sealed(context: &TestContext, program: &Path) -> Command {
    let model = context.command::<[&OsStr; 0], _>([]);
    let mut command = Command::new(program);
    command.current_dir(context.work()).env_clear();
    command.envs(model.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program that was written here.
fn run(context: &TestContext, program: &str, arguments: &[&str]) -> Finished {
    finish(sealed(context, &context.work().join(program)).args(arguments))
}

fn names(listed: &Finished) -> Vec<String> {
    let rows: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap_or_default();
    rows.iter().filter_map(|row| Some(row["name"].as_str()?.to_owned())).collect()
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_copy_carries_models_and_is_a_program() {
    let context = with_model();
    let appended = context.run(["model", "append", "models/llama.gguf", "-o", "mine"]);
    assert_eq!((appended.code, appended.stdout.as_str()), (0, "mine\n"), "{}", appended.stderr);
    let again = run(
        &context,
        "mine",
        &["model", "append", "models/qwen2.gguf", "--name", "other", "-o", "both", "--json"],
    );
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("local/embedded:other"), "{}", again.stdout);
    let listed = names(&run(&context, "both", &["model", "list", "--model", "local", "--json"]));
    assert_eq!(listed[..2], ["local/embedded:other", "local/embedded:llama"]);
    if context.run(["python", "-c", "import _agi_llama, jinja2"]).code == 0 {
        for model in ["local/llama", "local/embedded:other"] {
            let arguments = ["model", "bench", "--model", model, "--repeat", "1", "--json"];
            let measured = run(&context, "both", &arguments);
            assert_eq!(measured.code, 0, "{model}: {}", measured.stderr);
        }
    }
}

/// An agent that runs while its file is replaced by another version goes on with its own models.
#[cfg(target_os = "linux")]
#[test]
fn the_models_are_found_where_the_file_is_gone() {
    let context = with_model();
    let appended = context.run(["model", "append", "models/llama.gguf", "-o", "mine"]);
    assert_eq!(appended.code, 0, "{}", appended.stderr);
    let script = "exec 3<mine; rm mine; exec /proc/self/fd/3 model list --model local --json";
    let listed = finish(sealed(&context, Path::new("/bin/sh")).args(["-c", script]));
    assert!(names(&listed).contains(&"local/embedded:llama".to_owned()), "{}", listed.stderr);
}

/// In an empty root directory the kernel's link to the file is not there: the name that was executed
/// leads to it, also from another directory, and whatever the program is told to be called.
#[cfg(target_os = "linux")]
#[test]
fn the_models_are_found_without_procfs() {
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        crate::support::lacking("root", "the_models_are_found_without_procfs");
        return;
    }
    let context = with_model();
    let appended = context.run(["model", "append", "models/llama.gguf", "-o", "mine"]);
    assert_eq!(appended.code, 0, "{}", appended.stderr);
    for (program, called, before) in [
        (context.work().join("mine"), "mine", &[][..]),
        (context.work().join("mine"), "/bin/sh", &["-C", "/"]),
        ("./mine".into(), "./mine", &["-C", "/"]),
    ] {
        let listing = ["model", "list", "--model", "local", "--json"];
        let mut command = sealed(&context, &program);
        crate::support::denied::procfs(command.arg0(called).args(before).args(listing));
        let listed = finish(&mut command);
        assert!(names(&listed).contains(&"local/embedded:llama".to_owned()), "{}", listed.stderr);
    }
    // Its own launcher of commands is found as well.
    let mut command = sealed(&context, Path::new("./mine"));
    command.args(["-C", "/", "sandbox", "--", "echo", "ok"]);
    crate::support::denied::procfs(&mut command);
    let ran = finish(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "ok\n"), "{}", ran.stderr);
}

#[test]
fn what_is_refused_is_named_and_leaves_nothing() {
    let context = with_model();
    let whole = std::fs::read(context.work().join("models/llama.gguf")).unwrap();
    context.write("cut.gguf", &whole[..whole.len() - 100]);
    context.write("text.gguf", "hello");
    context.write("there", "something of somebody's");
    let before = entries(&context.work());
    for (arguments, told) in [
        (["cut.gguf", "-o", "out"], "it was cut: 100 bytes are missing"),
        (["text.gguf", "-o", "out"], "it does not begin with `GGUF`"),
        (["none.gguf", "-o", "out"], "cannot be read: No such file"),
        (["models/llama.gguf", "-o", "there"], "error: `there` exists"),
        (["models/llama.gguf", "-o", "no/where"], "cannot create `no/where`"),
        (["models/llama.gguf", "-o", "/dev/full"], "error: `/dev/full` exists"),
    ] {
        let refused = context.run(["model", "append"].into_iter().chain(arguments));
        assert_eq!(refused.code, 42, "{told}: {}", refused.stderr);
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert_eq!(entries(&context.work()), before);
}

/// A limit stands in for a full disk: the system's answer comes in the middle of the copy.
#[test]
fn a_place_that_becomes_full_is_left_as_it_was() {
    let context = with_model();
    let before = entries(&context.work());
    let program = crate::support::binary();
    let script = r#"trap "" XFSZ; ulimit -f 8; exec "$0" model append models/llama.gguf -o out"#;
    let mut command = sealed(&context, Path::new("/bin/sh"));
    let full = finish(command.args(["-c".as_ref(), script.as_ref(), program.as_os_str()]));
    assert_eq!(full.code, 42, "{}", full.stderr);
    assert!(full.stderr.contains("cannot write `out`: File too large"), "{}", full.stderr);
    assert_eq!(entries(&context.work()), before);
}
