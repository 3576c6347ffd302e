//! What the grammar finds in a text. What it makes of hostile texts is in `covering_tests`.

use super::Redirection;
use super::parse;
use super::unwrap::unwrap;

/// The programs and arguments of a text, expansions as `…`.
fn commands(text: &str) -> Vec<String> {
    let script = parse(text).unwrap_or_else(|unclear| panic!("{text:?}: {unclear}"));
    let word = |word: &super::Word| {
        if word.fixed { word.text.clone() } else { format!("{}…", word.text) }
    };
    let command =
        |command: &super::Simple| command.words.iter().map(word).collect::<Vec<_>>().join("|");
    script.commands.iter().map(command).collect()
}

#[test]
fn words_are_read_as_bash_reads_them() {
    assert_eq!(commands(r#"a 'b c' "d e" f\ g h"i"'j' '' x=1"#), ["a|b c|d e|f g|hij||x=1"]);
    assert_eq!(commands(r#"a "\$b \x" $'c\n' $ "$""#), ["a|$b \\x|c\n|$|$"]);
    assert_eq!(commands("a $b ${c} \"$d\" *.rs ~/x {}"), ["a|…|…|…|.rs…|~/x…|{}"]);
    assert_eq!(commands("a#b c #d"), ["a#b|c"]);
}

#[test]
fn substitutions_come_before_the_command_that_holds_them() {
    assert_eq!(commands("a $(b; c `d`) | e <(f)"), ["b", "d", "c|…", "a|…", "f", "e|…"]);
    assert_eq!(commands("a \"x $(b \"$(c)\") y\""), ["c", "b|…", "a|x  y…"]);
    assert_eq!(commands("a <<E\n$(b) \\$(c) `d`\nE\ne"), ["a", "b", "d", "e"]);
    assert_eq!(commands("a <<'E'\n$(b)\nE"), ["a"]);
    assert_eq!(commands("$(a <<E\n)\nE\n)"), ["a", "…"]);
}

#[test]
fn compound_commands_are_read_through() {
    let text =
        "if a; then b; elif c; then d; else e; fi >f && while g; do h; done | (i; j) & { k; }";
    assert_eq!(commands(text), ["a", "b", "c", "d", "e", "g", "h", "i", "j", "k"]);
    let text = "for x in 1 2; do a; done; case y in (p|q) b;; r) c;; esac; until d\ndo e\ndone";
    assert_eq!(commands(text), ["a", "b", "c", "d", "e"]);
    assert_eq!(commands("! time a | b || ! c"), ["a", "b", "c"]);
    assert_eq!(commands("echo if then fi"), ["echo|if|then|fi"]);
}

#[test]
fn redirections_and_variables_are_kept() {
    let script = parse("x=1 a <b >c 2>>d &>e 2>&1; for y in 1; do f <<<g; done").unwrap();
    let found: Vec<String> = script
        .redirections
        .iter()
        .map(|redirection| match redirection {
            Redirection::Reads(word) => format!("<{}", word.text),
            Redirection::Writes(word) => format!(">{}", word.text),
        })
        .collect();
    assert_eq!(found, ["<b", ">c", ">d", ">e"]);
    assert_eq!(script.variables, ["x", "y"]);
}

#[test]
fn wrappers_come_off_one_by_one() {
    let inner = |text: &str| -> Vec<String> {
        let script = parse(text).unwrap();
        let found = script.commands.iter().flat_map(unwrap);
        found.map(|found| found.words[0].text.clone()).collect()
    };
    assert_eq!(inner("timeout -k 1 5 nice -n 5 env -i xargs -0 -n 1 rm"), ["rm"]);
    assert_eq!(inner("find . -exec nice rm {} \\; -o -ok ls +"), ["rm", "ls", "find"]);
    assert_eq!(inner("env -S x"), ["env"]);
    assert_eq!(inner("env A=1 rm"), ["env"]);
    assert_eq!(inner("nice $x rm"), ["nice"]);
}
