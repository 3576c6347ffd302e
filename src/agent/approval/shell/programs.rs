//! Programs that run other programs, or write files, through their arguments.
//!
//! A pattern with a `*` covers further arguments, and with these programs a further argument can be
//! anything at all: `sort -o`, `tar --to-command`, `gcc -o`. They are named here, so that such a
//! pattern does not cover them; a pattern that spells the whole command still does. The list can
//! never be whole: a person who allows `mytool *` knows what `mytool` does, as with `rm *` and `cp *`,
//! which say what they change. `git` has a list of what may be: [`super::git`].

use super::Word;
use super::git;
use super::sed;
use super::unwrap::Unwrapped;

/// Builtins of bash that only compute and print. All others change what later commands do.
const HARMLESS_BUILTINS: &str = ": [ echo false printf pwd test true";

/// Builtins that are refused to every pattern with a wildcard: they change the shell, or run text.
const BUILTINS: &str = "\
    . alias bg bind break builtin caller cd command compgen complete compopt continue \
    declare dirs disown enable eval exec exit export fc fg getopts hash help history jobs \
    kill let local logout mapfile popd pushd read readarray readonly return set shift shopt \
    source trap typeset ulimit umask unalias unset wait suspend times";

/// Programs whose work is to run or to write what their arguments say, by what they are for.
const RUNNERS: &[&str] = &[
    // Shells and languages.
    "\
     ash awk bash bb bc bun busybox clisp clojure coreutils crystal csh dart dash dc deno \
     ecl elixir elvish erl es expect fish gawk ghc ghci gnuplot go goawk gp groovy gsed \
     guile iex irb janet java jjs jrunscript jshell julia kotlin ksh lua luajit m4 make \
     mawk maxima mksh moon mosh nawk nim node nodejs ocaml octave original-awk osascript \
     pdksh perl php posh pwsh R racket raku rakudo rbash rc Rscript ruby runghc sage sbcl \
     scala scheme sh sqlite3 swift swipl tclsh tcsh toybox ts-node tsx wish yash zig zsh",
    // Wrappers: they run what follows.
    "\
     aarch64 alpha arm arm64 armh armv4b armv4l armv5l armv6l armv7b armv7l armv8b armv8l \
     at atq batch bpftrace bwrap capsh catchsegv choom chpst chronic chroot chrt coresched \
     cpulimit cronolog crontab daemon daemonize dbus-launch dbus-run-session doas \
     dotlockfile dtach eatmydata entr env envdir fakechroot fakeroot faketime firejail \
     flock forever gosu gtime hyperfine i386 i486 i586 i686 ia64 ifne inotifywait ionice ld \
     ldd linux32 linux64 lockfile logsave loongarch64 ltrace machinectl mips mips32 mips64 \
     mispipe multitime newgrp nice nodemon nohup nsenter numactl parallel parisc parisc32 \
     parisc64 pee perf pkexec pm2 ppc ppc32 ppc64 ppc64le prlimit proot proxychains \
     proxychains4 retry riscv32 riscv64 rlwrap rr run-mailcap run-one run-parts runas \
     runcon runsv runsvdir runuser rush s390 s390x screen script scriptlive sem setarch \
     setlock setpriv setsid setuidgid sg softlimit sparc sparc32 sparc32bash sparc64 \
     sshpass stap start-stop-daemon stdbuf strace su su-exec sudo sudoedit taskset \
     tcpserver time timelimit timeout tini tmate tmux torify torsocks uclampset uname26 \
     unbuffer unshare valgrind watch watchexec watchman with-lock-ex x86_64 xargs xinit \
     xterm xvfb-run zellij",
    // Builders and compilers.
    "\
     aclocal ant ar as autoconf autoheader automake autoreconf bazel bazelisk bison blaze \
     bmake buck buck2 byacc c++ c89 c99 cabal cargo cc clang cmake cmake-gui cpack cpp \
     ctest dlltool dotnet dub esbuild flex g++ gcc gcov gfortran gmake gn gold gperf gprof \
     gradle gradlew grunt gulp jar jarsigner javac javadoc just keytool kotlinc ld.bfd \
     ld.gold ld.lld ldconfig lex libtool llc lld meson mix mvn nasm ninja nm nvcc objcopy \
     objdump opt parcel pmake protoc rake ranlib re2c rebar3 rollup rustc rustdoc rustup \
     samu sbt scalac scons stack strip swiftc swig task tcc thrift tsc tup vite waf webpack \
     windres xcodebuild xcrun yacc yasm",
    // Package managers, and runners of tests and checks.
    "\
     apk apt aptitude autopep8 ava black bower brew bundle bundler composer conda corepack \
     coverage dnf dpkg dselect easy_install electron emerge eslint flake8 flatpak gem hatch \
     isort jest karma lerna luarocks mamba micromamba mocha mypy nix nox npm npx nx opam \
     pacman pdm phpunit pip pipenv pipx playwright pnpm poetry pre-commit prettier py.test \
     pylint pyright pytest rpm rpmbuild rspec ruff snap tox turbo uv uvx virtualenv vitest \
     yapf yarn yum zypper",
    // Editors, pagers, and what opens files with others.
    "\
     bat batcat code delta dialog ed editor elvis emacs emacsclient ex exo-open fzf gio \
     gitg gitk gvim helix hx info jed joe kak lazygit less lesspipe lf lv man mc mcedit \
     micro more most mutt nano ne nnn nvim open pager peco pg pico ranger red rview rvim \
     see sensible-browser sensible-editor sensible-pager sk subl tig vi vidir view vifm \
     vigr vim vimdiff vipe vipw visudo xdg-open xed xxdiff zless zmore",
    // Networks and other machines.
    "\
     ansible aria2c autossh aws axel az borg curl curlie dumpcap exim exim4 fetchmail \
     formail ftp gcloud gh glab gnutls-cli gsutil helm heroku http httpie https hub ip \
     kubectl lftp links lp-request lwp-request lynx mail maildrop mailx minikube msmtp nc \
     ncat netcat nmap oc openssl packer procmail rclone rcp rdist restic rlogin rmt rsh \
     rsync s3cmd scp sendmail sftp socat ss ssh sshfs stunnel swaks tc tcpdump telnet \
     terraform tftp tofu tshark unison vagrant w3m wget wget2 wireshark xh youtube-dl \
     yt-dlp",
    // Machines, containers, services and kernels.
    "\
     buildah busctl crictl crun ctr docker dockerd gdbus incus insmod ip6tables-restore lxc \
     lxd modprobe mount nerdctl nft podman qemu rmmod runc skopeo systemctl \
     update-alternatives updatedb virsh virt-install",
    // Databases.
    "\
     clickhouse cqlsh duckdb influx mongo mongosh psql redis-cli sqlite sqlplus usql",
    // Debuggers.
    "\
     cgdb gdb gdbserver gdbtui lldb",
    // Archives, and documents made of others.
    "\
     7z 7za 7zr 7zz age arj bibtex brotli bsdcpio bsdtar cab cabextract ci co convert cpio \
     cscope csplit ctags dd diff3 dot dvips etags ffmpeg fop ghostscript gpg gpg-agent \
     gpg-connect-agent gpg2 gpgsm groff gs gtags gtar identify install latex latexmk lha \
     lualatex lz4 magick merge mogrify neato nroff pandoc pass patch pax pdflatex pdftex \
     perl-rename prename ps2pdf rar rcs rename sdiff sox split sponge star tar tee tex \
     troff typst unar unrar unzip wdiff xelatex xmllint xmlstarlet xsltproc zip zstd zstdmt",
    // Other systems that keep versions; `git` is judged by itself.
    "\
     bzr cvs darcs fossil hg jj svn",
];

