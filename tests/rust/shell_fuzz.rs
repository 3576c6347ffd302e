//! Commands made up at random for `judges::shell`: whatever allow rules cover is run by a real bash, and
//! nothing but what was allowed may have run.
//!
//! Bounded by default. `AGI_FUZZ_SECONDS=600` runs for so long, with seeds of its own
//! (`AGI_FUZZ_SEED=N` repeats one), and prints the counts.

use std::time::Duration;
use std::time::Instant;

use agi_agent::agent::approval::covering::Surroundings;
use agi_agent::agent::approval::covering::cover;

use crate::judges::shell::PATTERNS;
use crate::judges::shell::World;
use crate::judges::shell::is_allowed;

/// Commands of a bounded run that are given to bash.
const RUNS: u32 = 250;

/// Texts of a bounded run that are only judged.
const TEXTS: u32 = 40_000;

/// A small generator of numbers: the same seed gives the same commands.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// Writes commands that are mostly allowed and mostly well formed.
fn list(dice: &mut Dice, depth: usize) -> String {
    let mut text = command(dice, depth);
    for _ in 0..dice.roll(3) {
        let joint =
            dice.pick(&["; ", " && ", " || ", " | ", "\n", " & ", ";", "|&", "&&\n", " # c\n"]);
        text = format!("{text}{joint}{}", command(dice, depth));
    }
    text
}

fn command(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return simple(dice, depth);
    }
    let inner = |dice: &mut Dice| list(dice, depth - 1);
    match dice.roll(16) {
        0 => format!("({})", inner(dice)),
        1 => format!("{{ {}; }}", inner(dice)),
        2 => format!("if {}; then {}; else {}; fi", inner(dice), inner(dice), inner(dice)),
        3 => format!("for v in {} {}; do {}; done", word(dice, 0), word(dice, depth), inner(dice)),
        4 => format!("until echo; do {}; done", inner(dice)),
        5 => format!("case {} in a|x) {};; *) {};; esac", word(dice, 0), inner(dice), inner(dice)),
        6 => format!("! {}", command(dice, depth - 1)),
        7 => format!("time {}", command(dice, depth - 1)),
        8 => format!("v={}", word(dice, depth)),
        9 => format!("alpha <<E\n{}\n{}\nE\n", word(dice, depth), inner(dice)),
        10 => format!("alpha <<'E'\n{}\nE\n{}", inner(dice), simple(dice, depth - 1)),
        11 => format!("{} >/dev/null", inner(dice)),
        _ => simple(dice, depth),
    }
}

fn simple(dice: &mut Dice, depth: usize) -> String {
    let program = match dice.roll(24) {
        0 => dice.pick(&["evil", "rogue x", "git log", "rm x", "./evil", "$v", "$(echo evil)"]),
        1 => dice.pick(&[
            "cd /",
            "eval evil",
            "exec evil",
            ". evil",
            "trap evil EXIT",
            "alias a=evil",
        ]),
        2 => dice.pick(&["timeout 5 alpha", "nice -n 1 alpha x", "env alpha", "nohup alpha"]),
        3 => dice.pick(&[
            "xargs alpha",
            "timeout 5 evil",
            "env v=1 alpha",
            "find . -exec alpha {} +",
        ]),
        4 => dice.pick(&["\"alpha\"", "al'pha'", "\\alpha", "beta 'one'", "$'alpha'"]),
        5..=11 => "beta one",
        12..=14 => "echo",
        _ => "alpha",
    };
    let mut text = program.to_owned();
    for _ in 0..dice.roll(4) {
        text = format!("{text} {}", word(dice, depth));
    }
    text
}

fn word(dice: &mut Dice, depth: usize) -> String {
    let plain = [
        "x",
        "evil",
        "'a b'",
        "\"q; evil\"",
        "'; evil;'",
        "$v",
        "${v}",
        "\"$v\"",
        "a*",
        "{a,b}",
        "~/x",
        "\\;",
        "\\evil",
        "#x",
        "a#b",
        "$'\\n'",
        "$((1+2))",
        "2>&1",
        ">/dev/null",
        "</dev/null",
        "<<<x",
        "-x",
        "--",
        "[",
        "!",
        "}",
        "in",
        "do",
        "$",
        "\"\\\"evil\"",
        "''",
        "=",
        "v=evil",
        "&>/dev/null",
        "\\\n",
        "${v:-evil}",
        "\"`echo x`\"",
        "%",
        "^",
        "@",
        "$$",
        "$?",
        "\"$@\"",
        "2>/dev/null",
    ];
    if depth == 0 || dice.roll(3) > 0 {
        return dice.pick(&plain).to_owned();
    }
    let inner = list(dice, depth - 1);
    match dice.roll(7) {
        0 => format!("$({inner})"),
        1 => format!("\"$({inner})\""),
        2 => format!("`{}`", inner.replace(['`', '\\'], "")),
        3 => format!("<({inner})"),
        4 => format!("x\"y $( {inner} )z\""),
        5 => format!("'{}'", inner.replace('\'', "")),
        _ => format!("\"./$({inner})\""),
    }
}

