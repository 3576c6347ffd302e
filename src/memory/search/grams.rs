//! Words of scripts that write no spaces.
//!
//! The tokenizer of the full-text index takes a run of Han, kana or Hangul for one word, so that
//! 東京 would not be found in 東京都庁. Such runs are indexed as overlapping pairs of characters in a
//! column of their own, and asked for as a phrase of pairs, which is the same as a substring search.

/// A piece of a text between separators.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run<'a> {
    /// Characters of a script without spaces.
    Dense(&'a str),
    /// Any other letters and digits.
    Spaced(&'a str),
}

/// True for Han, kana and Hangul.
pub(super) fn is_dense(character: char) -> bool {
    matches!(character,
        '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30A1}'..='\u{30FA}'
        | '\u{30FC}'..='\u{30FF}'
        | '\u{31F0}'..='\u{31FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FF66}'..='\u{FF9D}'
        | '\u{20000}'..='\u{3134F}')
}

/// Splits at separators and at each change between dense and other script.
pub(super) fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut current: Option<bool> = None;
    for (at, character) in text.char_indices() {
        let kind = character.is_alphanumeric().then(|| is_dense(character));
        if kind != current {
            push(&mut runs, &text[start..at], current);
            start = at;
            current = kind;
        }
    }
    push(&mut runs, &text[start..], current);
    runs
}

fn push<'a>(runs: &mut Vec<Run<'a>>, text: &'a str, dense: Option<bool>) {
    match dense {
        Some(true) => runs.push(Run::Dense(text)),
        Some(false) => runs.push(Run::Spaced(text)),
        None => {}
    }
}

/// The overlapping pairs of a run; the run itself when it is one character.
pub(super) fn pairs(run: &str) -> Vec<&str> {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).collect();
    let end_of = |index: usize| starts.get(index).copied().unwrap_or(run.len());
    if starts.len() < 2 {
        return vec![run];
    }
    (0..starts.len() - 1).map(|index| &run[starts[index]..end_of(index + 2)]).collect()
}

/// What is stored in the column `grams`: `None` for a text without dense script.
///
/// The last character of each run is added alone, so that each character begins one word of the
/// column and no phrase of pairs reaches from one run into the next. Words that touch a dense run
/// are added too, since the tokenizer glues them to it.
pub(in crate::memory) fn column(text: &str) -> Option<String> {
    if !text.chars().any(is_dense) {
        return None;
    }
    let mut out = String::new();
    for word in text.split(|character: char| !character.is_alphanumeric()) {
        if !word.chars().any(is_dense) {
            continue;
        }
        for run in runs(word) {
            match run {
                Run::Spaced(text) => append(&mut out, text),
                Run::Dense(text) => {
                    for pair in pairs(text) {
                        append(&mut out, pair);
                    }
                    if let Some((at, _)) = text.char_indices().next_back().filter(|(at, _)| *at > 0)
                    {
                        append(&mut out, &text[at..]);
                    }
                }
            }
        }
    }
    Some(out)
}

fn append(out: &mut String, word: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::Run;
    use super::column;
    use super::pairs;
    use super::runs;

    #[test]
    fn runs_change_with_the_script() {
        assert_eq!(
            runs("GPT東京、tower"),
            vec![Run::Spaced("GPT"), Run::Dense("東京"), Run::Spaced("tower")]
        );
        assert_eq!(runs(" ,;"), vec![]);
    }

    #[test]
    fn pairs_overlap() {
        assert_eq!(pairs("東京都"), vec!["東京", "京都"]);
        assert_eq!(pairs("東"), vec!["東"]);
    }

    #[test]
    fn the_column_is_empty_without_dense_script() {
        assert_eq!(column("staging host"), None);
        assert_eq!(column("v2 東京都, GPT東").as_deref(), Some("東京 京都 都 GPT 東"));
    }
}
