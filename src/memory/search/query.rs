//! What a person or a model asks for, as a full-text expression that cannot go wrong.
//!
//! Every word of the text is quoted, so that no operator, column name or bracket of the index's
//! language is ever reached from outside: any text is a valid query. Pure; the index decides what a
//! word of a phrase is.

use super::grams;
use super::grams::Run;

/// More words than this add time and no meaning.
const MAX_TERMS: usize = 32;

/// Characters of one term.
const MAX_TERM: usize = 200;

/// What is searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Words, in any order; a part in double quotes is one phrase.
    pub text: String,
    /// At most so many hits.
    pub limit: usize,
    /// Exactly this category.
    pub category: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
}

/// One word or phrase to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word or phrase in any column.
    Words(String),
    /// Pairs of characters that follow each other, in the column of pairs.
    Pairs(Vec<String>),
}

impl Term {
    /// The term in the index's language.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Words(text) => quoted(text),
            Self::Pairs(pairs) => match &pairs[..] {
                [one] if one.chars().count() == 1 => format!("{{grams}} : {} *", quoted(one)),
                pairs => format!("{{grams}} : {}", quoted(&pairs.join(" "))),
            },
        }
    }

    /// The term as the beginning of a word; `None` where that means nothing.
    pub(super) fn as_prefix(&self) -> Option<String> {
        match self {
            Self::Words(text) if text.chars().count() >= 3 => Some(format!("{} *", quoted(text))),
            _ => None,
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The terms of a text, each once, in order.
pub(super) fn terms(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    // Every second part stands between double quotes.
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            add_words(&mut terms, part);
        } else {
            part.split_whitespace().for_each(|word| add_words(&mut terms, word));
        }
    }
    terms.truncate(MAX_TERMS);
    terms
}

/// Adds a word or phrase, taken apart where its script changes.
fn add_words(terms: &mut Vec<Term>, text: &str) {
    let text: String = text.chars().filter(|character| *character != '\0').take(MAX_TERM).collect();
    if !text.chars().any(char::is_alphanumeric) {
        return;
    }
    let found = if text.chars().any(grams::is_dense) {
        grams::runs(&text).iter().map(term_of_run).collect()
    } else {
        vec![Term::Words(text)]
    };
    for term in found {
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
}

fn term_of_run(run: &Run<'_>) -> Term {
    match run {
        Run::Spaced(text) => Term::Words((*text).to_owned()),
        Run::Dense(text) => {
            Term::Pairs(grams::pairs(text).into_iter().map(str::to_owned).collect())
        }
    }
}

/// Any of the expressions.
pub(super) fn any_of(expressions: &[String]) -> String {
    expressions.join(" OR ")
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
