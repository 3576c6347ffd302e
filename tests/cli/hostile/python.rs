//! Case 46: hostile code in `python_exec` has the bounds of a command, and the agent survives it.

use serde_json::Value;
use serde_json::json;

use super::Ground;
use super::SECRET;
use super::each;
use super::each_of_two;
use crate::support::binary;

/// What a development build needs beside the binary; the release build needs nothing.
fn development() -> Vec<String> {
    if binary() != std::path::Path::new(env!("CARGO_BIN_EXE_agi-agent")) {
        return Vec::new();
    }
    vec!["--read".to_owned(), concat!(env!("CARGO_MANIFEST_DIR"), "/python").to_owned()]
}

/// Runs code; the agent's exit code, and what came of it as data.
pub fn python(ground: &Ground, code: &str, timeout: u64) -> (i32, Value, String) {
    python_at(ground, "workspace-write", code, timeout)
}

fn python_at(ground: &Ground, level: &str, code: &str, timeout: u64) -> (i32, Value, String) {
    let arguments = json!({"code": code, "timeout": timeout}).to_string();
    let fixed = ["tool", "run", "python_exec", "--args", &arguments, "--json"];
    let level = ["--sandbox", level];
    let development = development();
    let development: Vec<&str> = development.iter().map(String::as_str).collect();
    let finished = ground.run(&[&fixed[..], &level, &development].concat());
    let value: Value = serde_json::from_str(&finished.stdout).unwrap_or(Value::Null);
    (finished.code, value, finished.stderr)
}

#[test]
fn case_46_python_code_has_the_bounds_of_a_command() {
    each("case 46", |ground, rows| {
        let database = ground.home().join(".local/share/agi-agent/agent.db");
        std::fs::create_dir_all(database.parent().unwrap()).unwrap();
        std::fs::write(&database, "database").unwrap();
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        let (code, value, stderr) = python(ground, "print(6 * 7)", 20);
        let works = code == 0 && value["data"]["stdout"] == "42\n";
        rows.row(format!("{} it works", ground.setting), works, &format!("{value} {stderr}"));
        // Each prints `got` if it got through.
        for attack in [
            "import os; os.system('cat $BASE/outside/secret'); os.system('echo x > $BASE/outside/new')",
            "import subprocess; print(subprocess.run(['cat', '$BASE/outside/secret'], capture_output=True))",
            "print('got', open('/etc/shadow').read())",
            "print('got', open('$BASE/outside/secret').read())",
            "open('$BASE/outside/new', 'w').write('evil'); print('got')",
            "import socket; socket.socket(); print('got')",
            "import socket; socket.create_connection(('127.0.0.1', 22)); print('got')",
            "import urllib.request as u; print('got', u.urlopen('http://127.0.0.1/').read())",
            "open('$BASE/home/.local/share/agi-agent/agent.db', 'w').write('evil'); print('got')",
            "import sqlite3; sqlite3.connect('$BASE/home/.local/share/agi-agent/agent.db').execute('create table x(y)'); print('got')",
            "import ctypes, os; l = ctypes.CDLL(None); f = l.open(b'$BASE/outside/secret', 0); print('got', os.read(f, 99))",
            "import ctypes; l = ctypes.CDLL(None); assert l.unshare(0x10000000) == 0; print('got')",
            "import ctypes, os; l = ctypes.CDLL(None); assert l.ptrace(16, os.getppid(), 0, 0) == 0; print('got')",
            "import os; print('got', open(f'/proc/{os.getppid()}/environ').read())",
            "import os; os.kill(os.getppid(), 9); import time; time.sleep(1); print('got')",
            "import os; os.setuid(1234); print('got')",
            "import os; os.mknod('device', 0o600 | 0o020000, 259); print('got')",
            "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 60, 1 << 60)); print('got')",
        ] {
            let code = format!("import sys\n{}\n", attack.replace("$BASE", &base));
            let (_, value, stderr) = python(ground, &code, 20);
            let text = value.to_string();
            let held = value["data"].is_object()
                && !value["data"]["stdout"].as_str().unwrap_or_default().contains("got")
                && !text.contains(SECRET)
                && ground.is_untouched()
                && std::fs::read_to_string(&database).unwrap() == "database";
            rows.row(format!("{} {attack}", ground.setting), held, &format!("{text} {stderr}"));
        }
    });
}

