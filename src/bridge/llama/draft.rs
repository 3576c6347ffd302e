//! Guesses what comes next from what was said before (n-gram speculation).
//!
//! Code, quotations and tool results repeat themselves: when the last tokens stood in the text
//! before, what followed them there is tried. Checking several tokens at once costs little more than
//! computing one, and a wrong guess costs that little.

use super::raw::Token;

/// Longest and shortest run of tokens that has to repeat.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;
/// How far back is looked.
const REACH: usize = 8192;

/// Up to `most` tokens that may follow `text`.
pub(super) fn guess(text: &[Token], most: usize) -> &[Token] {
    let reach = &text[text.len().saturating_sub(REACH)..];
    for length in (SHORTEST..=LONGEST).rev() {
        if reach.len() <= length {
            continue;
        }
        let (before, run) = reach.split_at(reach.len() - length);
        // The newest place where the run stood, and something after it.
        let found = (0..before.len()).rev().find(|&start| reach[start..start + length] == *run);
        if let Some(start) = found {
            let next = start + length;
            return &reach[next..reach.len().min(next + most)];
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_before_is_guessed() {
        assert_eq!(guess(&[1, 2, 3, 4, 5, 9, 2, 3], 2), [4, 5]);
        assert_eq!(guess(&[1, 2, 3, 4, 1, 2], 8), [3, 4, 1, 2]);
    }

    #[test]
    fn the_longest_run_and_its_newest_place_count() {
        // `2 3` is newer, but `1 2 3` is longer.
        assert_eq!(guess(&[1, 2, 3, 7, 0, 2, 3, 8, 1, 2, 3], 1), [7]);
        assert_eq!(guess(&[2, 3, 7, 0, 2, 3, 8, 1, 2, 3], 1), [8]);
    }

    #[test]
    fn nothing_is_guessed_from_nothing() {
        for text in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4]] {
            assert!(guess(text, 4).is_empty());
        }
        assert!(guess(&[1, 1, 1, 1], 0).is_empty());
    }
}
