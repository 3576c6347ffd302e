//! Arithmetic, and counts of lines, words, characters, files and matches.

use super::Workspace;

/// Line, word and character counts of these files, recomputed here.
fn counts(workspace: &Workspace, paths: &[String]) -> (usize, usize, usize) {
    let texts: Vec<String> = paths.iter().map(|path| workspace.text(path)).collect();
    let lines = texts.iter().map(|text| text.lines().count()).sum();
    let words = texts.iter().map(|text| text.split_whitespace().count()).sum();
    (lines, words, texts.iter().map(|text| text.chars().count()).sum())
}

#[test]
fn arithmetic() {
    let workspace = Workspace::new();
    for (task, answer) in [
        ("what is 15% of 80", "12"),
        ("2^10", "1024"),
        ("sum of 1, 2 and 3", "6"),
        ("12 times 7", "84"),
        ("What's 0.1 + 0.2?", "0.3"),
        ("25% off 80", "60"),
        ("square root of 144", "12"),
        ("(5 squared) ^ 2", "625"),
        ("what is 10 % 4", "2"),
        ("2^100", "1267650600228229401496703205376"),
    ] {
        assert_eq!(workspace.ask(task), answer, "{task}");
    }
}

#[test]
fn lines_words_and_characters_follow_the_tree() {
    let workspace = Workspace::new();
    for round in 0..2 {
        let (lines, words, chars) = counts(&workspace, &["README.md".to_owned()]);
        assert_eq!(workspace.ask("how many lines are in README.md"), lines.to_string());
        assert_eq!(workspace.ask("word count of README.md"), words.to_string());
        assert_eq!(workspace.ask("count the characters in 'README.md'"), chars.to_string());
        let rust = counts(&workspace, &workspace.ending(".", ".rs"));
        assert_eq!(workspace.ask("how many lines of Rust are there in src"), rust.0.to_string());
        let markdown = counts(&workspace, &workspace.ending(".", ".md"));
        assert_eq!(workspace.ask("count the words in all .md files"), markdown.1.to_string());
        if round == 0 {
            workspace.context.write("README.md", "# Other\n\nmore lines here\nand ∑ here\n");
            workspace.context.write("src/new.rs", "a\nb c\n");
            workspace.context.write("docs/new.md", "x y z\n");
        }
    }
}

#[test]
fn files_are_counted() {
    let workspace = Workspace::new();
    for round in 0..2 {
        let rust = workspace.ending("src", ".rs").len();
        assert_eq!(workspace.ask("how many Rust files are there"), rust.to_string());
        let all = workspace.files(".").len();
        assert_eq!(workspace.ask("how many files are here?"), all.to_string());
        let direct = rust - workspace.ending("src/deep", ".rs").len();
        assert_eq!(workspace.ask("how many src/*.rs are there"), direct.to_string());
        assert_eq!(workspace.ask("how many files are bigger than 1 MB"), "1");
        assert_eq!(workspace.ask("count the folders in src"), "1");
        if round == 0 {
            workspace.context.write("src/deep/more.rs", "");
            workspace.context.write("src/more.rs", "");
        }
    }
}

#[test]
fn matches_are_counted() {
    let workspace = Workspace::new();
    for round in 0..2 {
        let source: String =
            workspace.files("src").iter().map(|path| workspace.text(path)).collect();
        let often = source.matches("TODO").count();
        assert_eq!(workspace.ask("how often does TODO occur in src"), often.to_string());
        let lines = source.lines().filter(|line| line.contains("TODO")).count();
        assert_eq!(workspace.ask("how many lines contain 'TODO' in src"), lines.to_string());
        let files = workspace.files("src");
        let with = files.iter().filter(|path| workspace.text(path).contains("tokio")).count();
        assert_eq!(workspace.ask("how many files mention tokio in src"), with.to_string());
        if round == 0 {
            workspace.context.write("src/other.rs", "// TODO TODO TODO tokio\n// TODO\n");
        }
    }
}

