//! What may be stored, and what is refused in words.

use super::MAX_CONTENT;
use super::NewItem;
use super::Record;

fn refused(new: NewItem) -> String {
    match Record::of(new) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn names_are_trimmed_and_tags_kept_once() {
    let record = Record::of(NewItem {
        category: Some(" ops ".to_owned()),
        tags: vec!["b".to_owned(), "a ".to_owned(), "b".to_owned()],
        ..NewItem::new("x")
    });
    let record = record.unwrap();
    assert_eq!(record.category, "ops");
    assert_eq!(record.tags, ["b", "a"]);
}

#[test]
fn what_must_not_be_stored_is_said() {
    assert_eq!(refused(NewItem::new(" \n")), "an item needs content");
    assert_eq!(refused(NewItem::new("a\0b")), "content must not contain a NUL character");
    let long = refused(NewItem::new("x".repeat(MAX_CONTENT + 1)));
    assert_eq!(long, "content has 1048577 bytes, at most 1048576 are kept");
    let with_tags = |tags: Vec<String>| refused(NewItem { tags, ..NewItem::new("x") });
    assert_eq!(with_tags(vec![String::new()]), "tag must not be empty");
    assert_eq!(with_tags(vec!["a\nb".to_owned()]), "tag must not contain control characters");
    let many = (0..65).map(|number| number.to_string()).collect();
    assert_eq!(with_tags(many), "65 tags, at most 64 are kept");
    let category = Some("y".repeat(201));
    let long = refused(NewItem { category, ..NewItem::new("x") });
    assert_eq!(long, "category has more than 200 characters");
    for confidence in [-0.1, 1.1, f64::NAN] {
        let new = NewItem { confidence: Some(confidence), ..NewItem::new("x") };
        assert!(refused(new).starts_with("confidence must be between 0 and 1"));
    }
}

#[test]
fn ids_grow_with_time() {
    let ids: Vec<String> = (0..1_000).map(|_| Record::of(NewItem::new("x")).unwrap().id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
}
