//! Tests of editing: by example, and for generated files with a comment wherever one may stand.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const FILE: &str = "\
// mine
{
  // the model at work
  \"model\": {
    \"provider\": \"openai\", // since May
    \"name\": \"a\" /* small */
  },
  /* limits */
  \"limits\": { \"max_turns\": 5, },
}
";

#[test]
fn a_value_is_replaced_where_it_stands() {
    let text = set(FILE, &["model", "name"], &json!("b\"c")).unwrap();
    assert_eq!(text, FILE.replace("\"a\"", "\"b\\\"c\""));
}

#[test]
fn a_new_key_is_put_behind_the_others() {
    let text = set(FILE, &["limits", "timeout"], &json!("5m")).unwrap();
    let limits = "\"limits\": {\n    \"max_turns\": 5,\n    \"timeout\": \"5m\",\n  },";
    assert_eq!(text, FILE.replace("\"limits\": { \"max_turns\": 5, },", limits));
    let text = set(FILE, &["sandbox", "net"], &json!(["a", "b"])).unwrap();
    let sandbox = "5, },\n  \"sandbox\": {\n    \"net\": [\"a\", \"b\"]\n  },\n";
    assert_eq!(text, FILE.replace("5, },\n", sandbox));
}

#[test]
fn a_file_is_begun_where_there_is_none() {
    for (text, made) in [
        ("", "{\n  \"stdin\": \"auto\"\n}\n"),
        ("// only this\n", "// only this\n{\n  \"stdin\": \"auto\"\n}\n"),
        ("\u{feff}{}", "\u{feff}{\n  \"stdin\": \"auto\"\n}"),
        ("{\r\n}\r\n", "{\r\n  \"stdin\": \"auto\"\r\n}\r\n"),
    ] {
        assert_eq!(set(text, &["stdin"], &json!("auto")).unwrap(), made, "{text:?}");
    }
}

#[test]
fn a_key_goes_with_the_comment_on_its_line() {
    let text = unset(FILE, &["model", "provider"]).unwrap().unwrap();
    assert_eq!(text, FILE.replace("    \"provider\": \"openai\", // since May\n", ""));
    assert_eq!(unset(FILE, &["model", "nothing"]).unwrap(), None);
    assert_eq!(unset("", &["model"]).unwrap(), None);
    let text = unset(FILE, &["limits"]).unwrap().unwrap();
    assert!(text.contains("/* limits */"), "a comment above stays: {text}");
}

#[test]
fn a_key_is_renamed_in_its_place() {
    let text = rename(FILE, &["model", "name"], "names", Some("one")).unwrap();
    let names = "\"names\": { \"one\": \"a\" } /* small */";
    assert_eq!(text, FILE.replace("\"name\": \"a\" /* small */", names));
}

#[test]
fn comments_are_found_and_texts_that_look_like_them_are_not() {
    assert_eq!(comments("// a\n{\"x\": \"// b\" /* c */}"), ["// a", "/* c */"]);
}

#[test]
fn what_cannot_be_changed_is_left() {
    let cases: [(&str, &[&str]); 4] =
        [("{", &["a"]), ("[]", &["a"]), ("{\"a\": 3}", &["a", "b"]), ("3", &["a"])];
    for (text, key) in cases {
        assert!(set(text, key, &json!(1)).is_err(), "{text}");
    }
    assert_eq!(
        set("{\"a\": 3}", &["a", "b"], &json!(1)).unwrap_err().to_string(),
        "`a` holds something else in this file"
    );
}

/// An object of up to three levels, with a comment or none at every place where one may stand.
fn file() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("\"x // no comment\"".to_owned()),
        Just("[1, /* in a list */ 2]".to_owned()),
        Just("{}".to_owned()),
    ];
    let object = leaf.prop_recursive(3, 24, 4, |inner| {
        let member = (0..5_u8, inner, 0..4_u8, 0..4_u8);
        (prop::collection::vec(member, 0..4), any::<bool>(), 0..3_u8)
            .prop_map(|(members, trailing, layout)| object_text(&members, trailing, layout))
    });
    (object, 0..4_u8).prop_map(|(text, above)| format!("{}{text}\n", comment(above)))
}

fn comment(kind: u8) -> &'static str {
    match kind {
        1 => "// line\n",
        2 => "/* block */ ",
        3 => "\n",
        _ => "",
    }
}

fn object_text(members: &[(u8, String, u8, u8)], trailing: bool, layout: u8) -> String {
    let separator = ["\n", " ", ""][usize::from(layout)];
    let mut seen = std::collections::BTreeSet::new();
    let members: Vec<_> = members.iter().filter(|member| seen.insert(member.0)).collect();
    let mut text = format!("{{{separator}");
    for (place, (name, value, before, after)) in members.iter().enumerate() {
        let comma = if place + 1 < members.len() || trailing { "," } else { "" };
        let name = (b'a' + name) as char;
        let (before, after) = (comment(*before), comment(*after));
        text.extend([before, "\"", name.to_string().as_str(), "\": ", value, comma, " ", after]);
        text.push_str(separator);
    }
    text + "}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Every edit does exactly what it says and keeps the comments, or is refused; and a refusal is
    /// for a reason that a person would see.
    #[test]
    fn generated_files_are_edited_faithfully(
        text in file(),
        key in prop::collection::vec(0..5_u8, 1..4),
        number in 0..100_u32,
    ) {
        let names: Vec<String> = key.iter().map(|k| ((b'a' + k) as char).to_string()).collect();
        let key: Vec<&str> = names.iter().map(String::as_str).collect();
        let before = value_of(&text).unwrap();
        prop_assume!(before.is_object());
        match set(&text, &key, &json!(number)) {
            Ok(changed) => {
                let after = value_of(&changed).unwrap();
                prop_assert_eq!(at(&after, &key), Some(&json!(number)));
                prop_assert_eq!(set(&changed, &key, &json!(number)).unwrap(), changed);
            }
            Err(EditError::NotAnObject(_)) => {
                let blocked = (1..key.len()).any(|depth| {
                    at(&before, &key[..depth]).is_some_and(|value| !value.is_object())
                });
                prop_assert!(blocked);
            }
            Err(error) => prop_assert!(false, "{error}: {text}"),
        }
        if let Ok(Some(changed)) = unset(&text, &key) {
            let after = value_of(&changed).unwrap();
            prop_assert_eq!(at(&after, &key), None);
        }
        if at(&before, &key).is_some() {
            let renamed = rename(&text, &key, "z", Some("in")).unwrap();
            let moved = [&key[..key.len() - 1], &["z", "in"]].concat();
            let after = value_of(&renamed).unwrap();
            prop_assert_eq!(at(&after, &moved), at(&before, &key));
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "(?s).{0,60}") {
        drop(set(&text, &["a", "b"], &json!(1)));
        drop(unset(&text, &["a"]));
    }
}
