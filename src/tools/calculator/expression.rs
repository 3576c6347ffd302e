//! From the text of an expression to its value, in one pass of recursive descent.
//!
//! From weak to strong: `+ -`, `* / // % of`, sign, `** ^` (to the right: `2^3^2` is 512 and `-2^2`
//! is -4), a percent sign behind a value, parentheses and functions. `%` before a value is the
//! remainder, elsewhere percent. A percentage that is added or taken away is a share of what stands
//! before it, as on any pocket calculator: `200 + 10%` is 220.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::function::FUNCTIONS;
use super::function::apply;
use super::number::Number;

/// Bytes of an expression.
const MAX_LENGTH: usize = 4096;

/// Parentheses, signs and powers inside each other.
const MAX_DEPTH: u32 = 64;

/// Digits of an exponent as in `1e300`, as a number.
const MAX_EXPONENT: i32 = 9999;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub(super) struct ExpressionError {
    /// 1-based, in characters.
    pub(super) column: usize,
    pub(super) message: String,
}

/// The value of an expression.
pub(super) fn evaluate(text: &str) -> Result<Number, ExpressionError> {
    let mut parser = Parser { text, position: 0, depth: 0, in_arguments: false };
    if text.len() > MAX_LENGTH {
        let message =
            format!("an expression has at most {MAX_LENGTH} bytes, this has {}", text.len());
        return Err(ExpressionError { column: 1, message });
    }
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(value.number),
        Some(found) => Err(parser.error_here(format!("expected an operator, found `{found}`"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes; always at a character.
    position: usize,
    depth: u32,
    /// Directly between the parentheses of a function a comma separates arguments; elsewhere it
    /// groups thousands.
    in_arguments: bool,
}

/// A value and whether it is written as a percentage.
struct Term {
    number: Number,
    percent: bool,
}

type Parsed<T> = Result<T, ExpressionError>;

impl Parser<'_> {
    fn sum(&mut self) -> Parsed<Term> {
        let mut left = self.product()?;
        loop {
            let at = self.skip_space();
            let minus = match self.peek() {
                Some('+') => false,
                Some('-' | '−') => true,
                _ => return Ok(left),
            };
            self.bump();
            let right = self.product()?;
            let share = if right.percent && !left.percent {
                self.at(at, left.number.multiply(&right.number))?
            } else {
                right.number
            };
            let sum = if minus { left.number.subtract(&share) } else { left.number.add(&share) };
            left = Term { number: self.at(at, sum)?, percent: left.percent && right.percent };
        }
    }

    fn product(&mut self) -> Parsed<Term> {
        let mut left = self.signed()?;
        loop {
            let at = self.skip_space();
            let operator: fn(&Number, &Number) -> Result<Number, String> = if self.take("//") {
                Number::floor_divide
            } else if self.take("/") || self.take("÷") {
                Number::divide
            } else if self.take("*") || self.take("×") || self.take("·") || self.take_word("of") {
                Number::multiply
            } else if self.take("%") {
                Number::remainder
            } else {
                return Ok(left);
            };
            let right = self.signed()?;
            left = plain(self.at(at, operator(&left.number, &right.number))?);
        }
    }

    fn signed(&mut self) -> Parsed<Term> {
        self.skip_space();
        self.deeper()?;
        let term = if self.take("-") || self.take("−") {
            let term = self.signed()?;
            Term { number: term.number.negate(), ..term }
        } else if self.take("+") {
            self.signed()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn power(&mut self) -> Parsed<Term> {
        let base = self.postfix()?;
        let at = self.skip_space();
        if self.take("**") || self.take("^") {
            let exponent = self.signed()?;
            return Ok(plain(self.at(at, base.number.power(&exponent.number))?));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Term> {
        let number = self.value()?;
        let at = self.skip_space();
        if self.peek() == Some('%') && self.percent_follows() {
            self.bump();
            let number = self.at(at, number.divide(&Number::integer(100)))?;
            return Ok(Term { number, percent: true });
        }
        Ok(plain(number))
    }

    /// Whether the `%` here is a percent sign: no value follows it.
    fn percent_follows(&self) -> bool {
        let rest = self.text[self.position + 1..].trim_start();
        let word_of = rest.strip_prefix("of").is_some_and(|rest| {
            !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
        });
        word_of || !rest.starts_with(|next: char| next.is_alphanumeric() || "(._".contains(next))
    }

    fn value(&mut self) -> Parsed<Number> {
        self.skip_space();
        match self.peek() {
            Some('(') => self.parenthesised(),
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_alphabetic() || first == '√' => self.named(),
            Some(found) => Err(self.error_here(format!("expected a number, found `{found}`"))),
            None => Err(self.error_here("expected a number, found the end".to_owned())),
        }
    }

    fn parenthesised(&mut self) -> Parsed<Number> {
        let outside = std::mem::replace(&mut self.in_arguments, false);
        self.bump();
        let value = self.sum()?;
        self.expect(')')?;
        self.in_arguments = outside;
        Ok(value.number)
    }

    fn number(&mut self) -> Parsed<Number> {
        let start = self.position;
        let mut digits = self.digits(true);
        let mut decimals = 0;
        if self.text[self.position..].starts_with('.') {
            self.bump();
            let fraction = self.digits(false);
            decimals = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
            digits.push_str(&fraction);
        }
        let Ok(whole) = digits.parse::<BigInt>() else {
            return Err(self.error_at(start, "expected digits".to_owned()));
        };
        let exponent = self.exponent(start)?;
        let scale = exponent - decimals;
        let ten = BigRational::from_integer(BigInt::from(10));
        self.at(
            start,
            Number::Exact(BigRational::from_integer(whole))
                .multiply(&Number::Exact(ten.pow(scale))),
        )
    }

    /// Digits with `_` between them, and where allowed with `,` between groups of three.
    fn digits(&mut self, grouped: bool) -> String {
        let mut digits = String::new();
        loop {
            let rest = &self.text[self.position..];
            let run = rest.bytes().take_while(u8::is_ascii_digit).count();
            digits.push_str(&rest[..run]);
            self.position += run;
            let rest = &rest[run..];
            let groups = grouped && !self.in_arguments && !digits.is_empty() && is_group(rest);
            let underscore = rest.starts_with('_')
                && rest[1..].starts_with(|next: char| next.is_ascii_digit())
                && !digits.is_empty();
            if !groups && !underscore {
                return digits;
            }
            self.position += 1;
        }
    }

    /// The exponent of `1e-9`; 0 when there is none.
    fn exponent(&mut self, start: usize) -> Parsed<i32> {
        let rest = &self.text[self.position..];
        let Some(after) = rest.strip_prefix(['e', 'E']) else { return Ok(0) };
        let digits = after.strip_prefix(['+', '-']).unwrap_or(after);
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return Ok(0);
        }
        let sign = after.len() - digits.len();
        let text = &after[..sign + length];
        self.position += 1 + text.len();
        text.parse()
            .ok()
            .filter(|value: &i32| value.abs() <= MAX_EXPONENT)
            .ok_or_else(|| self.error_at(start, format!("an exponent is at most {MAX_EXPONENT}")))
    }

    fn named(&mut self) -> Parsed<Number> {
        let start = self.position;
        let rest = &self.text[start..];
        let length = rest
            .find(|next: char| !(next.is_alphanumeric() || next == '_'))
            .unwrap_or(rest.len())
            .max(rest.chars().next().map_or(0, char::len_utf8));
        let name = rest[..length].to_lowercase();
        self.position += length;
        match name.as_str() {
            "pi" | "π" => return Ok(Number::Approximate(std::f64::consts::PI)),
            "e" => return Ok(Number::Approximate(std::f64::consts::E)),
            "√" => {
                let value = self.value()?;
                return self.at(start, value.square_root());
            }
            _ => {}
        }
        if !FUNCTIONS.contains(&name.as_str()) {
            let known = FUNCTIONS.join(", ");
            let message = format!("unknown name `{name}`; known are pi, e, {known}");
            return Err(self.error_at(start, message));
        }
        let arguments = self.arguments()?;
        self.at(start, apply(&name, &arguments))
    }

    fn arguments(&mut self) -> Parsed<Vec<Number>> {
        self.expect('(')?;
        let outside = std::mem::replace(&mut self.in_arguments, true);
        let mut arguments = vec![self.sum()?.number];
        while {
            self.skip_space();
            self.take(",") || self.take(";")
        } {
            arguments.push(self.sum()?.number);
        }
        self.expect(')')?;
        self.in_arguments = outside;
        Ok(arguments)
    }

    fn expect(&mut self, wanted: char) -> Parsed<()> {
        self.skip_space();
        match self.peek() {
            Some(found) if found == wanted => {
                self.bump();
                Ok(())
            }
            Some(found) => Err(self.error_here(format!("expected `{wanted}`, found `{found}`"))),
            None => Err(self.error_here(format!("expected `{wanted}`, found the end"))),
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error_here(format!("more than {MAX_DEPTH} levels inside each other")));
        }
        Ok(())
    }

    /// Skips white space and returns where the next thing is.
    fn skip_space(&mut self) -> usize {
        let rest = &self.text[self.position..];
        self.position += rest.len() - rest.trim_start().len();
        self.position
    }

    fn peek(&self) -> Option<char> {
        self.text[self.position..].trim_start().chars().next()
    }

    /// Takes one character.
    fn bump(&mut self) {
        self.skip_space();
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    fn take(&mut self, operator: &str) -> bool {
        let found = self.text[self.position..].starts_with(operator)
            && !(operator == "*" && self.text[self.position..].starts_with("**"));
        if found {
            self.position += operator.len();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let rest = &self.text[self.position..];
        let found = rest
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()));
        if found {
            self.position += word.len();
        }
        found
    }

    fn at<T>(&self, position: usize, result: Result<T, String>) -> Parsed<T> {
        result.map_err(|message| self.error_at(position, message))
    }

    fn error_here(&mut self, message: String) -> ExpressionError {
        let position = self.skip_space();
        self.error_at(position, message)
    }

    fn error_at(&self, position: usize, message: String) -> ExpressionError {
        ExpressionError { column: self.text[..position].chars().count() + 1, message }
    }
}

fn plain(number: Number) -> Term {
    Term { number, percent: false }
}

/// A comma and exactly three digits.
fn is_group(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(',') else { return false };
    rest.bytes().take_while(u8::is_ascii_digit).count() == 3
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
