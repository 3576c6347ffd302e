//! `agi-agent sandbox -- CMD` in the place of CMD: what goes in and what comes out are the same bytes.

use std::io::Read as _;
use std::io::Write as _;
use std::process::Output;
use std::process::Stdio;

use crate::support::TestContext;
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

#[test]
fn a_cut_output_is_said_and_is_no_success() {
    let context = TestContext::new();
    let script = "head -c 70000000 /dev/zero";
    let finished = output(&context, &["sandbox", "--", "sh", "-c", script]);
    assert_eq!(finished.status.code(), Some(56));
    assert!(finished.stdout.len() == 64 << 20 && finished.stdout.iter().all(|byte| *byte == 0));
    let said = String::from_utf8(finished.stderr).unwrap();
    assert!(said.contains("2891136 of the 70000000 bytes"), "{said}");
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
