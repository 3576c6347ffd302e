//! Programs that run other programs, or write files, through their options.
//!
//! A pattern with a `*` covers further arguments, and with these programs a further argument can be
//! anything at all: `sort -o`, `tar --to-command`, `git -c alias.x=!sh x`. They are named here, so
//! that such a pattern does not cover them; a pattern that spells the whole command still does. The
//! list can never be whole: a person who allows `mytool *` knows what `mytool` does.

use super::Word;
use super::unwrap::Unwrapped;

/// Builtins of bash that only compute and print. All others change what later commands do.
const HARMLESS_BUILTINS: &str = ": [ echo false printf pwd test true";

/// Builtins that are refused to every pattern with a wildcard: they change the shell, or run text.
const BUILTINS: &str = "\
    . alias bg bind break builtin caller cd command compgen complete compopt continue \
    declare dirs disown enable eval exec exit export fc fg getopts hash help history jobs \
    kill let local logout mapfile popd pushd read readarray readonly return set shift shopt \
    source trap typeset ulimit umask unalias unset wait suspend times";

/// Programs whose work is to run or to write what their arguments say.
const RUNNERS: &str = "\
    ash apt apt-get ar at awk bash batch bun busybox bwrap capsh chroot chrt cpio cpulimit \
    crontab csh csplit ctags curl dash dc dd deno doas docker dpkg ed elvish emacs entr env \
    ex expect fakeroot firejail fish flock ftp gawk gdb gem gmake gpg guile hg info install \
    ionice ip java jrunscript julia kubectl ksh ld less lftp links lldb logsave lua luajit \
    lynx m4 mail make man mawk more most mosh mutt mysql nano nawk nc ncat newgrp nice ninja \
    node nodejs nodemon nohup npx nsenter numactl openssl osascript parallel pax perl pg php \
    pico pip pip3 pipx pkexec podman prlimit psql pwsh R rake rbash rlwrap Rscript rsync \
    ruby run-parts runcon runuser scp screen script setarch setpriv setsid sftp sg sh socat \
    split sqlite3 ssh start-stop-daemon stdbuf strace ltrace su sudo svn systemctl systemd-run \
    tar bsdtar taskset tclsh tcpdump tcsh tee telnet time timeout tmux unshare uvx \
    valgrind vi view vim nvim w3m watch watchexec wget wish xargs xterm yash zip zsh";

/// Families with a version in their name: `python3.13`, `perl5.36`, `ld-linux-x86-64.so.2`.
const RUNNER_PREFIXES: [&str; 7] =
    ["python", "pypy", "perl5", "ruby3", "lua5", "ld-linux", "ld-musl"];

/// Programs that neither run nor write anything, whatever their arguments are.
const READERS: &str = "\
    : [ basename cat cksum cmp comm cut df dirname du echo expand expr false fold grep egrep \
    fgrep head id join ls md5sum nl nproc od paste printenv pwd readlink realpath rev seq \
    sha1sum sha256sum sha512sum sleep stat strings tac tail tr true uname wc";

/// Actions of `find` that run a program; what they run is judged by itself.
pub(super) const FIND_RUNS: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];

/// Options through which a program runs or writes.
struct Options {
    program: &'static str,
    /// Letters of options with one dash, wherever they stand in a group.
    letters: &'static str,
    /// Options by name, separated by blanks. Those with two dashes may be shortened.
    names: &'static str,
}

const fn options(program: &'static str, letters: &'static str, names: &'static str) -> Options {
    Options { program, letters, names }
}