#[test]
fn several_units_and_several_files() {
    let workspace = Workspace::new();
    let (lines, words, chars) = counts(&workspace, &["README.md".to_owned()]);
    let answer = workspace.ask("count lines, words and characters in README.md");
    assert_eq!(answer, format!("{lines} lines, {words} words, {chars} chars"));
    let answer = workspace.ask("how many lines are in README.md and Makefile");
    let total = lines + 2;
    assert_eq!(answer, format!("{lines} README.md\n2 Makefile\n{total} total"));
}

#[test]
fn standard_input_is_counted() {
    let workspace = Workspace::new();
    let arguments = ["run", "--stdin", "count the words"];
    let finished = workspace.context.run_with_input(arguments, b"one two\nthree\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "3\n"), "{}", finished.stderr);
}

#[test]
fn the_answer_as_json() {
    let workspace = Workspace::new();
    let schema = r#"{"type":"object","properties":{"count":{"type":"integer"}},"required":["count"],"additionalProperties":false}"#;
    let answer =
        workspace.ask_with(&["--output-schema", schema], "how many lines are in README.md");
    assert_eq!(answer.replace([' ', '\n'], ""), r#"{"count":3}"#);
}

#[test]
fn standard_input_is_counted_as_wc_does() {
    let context = Workspace::new().context;
    for (input, lines) in [("a\nb", "1\n"), ("a\nb\n", "2\n"), ("", "0\n"), ("\n", "1\n")] {
        let finished =
            context.run_with_input(["run", "--stdin", "count the lines"], input.as_bytes());
        assert_eq!(
            (finished.code, &*finished.stdout),
            (0, lines),
            "{input:?}: {}",
            finished.stderr
        );
        let noted = finished.stderr.contains("standard input is empty");
        assert_eq!(noted, input.trim().is_empty(), "{}", finished.stderr);
    }
    let finished = context.run_with_input(["run", "-"], "\u{feff}what is 1+1\n".as_bytes());
    assert_eq!((finished.code, &*finished.stdout), (0, "2\n"), "{}", finished.stderr);
    let review = context.run_with_input(["run", "--stdin", "review this change"], b"");
    assert_eq!((review.code, &*review.stdout), (57, ""), "{}", review.stderr);
}

/// The calculator's own notation is understood where it stands alone.
#[test]
fn expressions_of_the_calculator_alone() {
    let workspace = Workspace::new();
    for (task, answer) in [
        ("10/4", "2.5"),
        ("1/3", "0.333333333333333333333333333333"),
        ("1e3*2", "2000"),
        ("1e-3*2", "0.002"),
        ("log(100)", "2"),
        ("log(8, 2)", "3"),
        ("round(2.345, 2) + max(1, 2)", "4.35"),
        ("2*pi/pi", "2"),
    ] {
        assert_eq!(workspace.ask(task), answer, "{task}");
    }
    let finished = workspace.run(&[], "1/0");
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert!(finished.stdout.starts_with("cannot calculate `1 / 0`: "), "{}", finished.stdout);
    assert_eq!(workspace.run(&[], "top 0 largest files").code, 57);
}

/// A line ends with its line break: what `wc -l` counts is what is told, whoever asks.
#[cfg(unix)]
#[test]
fn lines_are_counted_as_wc_counts_them() {
    let workspace = Workspace::new();
    for text in ["a\nb\nc", "a\nb\nc\n", "a", "\n", "", "a\n\n\nb"] {
        workspace.context.write("last.txt", text);
        let wc =
            std::process::Command::new("wc").arg("-l").arg(workspace.path("last.txt")).output();
        let counted = String::from_utf8(wc.unwrap().stdout).unwrap();
        let counted = counted.split_whitespace().next().unwrap();
        assert_eq!(workspace.ask("how many lines are in last.txt"), counted, "{text:?}");
    }
    workspace.context.write("last.txt", "a\nb\nc");
    // The rest behind the last line break has a number to be shown by.
    assert_eq!(workspace.ask("line 3 of last.txt"), "c");
    assert_eq!(workspace.ask("lines 10-20 of last.txt"), "`last.txt` ends at line 3");
}
