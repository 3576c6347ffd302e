//! Any text is a query, and none of it is ever an operator.

use proptest::prelude::*;
use rusqlite::Connection;

use super::Term;
use super::any_of;
use super::terms;

fn words(text: &str) -> Vec<Term> {
    terms(text)
}

fn plain(text: &str) -> Term {
    Term::Words(text.to_owned())
}

#[test]
fn words_and_phrases() {
    assert_eq!(words("red \"blue green\" red"), [plain("red"), plain("blue green")]);
    assert_eq!(words("an \"open end"), [plain("an"), plain("open end")]);
    assert_eq!(words("  \t\n "), []);
    assert_eq!(words("-- , ? \"\" ()"), []);
}

#[test]
fn operators_are_words() {
    let expression =
        any_of(&words("a AND NOT b*").iter().map(Term::expression).collect::<Vec<_>>());
    assert_eq!(expression, r#""a" OR "AND" OR "NOT" OR "b*""#);
}

#[test]
fn dense_script_becomes_pairs() {
    assert_eq!(
        words("GPT東京都"),
        [plain("GPT"), Term::Pairs(vec!["東京".to_owned(), "京都".to_owned()])]
    );
    assert_eq!(words("東京都")[0].expression(), r#"{grams} : "東京 京都""#);
    assert_eq!(words("東")[0].expression(), r#"{grams} : "東" *"#);
}

#[test]
fn a_flood_of_words_is_cut() {
    let flood: Vec<String> = (0..1_000).map(|number| format!("w{number}")).collect();
    assert_eq!(words(&flood.join(" ")).len(), 32);
    let long = "x".repeat(100_000);
    assert_eq!(words(&long)[0].expression().len(), 202);
}

thread_local! {
    static INDEX: Connection = {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE VIRTUAL TABLE words USING fts5 (content, category, tags, grams, \
                 tokenize = 'unicode61 remove_diacritics 2'); \
                 INSERT INTO words VALUES ('alpha beta', 'c', '[]', NULL)",
            )
            .unwrap();
        connection
    };
}

fn ask(expression: &str) -> Result<i64, rusqlite::Error> {
    INDEX.with(|connection| {
        connection.query_row(
            "SELECT count(*) FROM words WHERE words MATCH ?1",
            [expression],
            |row| row.get(0),
        )
    })
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[\"'*^(){}:+,.\\-]{1,6}",
        Just("NEAR(a b, 2)".to_owned()),
        Just("content:".to_owned()),
        Just(" AND ".to_owned()),
        Just(" OR ".to_owned()),
        Just(" NOT ".to_owned()),
        Just("\u{0}".to_owned()),
        Just("東京".to_owned()),
        Just("alpha".to_owned()),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_is_a_syntax_error(text in hostile()) {
        let terms = terms(&text);
        let expressions: Vec<String> = terms.iter().map(Term::expression).collect();
        let prefixes: Vec<String> = terms.iter().filter_map(Term::as_prefix).collect();
        for expressions in [expressions, prefixes] {
            if !expressions.is_empty() {
                let expression = any_of(&expressions);
                prop_assert!(ask(&expression).is_ok(), "{expression:?}");
            }
        }
    }

    #[test]
    fn a_word_is_found_whatever_stands_around_it(around in "[\"'*^(){}:+,.\\- ]{0,8}") {
        let text = format!("{around} alpha {around}");
        let terms: Vec<String> = terms(&text).iter().map(Term::expression).collect();
        prop_assert_eq!(ask(&any_of(&terms)).ok(), Some(1));
    }
}
