//! Commands for which a shell has nothing to do but to become the program: `ls -la src`, `cargo test`.
//!
//! Starting bash takes as long as most of what such a program does, so it is tried without, as make does.
//! What counts is that nobody can tell: only words of characters that mean nothing to any shell, only
//! programs that are files, and where the program cannot be executed the shell is asked after all, which
//! finds the words for it. Expands nothing and looks nothing up.

use std::ffi::OsString;

/// Letters and digits may stand in words as well.
const PLAIN: &str = "_./-+:,@%=";

/// What bash does itself, and the words of its grammar. A test asks a bash for them.
const OWN_TO_SHELLS: &[&str] = &[
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

/// The program and its arguments, where `command` is no more than that. Empty: it is for a shell.
///
/// `names`: the variables of the command's environment. Some tell a shell to do more than it is asked.
pub(super) fn words<'a>(command: &str, mut names: impl Iterator<Item = &'a str>) -> Vec<OsString> {
    let words: Vec<&str> = command.trim_matches([' ', '\t', '\n']).split([' ', '\t']).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let is_plain = |word: &&str| {
        word.chars().all(|letter| letter.is_ascii_alphanumeric() || PLAIN.contains(letter))
    };
    let Some((program, arguments)) = words.split_first() else { return Vec::new() };
    let is_file = match *program {
        // A file as well, which differs in its options only.
        "echo" => !arguments.iter().any(|word| word.starts_with('-')),
        program => !program.contains('=') && !OWN_TO_SHELLS.contains(&program),
    };
    if is_file && words.iter().all(is_plain) && !names.any(steers_shells) {
        words.into_iter().map(OsString::from).collect()
    } else {
        Vec::new()
    }
}

/// Functions, options, files to read first.
fn steers_shells(name: &str) -> bool {
    name.starts_with("BASH") || matches!(name, "SHELLOPTS" | "ENV" | "POSIXLY_CORRECT")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::OWN_TO_SHELLS;
    use super::words;

    fn of(command: &str) -> Vec<String> {
        let words = words(command, ["PATH"].into_iter()).into_iter();
        words.map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn programs_and_their_arguments() {
        assert_eq!(of("ls -la src"), ["ls", "-la", "src"]);
        assert_eq!(
            of("  ./configure\t--prefix=/usr  a@b:c%d,e+f \n"),
            ["./configure", "--prefix=/usr", "a@b:c%d,e+f"]
        );
        assert_eq!(of("dd if=a of=b"), ["dd", "if=a", "of=b"]);
        assert_eq!(of("echo tool 3"), ["echo", "tool", "3"]);
    }

    #[test]
    fn what_means_something_to_a_shell_is_for_a_shell() {
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
        ] {
            assert!(of(command).is_empty(), "{command:?}");
        }
        for name in ["BASH_ENV", "BASH_FUNC_ls%%", "SHELLOPTS", "ENV"] {
            assert!(words("ls", [name].into_iter()).is_empty(), "{name}");
        }
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
            let known = OWN_TO_SHELLS.contains(&name.as_str());
            assert!(known || of(name).is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn bash_reads_the_same_words(command in "[ \ta-c01_./+:,@%=-]{1,20}[*$#!'~{}]?") {
            let words = of(&command);
            if !words.is_empty() {
                let told = bash(&format!("told() {{ printf '%s\\n' \"$@\"; }}; told {command}"));
                prop_assert_eq!(told.unwrap_or_else(|| words.clone()), words);
            }
        }
    }
}
