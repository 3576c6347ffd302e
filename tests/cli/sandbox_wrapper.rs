//! `agi-agent sandbox -- CMD` in the place of CMD: what goes in and what comes out are the same bytes.

use std::io::Read as _;
use std::io::Write as _;
use std::process::Output;
use std::process::Stdio;

use crate::support::TestContext;
use crate::support::code;
use crate::support::terminal::Terminal;

/// The binary's output as bytes, which `TestContext::run` makes text of.
fn output(context: &TestContext, arguments: &[&str]) -> Output {
    context.command(arguments).output().unwrap()
}

#[test]
fn standard_input_reaches_the_command() {
    let context = TestContext::new();
    // A file: by a pipe of ours.
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    context.write("input", &bytes);
    let mut command = context.command(["sandbox", "--", "cat"]);
    command.stdin(std::fs::File::open(context.work().join("input")).unwrap());
    let finished = command.output().unwrap();
    assert!(finished.status.success() && finished.stdout == bytes, "{:?}", finished.stderr);
    // A pipe: as it is, and what the command leaves is there for whoever comes next.
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"hello\nrest").unwrap();
    drop(writer);
    for level in ["read-only", "danger-full-access"] {
        let one = ["sandbox", "--level", level, "--", "head", "-c", "1"];
        let mut command = context.command(one);
        command.stdin(reader.try_clone().unwrap());
        assert_eq!(command.output().unwrap().stdout.len(), 1);
    }
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "llo\nrest");
    // Nobody waits for an input that the command does not read.
    let (reader, _held) = std::io::pipe().unwrap();
    let mut command = context.command(["sandbox", "--", "echo", "done"]);
    assert_eq!(command.stdin(reader).output().unwrap().stdout, b"done\n");
}

/// A descriptor of a file that is open for writing would be a way around the bounds.
#[test]
fn no_descriptor_but_a_pipe_is_handed_on() {
    let context = TestContext::new();
    context.write("file", "text");
    let open = || std::fs::File::options().read(true).write(true).open(context.work().join("file"));
    let script = "test -p /dev/stdin && echo pipe; chmod 777 /dev/stdin 2>/dev/null; \
                  echo x 2>/dev/null >&0 || echo closed; cat";
    let mut command = context.command(["sandbox", "--", "sh", "-c", script]);
    let finished = command.stdin(open().unwrap()).output().unwrap();
    assert_eq!(finished.stdout, b"pipe\nclosed\ntext");
    assert_eq!(std::fs::read(context.work().join("file")).unwrap(), b"text");
}

#[test]
fn both_streams_come_out_as_they_are() {
    let context = TestContext::new();
    let script = r"printf '\033[2Kerror: linking failed\nsecond line with m\nthird\377\200\n' >&2; printf '\033]0;t\007\000\377'";
    let finished = output(&context, &["sandbox", "--", "sh", "-c", script]);
    assert_eq!(finished.stdout, b"\x1b]0;t\x07\0\xff");
    assert_eq!(
        finished.stderr,
        b"\x1b[2Kerror: linking failed\nsecond line with m\nthird\xff\x80\n"
    );
}

#[test]
fn on_a_terminal_a_command_controls_nothing_and_reads_nothing() {
    let context = TestContext::new();
    let script = r"cat; printf '\033[31mred\033[0m \033]0;title\007end\n'";
    let mut terminal = Terminal::start(&mut context.command(["sandbox", "--", "sh", "-c", script]));
    let seen = terminal.wait_for("end");
    assert!(seen.ends_with("\u{1b}[31mred\u{1b}[0m \\u{1b}]0;title\\u{7}end"), "{seen:?}");
    assert_eq!(terminal.end().0, 0);
}

