//! Recognises a start of this file that means the interpreter in it: under the name `python3` (a
//! symbolic link), or as `sys.executable -c …` in a program that our interpreter runs
//! (`multiprocessing`, `concurrent.futures`).
//!
//! Only our interpreter leaves the mark in the environment of what it starts, and its value is
//! `sys.executable`: a program that is started as `agi-agent` is the agent, and so is
//! `sys.executable run …`. Under the name of an interpreter there is no agent. What is recognised becomes `python` with these arguments and nothing else, so
//! no power comes of it: whoever can start this file can start `agi-agent python`.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;

/// Python's options that stand alone.
const ALONE: &str = "bBdEhiIOPqRsSuvVx?";
/// Those whose value follows, in the same word or the next.
const VALUED: [char; 2] = ['W', 'X'];
/// Those behind which everything is the program's.
const LAST: [char; 2] = ['c', 'm'];
/// Long forms that are Python's.
const LONG: [&str; 4] =
    ["--version", "--help", "--check-hash-based-pycs", "--multiprocessing-fork"];

/// The command line with the word `python` in it where the interpreter is meant. `mark`: what our
/// interpreter left in the environment; `is_command`: whether a word is a subcommand of ours.
pub fn completed(
    argv: Vec<OsString>,
    mark: Option<&OsStr>,
    is_command: impl Fn(&str) -> bool,
) -> Vec<OsString> {
    let Some((program, rest)) = argv.split_first() else { return argv };
    let marked = mark.is_some_and(|mark| program == mark);
    if !(is_pythons_name(program) || marked && are_pythons(rest, is_command)) {
        return argv;
    }
    let own = [program.clone(), "python".into(), "--".into()];
    own.into_iter().chain(rest.iter().cloned()).collect()
}

/// `python`, `python3`, `python3.13`: what interpreters are called by links, by the first lines of
/// scripts and by `os.execl(sys.executable, "python", …)`.
fn is_pythons_name(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let version = name.strip_prefix("python");
    version.is_some_and(|version| version.chars().all(|c| c == '.' || c.is_ascii_digit()))
}

fn are_pythons(arguments: &[OsString], is_command: impl Fn(&str) -> bool) -> bool {
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        if argument.starts_with("--") {
            return LONG.contains(&argument.split('=').next().unwrap_or_default());
        }
        let Some(letters) = argument.strip_prefix('-') else { return !is_command(&argument) };
        let Some(end) = letters.find(|letter| !ALONE.contains(letter)) else {
            if letters.is_empty() {
                return true;
            }
            continue;
        };
        let mut ending = letters[end..].chars();
        match ending.next() {
            Some(letter) if LAST.contains(&letter) => return true,
            Some(letter) if VALUED.contains(&letter) => {
                if ending.next().is_none() && arguments.next().is_none() {
                    return true;
                }
            }
            _ => return false,
        }
    }
    // The prompt, or a program on standard input.
    true
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::ffi::OsString;

    use super::completed;

    fn complete(line: &str, mark: &str) -> String {
        let argv = line.split(' ').map(OsString::from).collect();
        let is_command = |word: &str| ["run", "status", "serve"].contains(&word);
        let mark = (!mark.is_empty()).then_some(OsStr::new(mark));
        let done = completed(argv, mark, is_command);
        done.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn the_forms_of_python_are_pythons() {
        for rest in [
            "-c code -x",
            "-I -c code",
            "-Ic code",
            "-Bsc code",
            "-m package run",
            "-X utf8 -W error -m package",
            "-Xutf8 script.py",
            "script.py run",
            "-",
            "-u -",
            "-V",
            "--version",
            "--multiprocessing-fork pipe_handle=7",
            "-W",
        ] {
            let line = format!("/opt/agi-agent {rest}");
            let python = format!("/opt/agi-agent python -- {rest}");
            assert_eq!(complete(&line, "/opt/agi-agent"), python);
            for name in ["python", "bin/python3", "/v/python3.13"] {
                for mark in ["", "/opt/agi-agent"] {
                    let named = complete(&format!("{name} {rest}"), mark);
                    assert_eq!(named, format!("{name} python -- {rest}"));
                }
            }
        }
        // Another's name: a script that is called as one of our commands.
        assert_eq!(complete("python3 run x", ""), "python3 python -- run x");
        assert_eq!(complete("/a", "/a"), "/a python --");
    }

    #[test]
    fn everything_else_is_the_agents() {
        for (line, mark) in [
            ("/opt/agi-agent -c code", "/usr/bin/agi-agent"),
            ("agi-agent -c code", "/opt/agi-agent"),
            ("agi-agent --version", "/opt/agi-agent"),
            ("/opt/agi-agent run task", "/opt/agi-agent"),
            ("/opt/agi-agent -q run task", "/opt/agi-agent"),
            ("/opt/agi-agent --json status", "/opt/agi-agent"),
            ("/opt/agi-agent --offline -c x=1", "/opt/agi-agent"),
            ("/opt/agi-agent -C /tmp run task", "/opt/agi-agent"),
            ("/opt/agi-agent serve --stdio", "/opt/agi-agent"),
            ("agi-agent -c code", ""),
            ("python-agent -c code", ""),
            ("/opt/python3/agi-agent -c code", ""),
        ] {
            assert_eq!(complete(line, mark), line, "{mark}");
        }
    }
}
