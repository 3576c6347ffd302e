//! Commands that a shell would only become are run without it, and nobody can tell.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use serde_json::json;

use super::tool;
use crate::support::TestContext;
use crate::support::lacking;

/// What can be seen of a command from outside.
fn seen(context: &TestContext, command: &str) -> Value {
    let (_, value) = tool(context, "shell", &json!({ "command": command }));
    let data = &value["data"];
    let mut lines: Vec<&str> = data["stdout"].as_str().unwrap().lines().collect();
    // bash names the program in the first, which is the only difference; the second is each call's own.
    lines.retain(|line| !line.starts_with("_=") && !line.starts_with("TMPDIR="));
    // The order of variables is nobody's.
    lines.sort_unstable();
    json!([lines, data["stderr"], data["exit_code"], data["signal"]])
}

#[test]
fn a_program_sees_and_says_the_same_with_a_shell_and_without() {
    if !std::path::Path::new("/bin/bash").exists() {
        return lacking("bash", "commands with a shell and without");
    }
    let context = TestContext::new();
    let file = |name: &str, text: &str, mode: u32| {
        let path = context.work().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    file("tell", "#!/bin/sh\necho \"$#\" \"$0\" \"$@\"\nexit 3\n", 0o755);
    file("text", "echo \"text $1\"\n", 0o755);
    file("lost", "#!/no/such/interpreter\n", 0o755);
    file("plain", "echo never\n", 0o644);
    file("ended", "#!/bin/sh\nkill -9 $$\n", 0o755);
    for (program, rest) in [
        ("env", ""),
        ("pwd", ""),
        ("/bin/pwd", ""),
        ("echo", " tool 3  and"),
        ("./tell", " a --b=c d,e"),
        ("./text", " a"),
        ("./lost", ""),
        ("./plain", ""),
        ("./ended", ""),
        ("./none", ""),
        ("no-such-program", " a"),
        ("/", ""),
        ("cat", " none"),
        ("ls", " -la none"),
    ] {
        let without = seen(&context, &format!("{program}{rest}"));
        // Quotes are for a shell.
        assert_eq!(without, seen(&context, &format!("'{program}'{rest}")), "{program}");
    }
    for command in ["./tell a\n", "./tell a\n\n"] {
        assert_eq!(seen(&context, command), seen(&context, &command.replace("./", "'.'/")));
    }
    // Two lines: bash stays, and says how its child ended.
    assert_eq!(seen(&context, "./ended\n\n")[2], 137);
    assert_eq!(seen(&context, "./tell a b"), json!([["2 ./tell a b"], "", 3, null]));
}