/// Processes of Python are commands like any others: they work, and have the same bounds.
#[test]
fn case_46_python_starts_processes_within_the_bounds() {
    each("case 46, processes", |ground, rows| {
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        let code = "
import math, multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
for way in ('fork', 'spawn'):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(way)) as pool:
        print(way, list(pool.map(math.factorial, range(5))))
steal = \"print('got', open('$BASE/outside/secret').read())\"
for arguments in (['-c', steal], ['-I', '-c', steal], ['run', '--model', 'builtin', '2 + 2']):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    print(arguments[0], done.returncode, 'got' in done.stdout)
";
        let code = code.replace("$BASE", &base);
        for level in ["workspace-write", "read-only"] {
            // Without namespaces there is no shared memory that is nobody else's.
            if level == "read-only" && ground.rung() != "namespaces" {
                continue;
            }
            let (_, value, stderr) = python_at(ground, level, &code, 30);
            let text = value["data"]["stdout"].as_str().unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let works = lines.first() == Some(&"fork [1, 1, 2, 6, 24]")
                && lines.get(1) == Some(&"spawn [1, 1, 2, 6, 24]");
            rows.row(
                format!("{} {level} pools", ground.setting),
                works,
                &format!("{value} {stderr}"),
            );
            let held = lines.get(2..4) == Some(&["-c 1 False", "-I 1 False"]);
            rows.row(
                format!("{} {level} children", ground.setting),
                held,
                &format!("{value} {stderr}"),
            );
        }
    });
}

#[test]
fn case_46_what_was_drawn_comes_back_and_nothing_else_does() {
    each("case 46, drawings", |ground, rows| {
        let code = "from agi_agent.plot import Figure\n\
                    Figure('T').line([1, 3, 2]).show()\nFigure('U').bar(['a'], [1]).show()";
        let (code, value, stderr) = python(ground, code, 20);
        let artefacts = &value["data"]["artefacts"];
        let drawn = artefacts.as_array().map_or(0, Vec::len) == 2
            && artefacts[0]["content"].as_str().is_some_and(|text| text.starts_with("<svg "))
            && value["text"].as_str().is_some_and(|text| text.contains("plot-2.svg"));
        let seen = format!("{code} {value} {stderr}");
        rows.row(format!("{} two drawings", ground.setting), drawn, &seen);
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        for attack in [
            "import os; os.symlink('$BASE/outside/secret', os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg')",
            "import os; p = os.environ['AGI_AGENT_PLOTS']; os.rmdir(p); os.symlink('$BASE/outside', p)",
            "import os; os.mkfifo(os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg')",
            "import os; os.symlink('/dev/zero', os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg')",
            "import os; open(os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg', 'wb').write(b'\\xff' * 99)",
            "import os; open(os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg', 'w').write('x' * (3 << 20))",
            "import os; os.truncate(os.open(os.environ['AGI_AGENT_PLOTS'] + '/plot-1.svg', 66), 7 << 30)",
        ] {
            let (_, value, stderr) = python(ground, &attack.replace("$BASE", &base), 20);
            let held = value["data"].is_object()
                && value["data"]["artefacts"].is_null()
                && !value.to_string().contains(SECRET)
                && ground.is_untouched();
            rows.row(format!("{} {attack}", ground.setting), held, &format!("{value} {stderr}"));
        }
    });
}

/// The agent reports it and lives.
#[test]
fn case_46_and_t15_whatever_ends_the_interpreter_ends_nothing_else() {
    each_of_two("case 46, violent ends", |ground, rows| {
        for (attack, timeout) in [
            ("import os; os._exit(9)", 20),
            ("import os; os.abort()", 20),
            ("import sys; sys.settrace(lambda *a: 1 / 0); exec('x = 1'); print(undefined)", 20),
            ("import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()", 1),
            (
                "import sys, threading; sys.setrecursionlimit(10**9); threading.stack_size(1 << 20)\nimport functools, json\nx = []\nfor i in range(10**6): x = [x]\njson.dumps(x)",
                20,
            ),
            ("import ctypes; ctypes.string_at(0)", 20),
            ("x = [0] * 10**12", 20),
            (
                "import resource as r; r.setrlimit(r.RLIMIT_DATA, (1 << 30, 1 << 30))\nx = []\nwhile True: x.append(bytearray(1 << 26))",
                20,
            ),
            ("while True: pass", 1),
            ("x = 10**10**8", 1),
            ("import time; time.sleep(60)", 1),
            (
                "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(60)",
                1,
            ),
            ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", 1),
            ("import sys; sys.stdout.write('x' * 10**8); raise SystemExit(3)", 20),
        ] {
            let (code, value, stderr) = python(ground, attack, timeout);
            let status = &value["data"]["exit_code"];
            let held =
                status.as_i64().is_some_and(|status| status != 0) && (code == 1 || code == 124);
            let shown: String = value.to_string().chars().take(300).collect();
            rows.row(
                format!("{} {attack}", ground.setting),
                held,
                &format!("{code} {shown} {stderr}"),
            );
        }
    });
}
