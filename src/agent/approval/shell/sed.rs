//! The scripts of `sed` that a pattern with a wildcard covers: the others run programs (`e`) or write
//! files (`w`). Strict: what is not plainly printing or replacing is refused.

use super::Word;

/// Only the scripts that print or replace: a line range with `p`, `d` or `q`, or one `s` with the
/// flags `g`, `i`, `p` and digits.
pub(super) fn refusal(arguments: &[Word]) -> Option<String> {
    let refused = || Some("this `sed` script or option may run or write".to_owned());
    let mut scripts = 0;
    for word in arguments {
        if !word.fixed {
            // A file, but only after the script.
            if scripts == 0 || !word.operand {
                return refused();
            }
            continue;
        }
        match word.text.as_str() {
            "-n" | "-E" | "-r" | "-s" | "-u" | "-z" => {}
            text if text.starts_with('-') => return refused(),
            text if scripts == 0 => {
                scripts = 1;
                if !is_plain_script(text) {
                    return refused();
                }
            }
            _ => {}
        }
    }
    None
}

fn is_plain_script(script: &str) -> bool {
    if script.contains(['\n', '\\', ';', '{', '}']) {
        return false;
    }
    let command = script.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$'));
    if matches!(command, "p" | "d" | "q") {
        return true;
    }
    let mut letters = command.chars();
    let (Some('s'), Some(delimiter)) = (letters.next(), letters.next()) else { return false };
    if delimiter.is_alphanumeric() || delimiter.is_whitespace() {
        return false;
    }
    let parts: Vec<&str> = letters.as_str().split(delimiter).collect();
    parts.len() == 3 && parts[2].chars().all(|c| matches!(c, 'g' | 'i' | 'I' | 'p' | '0'..='9'))
}