/// Families of which only the beginning of the name is certain: `python3.13`, `ssh-agent`,
/// `x86_64-linux-gnu-gcc-14`, `ld-linux-x86-64.so.2`.
const RUNNER_PREFIXES: &[&str] = &[
    "python",
    "pypy",
    "ipython",
    "jupyter",
    "perl5",
    "ruby2",
    "ruby3",
    "lua5",
    "php7",
    "php8",
    "guile-",
    "tclsh8",
    "tclsh9",
    "ld-",
    "ld.so",
    "ld64.",
    "gcc-",
    "g++-",
    "cpp-",
    "clang",
    "llvm-",
    "x86_64-",
    "aarch64-",
    "i686-",
    "arm-",
    "armv7",
    "riscv64-",
    "git-",
    "hg-",
    "ssh-",
    "apt-",
    "cargo-",
    "docker-",
    "podman-",
    "systemd-",
    "qemu-",
    "lxc-",
    "s6-",
    "virt-",
    "dbus-",
    "gdb-",
    "vim.",
    "vim-",
    "emacs-",
    "nc.",
    "pip3",
    "pip-",
    "ansible-",
    "mysql",
    "mariadb",
    "pg_",
    "npm-",
    "node-",
    "conda-",
    "gpg-",
    "rpm",
    "xfce4-terminal",
    "gnome-terminal",
    "kubectl-",
];

