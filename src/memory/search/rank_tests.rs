//! What is found, in which order, and that filters never cost a hit.

use super::search;
use crate::memory::NewItem;
use crate::memory::Query;
use crate::memory::database::store::Store;
use crate::memory::items::item;
use crate::memory::items::item::Record;

struct Memory(Store);

impl Memory {
    fn new(items: Vec<NewItem>) -> Self {
        let mut store = Store::new("/nowhere".as_ref(), true);
        let records: Vec<Record> = items
            .into_iter()
            .enumerate()
            .map(|(number, new)| {
                let mut record = Record::of(new).unwrap();
                record.updated_at = i64::try_from(number).unwrap();
                record
            })
            .collect();
        let insert = store.write(|transaction| {
            records.iter().try_for_each(|record| item::insert(transaction, record))
        });
        insert.unwrap();
        Self(store)
    }

    fn of(texts: &[&str]) -> Self {
        Self::new(texts.iter().map(|text| NewItem::new(*text)).collect())
    }

    fn ask(&mut self, query: &Query) -> Vec<String> {
        let hits = self.0.read(|connection| search(connection, query)).unwrap().unwrap();
        assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
        hits.into_iter().map(|hit| hit.item.content).collect()
    }

    fn find(&mut self, text: &str) -> Vec<String> {
        self.ask(&Query { text: text.to_owned(), limit: 10, ..Query::default() })
    }
}

fn item(content: &str, category: &str, tags: &[&str]) -> NewItem {
    NewItem {
        category: Some(category.to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..NewItem::new(content)
    }
}

#[test]
fn better_fits_come_first() {
    let mut memory = Memory::of(&["red apple", "red pear and a red plum", "green apple"]);
    assert_eq!(memory.find("apple red")[0], "red apple");
    assert_eq!(memory.find("apple red").len(), 3);
    assert_eq!(memory.find("\"green apple\""), ["green apple"]);
    assert!(memory.find("banana").is_empty());
    assert!(memory.find("").is_empty());
}

#[test]
fn of_equals_the_newest_comes_first() {
    let mut memory = Memory::new(vec![
        item("deploy on friday", "a", &[]),
        item("deploy on friday", "b", &[]),
        item("deploy on friday", "c", &[]),
    ]);
    let query = Query { text: "deploy".to_owned(), limit: 3, ..Query::default() };
    let hits = memory.0.read(|connection| search(connection, &query)).unwrap().unwrap();
    let categories: Vec<&str> = hits.iter().map(|hit| hit.item.category.as_str()).collect();
    assert_eq!(categories, ["c", "b", "a"]);
}

#[test]
fn names_are_exact_and_filters_come_before_the_limit() {
    let mut items: Vec<NewItem> =
        (0..200).map(|_| item("release notes", "foobar", &["work-old"])).collect();
    items.insert(0, item("notes of a release long ago", "foo", &["work", "old"]));
    let mut memory = Memory::new(items);
    let query = |category: Option<&str>, tags: &[&str]| Query {
        text: "release notes".to_owned(),
        limit: 2,
        category: category.map(str::to_owned),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    assert_eq!(memory.ask(&query(Some("foo"), &[])), ["notes of a release long ago"]);
    assert_eq!(memory.ask(&query(None, &["work", "old"])), ["notes of a release long ago"]);
    assert!(memory.ask(&query(Some("fo"), &[])).is_empty());
    assert!(memory.ask(&query(Some("foo%"), &[])).is_empty());
    assert!(memory.ask(&query(None, &["wor"])).is_empty());
    assert_eq!(memory.ask(&query(Some("foobar"), &[])).len(), 2);
}

#[test]
fn words_that_are_everywhere_do_not_drown_the_rare_one() {
    let mut texts: Vec<String> = (0..1_500).map(|number| format!("the note {number}")).collect();
    texts[700] = "the quokka".to_owned();
    let mut memory = Memory::new(texts.into_iter().map(NewItem::new).collect());
    assert_eq!(memory.find("the quokka"), ["the quokka"]);
    assert_eq!(memory.find("the").len(), 10);
    assert_eq!(memory.find("the note").len(), 10);
}

#[test]
fn beginnings_of_words_are_the_second_try() {
    let mut memory = Memory::of(&["configuration of the proxy", "a confident person"]);
    assert_eq!(memory.find("config"), ["configuration of the proxy"]);
    assert!(memory.find("co").is_empty());
}

#[test]
fn accents_case_and_punctuation_do_not_matter() {
    let mut memory = Memory::of(&["the café opens at 8", "see src/foo_bar.rs:12", "Größe: XL"]);
    assert_eq!(memory.find("CAFE"), ["the café opens at 8"]);
    assert_eq!(memory.find("foo_bar.rs"), ["see src/foo_bar.rs:12"]);
    assert_eq!(memory.find("(grosse) größe?"), ["Größe: XL"]);
}

#[test]
fn scripts_without_spaces_are_searched_by_part() {
    let mut memory = Memory::of(&["東京都庁の電話", "京都の寺", "GPT東京モデル", "서울특별시"]);
    assert_eq!(memory.find("京都の"), ["京都の寺"]);
    assert_eq!(memory.find("電話"), ["東京都庁の電話"]);
    assert_eq!(memory.find("寺"), ["京都の寺"]);
    assert_eq!(memory.find("gpt"), ["GPT東京モデル"]);
    assert_eq!(memory.find("특별"), ["서울특별시"]);
    assert!(memory.find("都京").is_empty());
}