const OPTIONS: &[Options] = &[
    options("rg", "z", "--pre --pre-glob --hostname-bin --search-zip"),
    options("find", "", "-delete -fprint -fprint0 -fprintf -fls -files0-from"),
    options("fd", "xX", "--exec --exec-batch"),
    options("fdfind", "xX", "--exec --exec-batch"),
    options("sort", "oT", "--output --compress-program --temporary-directory --files0-from"),
    options("shuf", "o", "--output"),
    options("file", "C", "--compile"),
    options("tree", "oR", "--output"),
    options("date", "s", "--set"),
    options("diff", "l", "--paginate"),
    options("iconv", "o", "--output"),
    options("xxd", "r", "-revert"),
    options("yq", "i", "--inplace --in-place --split-exp -s"),
    options("jq", "", "--in-place"),
    options("journalctl", "", "--vacuum-size --vacuum-time --vacuum-files --rotate --flush"),
    options("gcc", "", "-wrapper -fplugin -specs --specs -B @"),
    options("cc", "", "-wrapper -fplugin -specs --specs -B @"),
    options("clang", "", "-fplugin -Xclang -load -B @ --config"),
    options("cargo", "", "--config"),
    options("npm", "", "--script-shell --node-options --prefix --userconfig"),
    options("ag", "", "--pager"),
    options("ack", "", "--pager --ackrc --output"),
    options("bat", "", "--pager --paging --map-syntax"),
    options(
        "git",
        "oOx",
        "\
        --output --output-directory --ext-diff --textconv --upload-pack --receive-pack \
        --exec --open-files-in-pager --config --config-env --template --show-signature \
        --paginate --git-dir --work-tree --exec-path --super-prefix --filters --extcmd \
        --tool --server-option --separate-git-dir --editor --gpg-sign --reuse-message \
        --edit",
    ),
];

/// Subcommands of git whose work is to run what arguments or the repository say.
const GIT_RUNNERS: &str = "\
    archive bisect citool clone config credential daemon difftool fetch filter-branch gui \
    help hook instaweb ls-remote mergetool p4 pull rebase send-email submodule upload-pack";

/// Whether a list of words has a word.
fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// The last part of a path.
pub fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Whether a name is one of the shell's own commands, and so no file.
pub fn is_builtin(program: &str) -> bool {
    has(HARMLESS_BUILTINS, program) || has(BUILTINS, program)
}

/// Programs that change files and print nothing of those they do not name.
const CHANGERS: &str = "chmod cp ln mkdir mv rm rmdir touch";

/// Programs with known options that run, or quote, whatever the files of a project say.
const BUILDERS: [&str; 5] = ["cargo", "npm", "gcc", "cc", "clang"];

/// Whether a program certainly reads no other file than those its arguments name: it is known, and nothing
/// in its arguments makes it run another one or follow links of its own accord.
pub fn reads_what_it_names(command: &Unwrapped) -> bool {
    let Some(program) = command.words.first() else { return false };
    let name = base(&program.text);
    let follows = |word: &Word| {
        let is_group = word.text.starts_with('-') && !word.text.starts_with("--");
        matches!(word.text.as_str(), "--dereference" | "--dereference-recursive" | "--follow")
            || is_group && (word.text.contains(['L', 'R']) || word.text == "-follow")
    };
    let is_known = has(READERS, name)
        || has(CHANGERS, name)
        || name == "sed"
        || OPTIONS.iter().any(|options| options.program == name) && !BUILDERS.contains(&name);
    let names_a_list = |word: &Word| word.text.starts_with("--files0-from");
    is_known
        && refusal(command).is_none()
        && !command.words[1..].iter().any(|word| follows(word) || names_a_list(word))
}

/// Why a pattern with a wildcard does not cover a command, if it does not.
pub fn refusal(command: &Unwrapped) -> Option<String> {
    let program = command.words.first()?;
    if !program.fixed {
        return Some("the program is not named in plain letters".to_owned());
    }
    let name = base(&program.text);
    if has(RUNNERS, name) || RUNNER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(format!("`{name}` runs or writes what its arguments say"));
    }
    if is_builtin(name) && !has(HARMLESS_BUILTINS, name) {
        return Some(format!("the builtin `{name}` changes the shell"));
    }
    let arguments = &command.words[1..];
    if !has(READERS, name) {
        if command.more {
            return Some(format!("`{name}` gets arguments that are not known"));
        }
        if let Some(word) = arguments.iter().find(|word| !word.fixed && !word.operand) {
            let shown = if word.text.is_empty() { "an expansion" } else { word.text.as_str() };
            return Some(format!("{shown} may become an option of `{name}`"));
        }
    }
    special(name, arguments).or_else(|| option(name, arguments))
}