/// One file under many names: what its own name is says nothing.
const MANY_NAMES: &str = "busybox toybox coreutils";

/// Programs that neither run nor write anything, whatever their arguments are.
const READERS: &str = "\
    : [ basename cat cksum cmp comm cut df dirname du echo expand expr false fold grep egrep \
    fgrep head id join ls md5sum nl nproc od paste printenv pwd readlink realpath rev seq \
    sha1sum sha256sum sha512sum sleep stat strings tac tail tr true uname wc";

/// Programs that only read and print where [`refusal`] finds nothing in their arguments.
const PRINTERS: &str = "\
    ag column date diff fd fdfind file find fmt hexdump iconv jq rg sed shuf sort tree uniq xxd";

/// Builtins after which commands may run in another directory.
const MOVERS: &str = ". builtin cd eval popd pushd source trap";

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
    options(
        "journalctl",
        "",
        "--vacuum-size --vacuum-time --vacuum-files --rotate --flush --cursor-file --sync --setup-keys",
    ),
    options("ag", "", "--pager"),
    options("ack", "", "--pager --ackrc --output"),
    options("lsof", "D", ""),
    options("dmesg", "cCDEn", "--clear --read-clear --console-level --console-off --console-on"),
    options("pv", "oX", "--output --store-and-forward"),
];

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
        || matches!(name, "git" | "sed")
        || OPTIONS.iter().any(|options| options.program == name);
    let names_a_list = |word: &Word| word.text.starts_with("--files0-from");
    is_known
        && refusal(command).is_none()
        && !command.words[1..].iter().any(|word| follows(word) || names_a_list(word))
}

/// Whether a program runs or writes what its arguments say. Its own name may be another than the one
/// it is called by (`cc` is `gcc-14`), but for the files that are many programs in one.
pub fn is_runner(name: &str) -> bool {
    RUNNERS.iter().any(|names| has(names, name))
        || RUNNER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a file's own name says what it does.
pub fn is_one_program(name: &str) -> bool {
    !has(MANY_NAMES, name)
}

/// Whether it is certain that a command only reads and prints, in whatever directory it runs: it
/// leaves files and their names as they are.
pub fn only_prints(command: &Unwrapped) -> bool {
    let Some(program) = command.words.first().filter(|word| word.fixed) else { return false };
    // With a directory it may be a program of the workspace that only has the name.
    let name = program.text.as_str();
    if has(READERS, name) {
        return special(name, &command.words[1..]).is_none();
    }
    has(PRINTERS, name) && refusal(command).is_none()
}

/// The same of `git`, which also reads the repository it is called in.
pub fn only_reads_repository(command: &Unwrapped) -> bool {
    let [program, arguments @ ..] = command.words.as_slice() else { return false };
    program.fixed && program.text == "git" && !command.more && git::only_reads(arguments)
}

/// Whether a builtin may make the commands after it run in another directory.
pub fn moves(name: &str) -> bool {
    has(MOVERS, name)
}

/// Why a pattern with a wildcard does not cover a command, if it does not.
pub fn refusal(command: &Unwrapped) -> Option<String> {
    let program = command.words.first()?;
    if !program.fixed {
        return Some("the program is not named in plain letters".to_owned());
    }
    let name = base(&program.text);
    if is_runner(name) {
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
        "git" => git::refusal(arguments),
        "sed" => sed::refusal(arguments),
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
