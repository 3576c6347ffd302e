//! The prompt of `agi-agent python` on a terminal.

use crate::support::TestContext;
use crate::support::terminal::Terminal;

const PROMPT: &str = ">>> ";

fn start(context: &TestContext) -> Terminal {
    let mut terminal = Terminal::start(&mut context.command(["python", "-q"]));
    terminal.wait_for(PROMPT);
    terminal
}

/// Types a line and gives what stands between it and the next prompt.
fn enter(terminal: &mut Terminal, line: &str) -> String {
    terminal.send(&format!("{line}\r"));
    terminal.wait_for("\r\n");
    terminal.wait_for(PROMPT)
}

#[test]
fn values_blocks_and_errors() {
    let context = TestContext::new();
    let mut terminal = start(&context);
    assert!(enter(&mut terminal, "6 * 7").contains("42"));
    assert!(enter(&mut terminal, "_ + 1").contains("43"));
    terminal.send("def twice(x):\r");
    terminal.wait_for("... ");
    terminal.send("    return 2 * x\r");
    terminal.wait_for("... ");
    enter(&mut terminal, "");
    assert!(enter(&mut terminal, "twice('é')").contains("'éé'"));
    assert!(enter(&mut terminal, "1 / 0").contains("ZeroDivisionError"));
    terminal.send("(\r");
    terminal.wait_for("... ");
    terminal.send("\x03");
    terminal.wait_for("KeyboardInterrupt");
    terminal.wait_for(PROMPT);
    terminal.send("exit(3)\r");
    assert_eq!(terminal.end().0, 3);
}

#[test]
fn interrupt_ends_the_line_or_the_computation_not_the_prompt() {
    let context = TestContext::new();
    let mut terminal = start(&context);
    terminal.send("half a line\x03");
    terminal.wait_for("KeyboardInterrupt");
    terminal.wait_for(PROMPT);
    // Never ends, and has begun when the word is there that stands in no echo.
    terminal.send("print('be' + 'gun') or [0 for _ in iter(int, 1)]\r");
    terminal.wait_for("begun");
    terminal.send("\x03");
    terminal.wait_for("KeyboardInterrupt");
    terminal.wait_for(PROMPT);
    assert!(enter(&mut terminal, "1 + 1").contains('2'));
    terminal.send("\x04");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn lines_are_edited_completed_and_remembered_by_the_next_session() {
    let context = TestContext::new();
    let mut terminal = start(&context);
    // Left, left, insert: 1 + 41 becomes 10 + 41.
    assert!(enter(&mut terminal, "1 + 41\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D0").contains("51"));
    terminal.send("\x1b[A\r");
    terminal.wait_for("51");
    terminal.wait_for(PROMPT);
    enter(&mut terminal, "zebra_stripes = 12");
    assert!(enter(&mut terminal, "zebra_st\t * 2").contains("24"));
    terminal.send("\x04");
    assert_eq!(terminal.end().0, 0);
    let history = context.data().join("python_history");
    assert!(std::fs::read_to_string(&history).unwrap().contains("zebra_stripes = 12"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(history.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut terminal = start(&context);
    terminal.send("\x1b[A\x1b[A\r");
    terminal.wait_for("zebra_stripes = 12");
    terminal.wait_for(PROMPT);
    assert!(enter(&mut terminal, "zebra_stripes").contains("12"));
}

#[test]
fn pasted_lines_are_all_taken_and_input_reads_the_terminal() {
    let context = TestContext::new();
    let mut terminal = start(&context);
    terminal.send("a = 20\rb = 3\rprint('sum', a + b)\r");
    terminal.wait_for("sum 23");
    terminal.wait_for(PROMPT);
    terminal.send("name = input('who? ')\r");
    terminal.wait_for("who? ");
    terminal.wait_for("who? ");
    terminal.send("ada\r");
    terminal.wait_for(PROMPT);
    assert!(enter(&mut terminal, "name.upper()").contains("'ADA'"));
}
