//! `agi-agent python` without a terminal: what `python3` promises to scripts.

use std::io::Read;
use std::process::Stdio;

use crate::support::TestContext;
use crate::support::finish;

fn python(context: &TestContext, arguments: &[&str]) -> (i32, String, String) {
    let finished = context.run(["python"].iter().chain(arguments));
    (finished.code, finished.stdout, finished.stderr)
}

#[test]
fn options_and_arguments_are_pythons() {
    let context = TestContext::new();
    let show = "import sys; print(sys.argv, sys.flags.isolated, sys.flags.quiet)";
    context.write("script.py", show);
    context.write("package/__main__.py", show);
    for (arguments, expected) in [
        (vec!["-c", show, "-c", "--path", "x"], "['-c', '-c', '--path', 'x'] 0 0\n"),
        (vec!["-I", "-q", "-c", show], "['-c'] 1 1\n"),
        (vec!["script.py", "-q", "--json"], "['script.py', '-q', '--json'] 0 0\n"),
        (vec!["--", "-q", "script.py"], "['script.py'] 0 1\n"),
    ] {
        assert_eq!(
            python(&context, &arguments),
            (0, expected.to_owned(), String::new()),
            "{arguments:?}"
        );
    }
    let (code, stdout, _) = python(&context, &["-m", "package", "-x"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("package/__main__.py', '-x'] 0 0"), "{stdout}");
    assert!(python(&context, &["-V"]).1.starts_with("Python 3."));
    // The file is called as it is, `agi-agent-gnu` as well.
    let help = python(&context, &["-h"]).1;
    assert!(help.contains("agi-agent") && help.contains(" [option] ... "), "{help}");
    assert!(python(&context, &["--help"]).1.contains("--path <DIR>"));
}

#[test]
fn standard_input_is_a_script() {
    let context = TestContext::new();
    for arguments in [&["python"][..], &["python", "-"], &["python", "-", "a"]] {
        let finished =
            context.run_with_input(arguments, b"import sys\nprint(6 * 7, len(sys.argv))\n");
        assert_eq!((finished.code, &*finished.stderr), (0, ""), "{arguments:?}");
        assert!(finished.stdout.starts_with("42 "), "{}", finished.stdout);
    }
    let finished = context.run_with_input(["python", "-i", "-c", "x = 5"], b"print(x)\n");
    assert!(finished.stdout.contains('5'), "{}", finished.stdout);
}

#[test]
fn exit_status_is_pythons() {
    let context = TestContext::new();
    for (code, status, stderr) in [
        ("", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(0)", 0, ""),
        ("raise SystemExit(True)", 1, ""),
        ("raise SystemExit(41)", 41, ""),
        ("raise SystemExit(255)", 255, ""),
        ("raise SystemExit(256)", 0, ""),
        ("raise SystemExit('bye')", 1, "bye\n"),
        ("exit(7)", 7, ""),
        ("import os; print('lost'); os._exit(9)", 9, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, ""),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGINT); [0 for _ in iter(int, 1)]",
            130,
            "KeyboardInterrupt",
        ),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("def f(): return f()\nf()", 1, "RecursionError"),
    ] {
        let finished = python(&context, &["-c", code]);
        assert_eq!(finished.0, status, "{code}: {finished:?}");
        assert!(finished.2.contains(stderr), "{code}: {finished:?}");
        assert!(!stderr.is_empty() || finished.2.is_empty(), "{code}: {finished:?}");
    }
    assert_eq!(python(&context, &["missing.py"]).0, 2);
    assert_eq!(python(&context, &["--no-such-option"]).0, 2);
}

#[test]
fn output_is_flushed_and_a_reader_that_goes_is_no_hang() {
    let context = TestContext::new();
    assert_eq!(python(&context, &["-c", "print('no newline', end='')"]).1, "no newline");
    let mut child = context.command(["python", "-c", "while True: print('y')"]).spawn().unwrap();
    let mut first = [0; 2];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("BrokenPipeError"));
}

#[test]
#[cfg(target_os = "linux")]
fn full_device_is_an_error() {
    let context = TestContext::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = context
        .command(["python", "-c", "print('x')"])
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(120));
}