/// Breaks a text in one place, as an attacker would try to.
fn mutate(dice: &mut Dice, text: &str) -> String {
    const PIECES: [&str; 46] = [
        ";", "&", "|", "\n", "evil", " evil ", ";evil", "\nevil\n", "(", ")", "{", "}", "$", "`",
        "'", "\"", "\\", "#", "<", ">", "!", "=", "\t", " ", "<<E\n", "E\n", "\nE\n", "$(", "${",
        "$((", "))", "[[", "]]", "*", "~", "-", "in ", "do ", "done ", "then ", "fi ", "esac ",
        ";;", "&&", "\\\n", "<(",
    ];
    let mut letters: Vec<char> = text.chars().collect();
    let at = dice.roll(letters.len() + 1);
    match dice.roll(4) {
        0 if !letters.is_empty() => {
            letters.remove(at.min(letters.len() - 1));
        }
        1 if letters.len() > 2 => {
            let from = dice.roll(letters.len());
            let piece: Vec<char> = letters[from..letters.len().min(from + 6)].to_vec();
            letters.splice(at..at, piece);
        }
        2 if letters.len() > 2 => {
            let (one, other) = (dice.roll(letters.len()), dice.roll(letters.len()));
            letters.swap(one, other);
        }
        _ => {
            letters.splice(at..at, dice.pick(&PIECES).chars());
        }
    }
    letters.into_iter().collect()
}

#[test]
fn no_covered_command_runs_what_no_rule_allows() {
    let world = World::new();
    let places = world.places();
    let patterns: Vec<(&str, &str)> = PATTERNS.iter().map(|pattern| (*pattern, *pattern)).collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("AGI_FUZZ_SECONDS");
    let seed = number("AGI_FUZZ_SEED").unwrap_or_else(|| match seconds {
        Some(_) => u64::from(std::process::id()) << 20 | 1,
        None => 0x5eed,
    });
    let mut dice = Dice(seed.max(1));
    let started = Instant::now();
    let (mut texts, mut covered, mut programs, mut idle) = (0_u64, 0_u32, 0_usize, 0_u32);
    loop {
        let done = match seconds {
            Some(seconds) => started.elapsed() >= Duration::from_secs(seconds),
            None => covered >= RUNS || texts >= u64::from(TEXTS),
        };
        if done {
            break;
        }
        texts += 1;
        let depth = dice.roll(4);
        let mut command = list(&mut dice, depth);
        for _ in 0..dice.roll(3) {
            command = mutate(&mut dice, &command);
        }
        let surroundings =
            Surroundings { places: &places, is_elsewhere: false, may_write: &|_| false };
        if cover(&patterns, &command, &surroundings).is_err() {
            continue;
        }
        covered += 1;
        let (ran, written) = world.trace(&command);
        let wrong: Vec<&String> = ran.iter().filter(|ran| !is_allowed(ran)).collect();
        assert!(wrong.is_empty(), "seed {seed}: {command:?} ran {wrong:?}");
        assert!(written.is_empty(), "seed {seed}: {command:?} wrote {written:?}");
        programs += ran.len();
        idle += u32::from(ran.is_empty());
    }
    println!(
        "seed {seed}: {texts} texts, {covered} covered and run, {programs} programs ran, \
         {idle} ran nothing, no contradiction, {:?}",
        started.elapsed()
    );
    assert!(covered >= RUNS.min(100), "only {covered} of {texts} texts are covered");
    assert!(programs > usize::try_from(covered / 2).unwrap(), "the recorders record too little");
}

/// The test itself: bash in this world does run what is not allowed, and it is seen.
#[test]
fn the_recorders_see_what_runs() {
    let world = World::new();
    let (ran, written) = world.trace("alpha x | evil; timeout 5 rogue y >made");
    for expected in ["alpha other", "rogue other", "evil other"] {
        assert!(ran.iter().any(|ran| ran == expected), "{ran:?}");
    }
    assert_eq!(written, [world.work().join("made")]);
}

#[test]
fn no_text_is_too_odd_to_be_judged() {
    let world = World::new();
    let places = world.places();
    let mut dice = Dice(77);
    let mut text = "alpha x".to_owned();
    for round in 0..20_000 {
        text = if round % 40 == 0 { list(&mut dice, 4) } else { mutate(&mut dice, &text) };
        if dice.roll(50) == 0 {
            text.extend(['\u{0}', '\u{202e}', 'Ä', '\u{1f642}']);
        }
        // Any answer will do, as long as there is one.
        let surroundings =
            Surroundings { places: &places, is_elsewhere: false, may_write: &|_| true };
        drop(cover(&[("alpha *", "")], &text, &surroundings));
    }
}