fn special(name: &str, arguments: &[Word]) -> Option<String> {
    match name {
        "git" => git(arguments),
        "sed" => sed(arguments),
        // The second operand is a file that is written.
        "uniq" | "xxd" if arguments.iter().filter(|word| word.operand).count() > 1 => {
            Some(format!("the second file of `{name}` is written"))
        }
        // `printf -v` and `test -v` evaluate the name they are given.
        "printf" if arguments.first().is_some_and(|word| !word.operand) => {
            Some("`printf` may set a variable".to_owned())
        }
        "test" | "[" if arguments.iter().any(|word| !word.fixed || is_evaluating(&word.text)) => {
            Some(format!("`{name}` may evaluate its arguments"))
        }
        _ => None,
    }
}

fn is_evaluating(word: &str) -> bool {
    word == "-v" || word == "-R"
}

/// Options before the subcommand change what git runs; some subcommands do nothing else.
fn git(arguments: &[Word]) -> Option<String> {
    let subcommand = arguments.first()?;
    if !subcommand.fixed || !subcommand.operand {
        return Some("an option stands before the subcommand of `git`".to_owned());
    }
    has(GIT_RUNNERS, &subcommand.text)
        .then(|| format!("`git {}` runs what its arguments or the repository say", subcommand.text))
}

/// Only the scripts that print or replace: a line range with `p`, `d` or `q`, or one `s` with the
/// flags `g`, `i`, `p` and digits.
fn sed(arguments: &[Word]) -> Option<String> {
    let refused = || Some("this `sed` script or option may run or write".to_owned());
    let mut scripts = 0;
    for word in arguments {
        if !word.fixed {
            // A file, but only after the script.
            if scripts == 0 || !word.operand {
                return refused();
            }
            continue;
        }
        match word.text.as_str() {
            "-n" | "-E" | "-r" | "-s" | "-u" | "-z" => {}
            text if text.starts_with('-') => return refused(),
            text if scripts == 0 => {
                scripts = 1;
                if !is_plain_script(text) {
                    return refused();
                }
            }
            _ => {}
        }
    }
    None
}

fn is_plain_script(script: &str) -> bool {
    if script.contains(['\n', '\\', ';', '{', '}']) {
        return false;
    }
    let command = script.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$'));
    if matches!(command, "p" | "d" | "q") {
        return true;
    }
    let mut letters = command.chars();
    let (Some('s'), Some(delimiter)) = (letters.next(), letters.next()) else { return false };
    if delimiter.is_alphanumeric() || delimiter.is_whitespace() {
        return false;
    }
    let parts: Vec<&str> = letters.as_str().split(delimiter).collect();
    parts.len() == 3 && parts[2].chars().all(|c| matches!(c, 'g' | 'i' | 'I' | 'p' | '0'..='9'))
}

/// An option by which the program runs or writes.
fn option(name: &str, arguments: &[Word]) -> Option<String> {
    let table = OPTIONS.iter().find(|options| options.program == name)?;
    let found = arguments.iter().find(|word| {
        let (text, _) = word.text.split_once('=').unwrap_or((&word.text, ""));
        table.names.split(' ').any(|option| is_spelling(text, option))
            || has_letter(&word.text, table)
    })?;
    Some(format!("`{}` lets `{name}` run or write", found.text))
}

/// `--outp` is `--output`; `-exec` and `@file` are only themselves, but may have more glued on.
fn is_spelling(text: &str, option: &str) -> bool {
    if option.is_empty() {
        return false;
    }
    if option.starts_with("--") {
        return text.len() > 2 && option.starts_with(text) || text == option;
    }
    text.starts_with(option)
}

fn has_letter(word: &str, table: &Options) -> bool {
    !table.letters.is_empty()
        && word.starts_with('-')
        && !word.starts_with("--")
        && word.contains(|c| table.letters.contains(c))
}