#[test]
fn modules_come_from_the_places_that_are_named() {
    let mut context = TestContext::new();
    for place in ["first", "second", "environment", "wheels"] {
        context.write(&format!("{place}/shared.py"), format!("place = '{place}'"));
        context.write(&format!("{place}/only_{place}.py"), "");
    }
    let wheels = context.work().join("wheels");
    context.configure(&format!(r#"{{"python": {{"wheels": "{}"}}}}"#, wheels.display()));
    context.env("PYTHONPATH", context.work().join("environment").to_string_lossy().into_owned());
    let code = "import shared, only_first, only_second, only_environment, only_wheels; print(shared.place)";
    assert_eq!(
        python(&context, &["--path", "first", "--path=second", "-c", code]),
        (0, "first\n".to_owned(), String::new())
    );
    // `-I` reads neither the environment nor the configuration; what is named counts.
    let code = "import only_first, importlib.util as u; print(u.find_spec('only_wheels'), u.find_spec('only_environment'))";
    assert_eq!(python(&context, &["--path", "first", "-I", "-c", code]).1, "None None\n");
    let own = python(&context, &["-c", "import agi_agent; print(agi_agent.__version__)"]);
    assert_eq!(own.1, format!("{}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn sandboxed_children_need_no_home_and_no_configuration() {
    let context = TestContext::new();
    context.configure("{ broken");
    assert_eq!(python(&context, &["-I", "-c", "print(1)"]), (0, "1\n".to_owned(), String::new()));
    assert_eq!(python(&context, &["-c", "print(1)"]).0, 52);
    let mut command = context.command(["python", "-I", "-"]);
    let output = command.env_remove("HOME").env_remove("PATH").env_remove("LANG").output().unwrap();
    assert!(output.status.success());
    let finished = context.run(["python", "-I", "-c", "print('\u{e9}', ascii('\u{e9}'))"]);
    assert_eq!(finished.stdout, "é '\\xe9'\n", "UTF-8 whatever the locale");
}

/// What a program finds out about the interpreter it runs in, it can start: `subprocess`,
/// `multiprocessing` with each way to start, `concurrent.futures`.
#[test]
#[cfg(unix)]
fn a_program_starts_its_own_interpreter() {
    let context = TestContext::new();
    context.write(
        "pool.py",
        "
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

def square(number):
    return number * number

if __name__ == '__main__':
    for way in ('fork', 'spawn', 'forkserver'):
        how = multiprocessing.get_context(way)
        with ProcessPoolExecutor(2, mp_context=how) as pool:
            print(way, list(pool.map(square, range(5))))
        with how.Manager() as manager:
            shared = manager.dict(a=1)
            child = how.Process(target=shared.update, args=({'b': 2},))
            child.start(); child.join()
            print(way, dict(shared), child.exitcode)
",
    );
    let (code, stdout, stderr) = python(&context, &["pool.py"]);
    let line = |way: &str| format!("{way} [0, 1, 4, 9, 16]\n{way} {{'a': 1, 'b': 2}} 0\n");
    let expected = [line("fork"), line("spawn"), line("forkserver")].concat();
    assert_eq!((code, stdout, stderr), (0, expected, String::new()));
    context.write("child.py", "import sys; print(sys.argv[1:], sys.flags.isolated)");
    context.write("package/__main__.py", "print('package')");
    let code = "
import os, subprocess, sys
def run(*arguments, **more):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **more)
    print((done.stdout + done.stderr).strip())
run('-c', 'print(6 * 7)')
run('-I', '-X', 'utf8', '-c', 'import sys; print(sys.flags.isolated, sys.argv)', 'x')
run('child.py', 'run', '-q')
run('-m', 'package')
run('-', input='print(\"typed\")')
run(input='print(\"typed\")')
run('-c', 'import subprocess, sys; subprocess.run([sys.executable, \"-c\", \"print(7)\"])')
run('status', '--json')
print(os.popen(f'{sys.executable} -c \"print(8)\"').read().strip())
sys.stdout.flush()
os.execl(sys.executable, 'python', '-c', 'print(9)')
";
    let (status, stdout, stderr) = python(&context, &["-c", code]);
    let mut lines: Vec<&str> = stdout.lines().collect();
    let status_of_agent = lines.iter().position(|line| line.starts_with('{'));
    let end = lines.iter().position(|line| *line == "}").map_or(0, |end| end + 1);
    lines.drain(status_of_agent.expect("the agent's own status")..end);
    let expected =
        ["42", "1 ['-c', 'x']", "['run', '-q'] 0", "package", "typed", "typed", "7", "8", "9"];
    assert_eq!((status, lines, stderr.as_str()), (0, expected.to_vec(), ""));
}

/// As links in a `bin` directory and the first lines of scripts have it; there, too, `-c` is Python's.
#[test]
#[cfg(unix)]
fn under_the_name_of_python_it_is_python() {
    use std::os::unix::fs::PermissionsExt;
    let context = TestContext::new();
    let (agent, python3) = (context.work().join("agi-agent"), context.work().join("python3"));
    for link in [&agent, &python3] {
        std::os::unix::fs::symlink(crate::support::binary(), link).unwrap();
    }
    context.write("run", "import sys; print(sys.argv[1:])");
    let script = context.work().join("script");
    std::fs::write(&script, format!("#!{}\nimport sys; print(sys.argv[1:])", python3.display()))
        .unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let inner = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(6 * 7)'])";
    for (program, arguments, code, expected) in [
        (&python3, &["-c", "print(6 * 7)"][..], 0, "42\n"),
        (&python3, &["-c", inner], 0, "42\n"),
        (&python3, &["run", "--json", "-q"], 0, "['--json', '-q']\n"),
        (&script, &["-c", "status"], 0, "['-c', 'status']\n"),
        (&agent, &["-c", "print(6 * 7)"], 2, ""),
    ] {
        let sealed = context.command(arguments);
        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(context.work()).env_clear();
        command.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let finished = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let seen = (finished.code, finished.stdout.as_str());
        assert_eq!(seen, (code, expected), "{arguments:?}: {}", finished.stderr);
    }
}

/// There is no installation that an environment could be made of: nothing is begun.
#[test]
fn an_environment_is_refused_before_it_is_made() {
    let context = TestContext::new();
    for arguments in [
        &["-m", "venv", "new"][..],
        &["-m", "venv", "--without-pip", "new"],
        &["-Im", "venv", "new"],
        &["-mensurepip", "-v"],
    ] {
        let (code, stdout, stderr) = python(&context, arguments);
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: this interpreter is one file and has no `"), "{stderr}");
        assert!(stderr.contains("pip install --target DIR"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert!(!context.work().join("new").exists());
    // A pip that lies in a directory is run.
    context.write("tools/pip/__init__.py", "");
    context.write("tools/pip/__main__.py", "import sys; print('pip', sys.argv[1:])");
    let ran = python(&context, &["--path", "tools", "-m", "pip", "install", "-m", "venv"]);
    assert_eq!(ran, (0, "pip ['install', '-m', 'venv']\n".to_owned(), String::new()));
}

/// The environment alone makes nobody an interpreter, and the agent's commands stay the agent's.
#[test]
fn without_the_mark_nothing_is_python() {
    let mut context = TestContext::new();
    assert_eq!(context.run(["-c", "print(1)"]).code, 2);
    context.env("_AGI_AGENT_PYTHON", "/somewhere/else/agi-agent");
    assert_eq!(context.run(["-c", "print(1)"]).code, 2);
    assert!(context.run(["--version"]).stdout.starts_with("agi-agent"));
}

/// Rust and Python trust the same store: what one variable names is all of it.
#[test]
fn one_variable_names_the_whole_store() {
    let mut context = TestContext::new();
    let empty = context.work().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let code = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509'])";
    context.env("SSL_CERT_DIR", empty.to_string_lossy());
    let finished = context.run(["python", "-c", code]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "0\n"), "{}", finished.stderr);
    let doctor = context.run(["doctor"]);
    assert!(doctor.stdout.contains("holds none"), "{}", doctor.stdout);
}
