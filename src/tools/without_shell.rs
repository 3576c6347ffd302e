//! Commands for which bash has nothing to do but to become the program: `ls -la src`, `cargo test`.
//!
//! Starting bash takes as long as most of what such a program does, so it is tried without, as make does.
//! What counts is that nothing else changes, the variable `_` aside: only words of characters that mean
//! nothing to bash, only programs that are files, only an environment and a `PATH` that it would take as
//! they are; and where the program that bash would find cannot be executed, bash is asked after all.
//! Everything that is not certainly so is for bash. Expands nothing and looks nothing up.

use std::ffi::OsStr;
use std::ffi::OsString;

use crate::sandbox::environment;

/// Letters and digits may stand in words as well.
const PLAIN: &str = "_./-+:,@%=";

/// Bytes; bash is given its command as one argument, which has a bound.
const LONGEST: usize = 32 << 10;

/// Where `echo` is a file on every system that has one. By `PATH` it would be another program than the one
/// that rules about `echo` mean.
const ECHO: &str = "/bin/echo";

/// What bash does itself, and the words of its grammar. A test asks a bash for them.
const OWN_TO_BASH: &[&str] = &[
    ".",
    ":",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The program and its arguments, where `command` is no more than that. Empty: it is for bash.
///
/// `variables`: what the command would get, with their values.
pub(super) fn words<'a>(
    command: &str,
    mut variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Vec<OsString> {
    let command = command.strip_suffix('\n').unwrap_or(command);
    let mut words: Vec<&str> = command.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    if command.len() > LONGEST
        || !words.iter().all(|word| is_plain(word))
        || !variables.all(|(name, value)| is_taken_as_it_is(name, value))
    {
        return Vec::new();
    }
    let Some((program, arguments)) = words.split_first_mut() else { return Vec::new() };
    match *program {
        // Differs from the builtin in its options only.
        "echo" if !arguments.iter().any(|word| word.starts_with('-')) => *program = ECHO,
        "echo" => return Vec::new(),
        _ if !is_file(program) => return Vec::new(),
        _ => {}
    }
    words.into_iter().map(OsString::from).collect()
}

fn is_plain(word: &str) -> bool {
    word.chars().all(|letter| letter.is_ascii_alphanumeric() || PLAIN.contains(letter))
}

/// Neither bash's own, nor an assignment, a job or, for it or for the program, an option.
fn is_file(program: &str) -> bool {
    program.starts_with(|first: char| first.is_ascii_alphanumeric() || "/._".contains(first))
        && !program.contains('=')
        && !OWN_TO_BASH.contains(&program)
}

/// Variables that the person named may be any: functions, options, files to read first, what bash drops or
/// counts on.
fn is_taken_as_it_is(name: &OsStr, value: &OsStr) -> bool {
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { return false };
    match name {
        // `~` is expanded in it, an empty entry is the working directory, and what a script is told
        // of its own name has the slash twice.
        "PATH" => value.split(':').all(|entry| entry.starts_with('/') && !entry.ends_with('/')),
        // bash says so at each start where the locale is not there.
        "LC_ALL" => matches!(value, "" | "C" | "POSIX"),
        name => environment::is_allowed(name),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use proptest::prelude::*;

    use super::OWN_TO_BASH;
    use super::words;

    fn within(command: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let environment =
            environment.iter().map(|(name, value)| (OsStr::new(*name), OsStr::new(*value)));
        let words = words(command, environment).into_iter();
        words.map(|word| word.into_string().unwrap()).collect()
    }

    fn of(command: &str) -> Vec<String> {
        within(command, &[("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")])
    }

    #[test]
    fn programs_and_their_arguments() {
        assert_eq!(of("ls -la src"), ["ls", "-la", "src"]);
        let words = ["./configure", "--prefix=/usr", "a@b:c%d,e+f"];
        assert_eq!(of("  ./configure\t--prefix=/usr  a@b:c%d,e+f \n"), words);
        assert_eq!(of("dd if=a of=b"), ["dd", "if=a", "of=b"]);
        assert_eq!(of("echo tool 3"), ["/bin/echo", "tool", "3"]);
    }

    #[test]
    fn what_means_something_to_bash_is_for_bash() {
        for command in [
            "",
            " ",
            "\n",
            "ls *",
            "ls ~",
            "ls a\nrm b",
            "ls;",
            "ls &",
            "a|b",
            "a>b",
            "echo $HOME",
            "echo 'a'",
            "echo \"a\"",
            "echo a\\tb",
            "A=b",
            "A=b ls",
            "cd src",
            ". ./env",
            "[ a ]",
            "time ls",
            "if a",
            "! ls",
            "{ ls",
            "a{b,c}",
            "ls #x",
            "echo -n a",
            "echo a -e",
            "ls a\u{a0}b",
            "ls \u{e4}",
            "a^b",
            "ls a\rb",
            "ls a\u{b}b",
            "ls\n\n",
            "\nls",
            "ls\n ",
            "%1",
            "-x",
            "+x",
            "@x",
            ":x",
            ",x",
            "=x",
        ] {
            assert!(of(command).is_empty(), "{command:?}");
        }
        assert!(of(&format!("ls {}", "a".repeat(40_000))).is_empty());
    }

    #[test]
    fn what_bash_would_not_take_as_it_is_is_for_bash() {
        for entry in [
            ("BASH_ENV", "x"),
            ("BASH_FUNC_ls%%", "() { :; }"),
            ("SHELLOPTS", "xtrace"),
            ("POSIXLY_CORRECT", ""),
            ("SSH_CLIENT", "a b c"),
            ("SHLVL", "2"),
            ("OLDPWD", "/x"),
            ("CI", "1"),
            ("PATH", ""),
            ("PATH", "/bin:"),
            ("PATH", "/bin::/usr/bin"),
            ("PATH", "bin"),
            ("PATH", "~/bin:/bin"),
            ("PATH", "/bin/:/usr/bin"),
            ("LC_ALL", "en_US.UTF-8"),
        ] {
            assert!(within("ls", &[entry]).is_empty(), "{entry:?}");
        }
        assert_eq!(within("ls", &[("LC_ALL", "C"), ("LC_TIME", "x"), ("HOME", "/x")]), ["ls"]);
    }

    /// What bash prints of `script`, one line per element.
    fn bash(script: &str) -> Option<Vec<String>> {
        let done = Command::new("bash").args(["-c", script]).env("LC_ALL", "C").output().ok()?;
        assert!(done.status.success(), "{script}: {done:?}");
        Some(String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn all_that_bash_does_itself_is_known() {
        let Some(own) = bash("compgen -b; compgen -k") else { return };
        assert!(own.len() > 70, "{own:?}");
        for name in own.iter().filter(|name| *name != "echo") {
            let known = OWN_TO_BASH.contains(&name.as_str());
            assert!(known || of(name).is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn bash_reads_the_same_words(command in "[ \ta-c01_./+:,@%=-]{1,20}[*$#!'~{}\n]?") {
            let words = of(&command);
            if !words.is_empty() {
                let told = bash(&format!("told() {{ printf '%s\\n' \"$@\"; }}; told {command}"));
                prop_assert_eq!(told.unwrap_or_else(|| words.clone()), words);
            }
        }
    }
}