/// What it asks is read before it is answered.
#[test]
fn output_comes_while_the_command_runs() {
    let context = TestContext::new();
    let script =
        "printf 'name? '; echo err >&2; read -r name; printf 'hello %s' \"$name\"; read -r last";
    let mut command = context.command(["sandbox", "--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut stderr = child.stderr.take().unwrap();
    let mut asked = [0; 6];
    stdout.read_exact(&mut asked).unwrap();
    let mut said = [0; 4];
    stderr.read_exact(&mut said).unwrap();
    assert_eq!((&asked, &said), (b"name? ", b"err\n"));
    stdin.write_all(b"you\n").unwrap();
    let mut greeted = [0; 9];
    stdout.read_exact(&mut greeted).unwrap();
    assert_eq!(&greeted, b"hello you");
    stdin.write_all(b"\n").unwrap();
    assert_eq!(code(child.wait().unwrap()), 0);
}

#[test]
fn on_a_terminal_it_is_live_too() {
    let context = TestContext::new();
    let script = "printf 'first\\033[3'; touch shown; while [ ! -e seen ]; do sleep 0.05; done; printf '1mlast'";
    let arguments = ["sandbox", "--level", "workspace-write", "--", "sh", "-c", script];
    let mut terminal = Terminal::start(&mut context.command(arguments));
    terminal.wait_for("first");
    context.write("seen", "");
    let seen = terminal.wait_for("last");
    assert!(seen.contains("\u{1b}[31mlast"), "a colour that came in two pieces: {seen:?}");
    assert_eq!(terminal.end().0, 0);
}

/// More than fits into any buffer, to a reader who takes his time, in little memory.
#[test]
#[cfg(target_os = "linux")]
fn nothing_is_lost_and_nothing_piles_up() {
    const LENGTH: usize = 300_000_000;
    const LINE: &[u8] = b"0123456789abcdef\n";
    let context = TestContext::new();
    let script = format!("yes 0123456789abcdef | head -c {LENGTH}; echo end >&2");
    let mut child = context.command(["sandbox", "--", "sh", "-c", &script]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let expected: Vec<u8> = LINE.iter().copied().cycle().take((1 << 16) + LINE.len()).collect();
    let (mut piece, mut total) = (vec![0; 1 << 16], 0);
    let mut most = 0;
    while let Ok(count @ 1..) = stdout.read(&mut piece) {
        let from = total % LINE.len();
        assert!(piece[..count] == expected[from..from + count], "within the {count} after {total}");
        if total < 1 << 20 || total > LENGTH / 2 && most == 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            most = peak_memory(child.id());
        }
        total += count;
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((total, said.as_str()), (LENGTH, "end\n"));
    assert_eq!(code(child.wait().unwrap()), 0);
    assert!((1..150_000).contains(&most), "{most} KiB");
}

/// KiB of memory that a process had at most.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// As a shell shows it of a command that wrote into the pipe itself.
#[test]
fn a_reader_that_goes_ends_the_command() {
    let context = TestContext::new();
    for redirect in ["", " >&2"] {
        let script = format!("while echo y{redirect}; do :; done");
        let mut child = context.command(["sandbox", "--", "sh", "-c", &script]).spawn().unwrap();
        let mut first = [0; 2];
        if redirect.is_empty() {
            child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        } else {
            child.stderr.take().unwrap().read_exact(&mut first).unwrap();
        }
        assert_eq!(&first, b"y\n");
        let finished = child.wait_with_output().unwrap();
        assert_eq!(code(finished.status), 128 + 13, "{redirect}");
        assert!(finished.stdout.is_empty() && finished.stderr.is_empty(), "{finished:?}");
    }
}

/// What the command does about it is its own affair, and so is its status.
#[test]
fn a_full_disk_is_no_broken_pipe() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let context = TestContext::new();
    let mut command = context.command(["sandbox", "--", "echo", "text"]);
    let finished = command.stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&finished.stderr).into_owned();
    assert_eq!(code(finished.status), 1, "{said}");
    assert!(said.contains("cannot write the result to standard output: No space left"), "{said}");
}

/// Its time is over while nobody reads what it prints.
#[test]
fn a_time_out_holds_while_nobody_reads() {
    let context = TestContext::new();
    let since = std::time::Instant::now();
    let arguments = ["sandbox", "--timeout", "2", "--", "cat", "/dev/zero"];
    let mut child = context.command(arguments).spawn().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(code(status), 124);
    assert!(since.elapsed() < std::time::Duration::from_secs(10), "{:?}", since.elapsed());
}

/// What a shell, `env` or `timeout` would end with.
#[test]
fn a_program_that_cannot_be_started_is_told_as_wrappers_do() {
    let context = TestContext::new();
    context.write("no-program", "text");
    let missing = context.run(["sandbox", "--", "no-such-program"]);
    assert_eq!(missing.code, 127, "{}", missing.stderr);
    assert!(missing.stderr.starts_with("error: `no-such-program` could not be started: "));
    let finished = context.command(["sandbox", "--", "./no-program"]).stdin(Stdio::null()).output();
    assert_eq!(finished.unwrap().status.code(), Some(126));
}
