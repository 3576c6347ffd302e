//! The calculator's promises: examples by hand, and random expressions against integer arithmetic.

use proptest::prelude::*;

use super::evaluate;

fn text(expression: &str) -> String {
    match evaluate(expression) {
        Ok(number) => number.to_text().0,
        Err(error) => panic!("`{expression}`: {error}"),
    }
}

fn error(expression: &str) -> String {
    evaluate(expression).expect_err(expression).to_string()
}

#[expect(clippy::too_many_lines, reason = "a list of expressions")]
#[test]
fn expressions_by_hand() {
    for (expression, expected) in [
        ("1+2*3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2**2", "-4"),
        ("(-2)**2", "4"),
        ("2^3^2", "512"),
        ("2**-1", "0.5"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("7 % 3", "1"),
        ("-7 % 3", "2"),
        ("7 % (-3)", "-2"),
        ("0.1 + 0.2", "0.3"),
        ("1/3*3", "1"),
        ("10/4", "2.5"),
        ("1/3", "0.333333333333333333333333333333"),
        ("-2/3", "-0.666666666666666666666666666667"),
        ("2/3*10**20", "66666666666666666666.6666666667"),
        ("1/3/10**30", "3.33333333333333333333333333333e-31"),
        ("1,234,567.89 + 0.11", "1234568"),
        ("1_000_000 / 8", "125000"),
        ("max(1,000, 2)", "2"),
        ("max((1,000), 2)", "1000"),
        ("min(3; 1; 2)", "1"),
        ("sum(1, 2, 3.5)", "6.5"),
        ("15% of 80", "12"),
        ("80*15%", "12"),
        ("200 + 10%", "220"),
        ("200 - 10%", "180"),
        ("10% + 5%", "0.15"),
        ("10 % 4", "2"),
        ("50%", "0.5"),
        ("sqrt(16)", "4"),
        ("sqrt(2.25)", "1.5"),
        ("√9", "3"),
        ("sqrt(2)", "1.4142135623730951"),
        ("8^(1/3)", "2"),
        ("27 ** (2/3)", "9"),
        ("round(2.675, 2)", "2.68"),
        ("round(-2.5)", "-3"),
        ("round(1234, -2)", "1200"),
        ("floor(-1.5)", "-2"),
        ("ceil(1.2)", "2"),
        ("abs(-3/4)", "0.75"),
        ("log(1000)", "3"),
        ("log(8, 2)", "3"),
        ("log(0.01)", "-2"),
        ("ln(1)", "0"),
        ("exp(0)", "1"),
        ("cos(0) + sin(0)", "1"),
        ("round(pi, 4)", "3.1416"),
        ("2 × 3 ÷ 4 − 1", "0.5"),
        ("1e3 + 1.5E-1", "1000.15"),
        ("1e300 * 1e300 / 1e600", "1"),
        ("--3", "3"),
        ("0**0", "1"),
        ("(-1)**99999999999999999999", "-1"),
        ("12345678901234567890 * 98765432109876543210", "1219326311370217952237463801111263526900"),
        ("2**100", "1267650600228229401496703205376"),
    ] {
        assert_eq!(text(expression), expected, "{expression}");
    }
}

#[test]
fn what_is_rounded_is_not_called_exact() {
    for (expression, exact) in [("1/4", true), ("1/3", false), ("pi", false), ("sqrt(4)", true)] {
        assert_eq!(evaluate(expression).unwrap().to_text().1, exact, "{expression}");
    }
}

#[test]
fn errors_name_the_column() {
    for (expression, expected) in [
        ("", "column 1: expected a number, found the end"),
        ("1 +", "column 4: expected a number, found the end"),
        ("1 + * 2", "column 5: expected a number, found `*`"),
        ("(1 + 2", "column 7: expected `)`, found the end"),
        ("2 3", "column 3: expected an operator, found `3`"),
        ("1,00 + 1", "column 2: expected an operator, found `,`"),
        ("4 / (2 - 2)", "column 3: division by zero"),
        ("5 % 0", "column 3: division by zero"),
        ("0 ** -1", "column 3: division by zero (zero to a negative power)"),
        ("1 + sqrt(-1)", "column 5: a negative number has no real square root"),
        ("(-8)^(1/3)", "column 5: a negative number has no real fractional power"),
        ("ln(0)", "column 1: only positive numbers have a logarithm"),
        ("log(5, 1)", "column 1: there is no logarithm to base 1"),
        ("sin(1, 2)", "column 1: sin takes 1 argument, not 2"),
        ("1e99999", "column 1: an exponent is at most 9999"),
        (
            "exp(1000)",
            "column 1: the result is too large for a floating-point number, or not a number",
        ),
        (
            "é + 1",
            "column 1: unknown name `é`; known are pi, e, sqrt, abs, round, floor, ceil, min, \
                   max, log, ln, exp, sin, cos, tan, sum",
        ),
        (".", "column 1: expected digits"),
    ] {
        assert_eq!(error(expression), expected, "{expression}");
    }
}

#[test]
fn what_would_be_huge_is_refused_at_once() {
    let huge = "the result would have more than 10,000 digits";
    for expression in [
        "2**10**9",
        "9**9**9**9",
        "(1/7)^1000000",
        "1e9999*1e9999",
        "99999999999999999999**99999999999999999999",
        "1e9999**2",
    ] {
        let begin = std::time::Instant::now();
        assert!(error(expression).ends_with(huge), "{expression}: {}", error(expression));
        assert!(begin.elapsed().as_secs() < 2, "{expression}");
    }
    assert!(error(&"(".repeat(2000)).contains("more than 64 levels inside each other"));
    assert!(error(&"-".repeat(2000)).contains("more than 64 levels inside each other"));
    assert!(error(&"2^".repeat(1000)).contains("more than 64 levels inside each other"));
    assert!(error(&"1+".repeat(3000)).contains("at most 4096 bytes"));
}

/// An expression as a tree, with its value by `i128` fractions: another way than the parser's.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(i64),
    Negated(Box<Self>),
    Node(Box<Self>, &'static str, Box<Self>),
}

impl Tree {
    fn write(&self) -> String {
        match self {
            Self::Leaf(value) => value.to_string(),
            Self::Negated(tree) => format!("-({})", tree.write()),
            Self::Node(left, operator, right) => {
                format!("({}) {operator} ({})", left.write(), right.write())
            }
        }
    }

    /// Numerator and positive denominator; `None` for division by zero and for overflow.
    fn value(&self) -> Option<(i128, i128)> {
        let (numerator, denominator) = match self {
            Self::Leaf(value) => (i128::from(*value), 1),
            Self::Negated(tree) => {
                let (numerator, denominator) = tree.value()?;
                (-numerator, denominator)
            }
            Self::Node(left, operator, right) => {
                let ((a, b), (c, d)) = (left.value()?, right.value()?);
                match *operator {
                    "+" => (a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?),
                    "-" => (a.checked_mul(d)?.checked_sub(c.checked_mul(b)?)?, b.checked_mul(d)?),
                    "*" => (a.checked_mul(c)?, b.checked_mul(d)?),
                    "/" => (a.checked_mul(d)?, b.checked_mul(c)?),
                    "//" => {
                        let (top, bottom) = (a.checked_mul(d)?, b.checked_mul(c)?);
                        if bottom == 0 {
                            return None;
                        }
                        (
                            top.div_euclid(bottom)
                                - i128::from(bottom < 0 && top.rem_euclid(bottom) != 0),
                            1,
                        )
                    }
                    _ => unreachable!("no such operator"),
                }
            }
        };
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()? * denominator.signum();
        Some((numerator / divisor, denominator / divisor))
    }
}

fn gcd(left: u128, right: u128) -> u128 {
    if right == 0 { left.max(1) } else { gcd(right, left % right) }
}

fn tree() -> impl Strategy<Value = Tree> {
    let operators = prop::sample::select(vec!["+", "-", "*", "/", "//"]);
    (-1000_i64..1000).prop_map(Tree::Leaf).prop_recursive(5, 24, 2, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Negated(Box::new(tree))),
            (inner.clone(), operators.clone(), inner).prop_map(|(left, operator, right)| {
                Tree::Node(Box::new(left), operator, Box::new(right))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_integer_fractions(tree in tree()) {
        if let Some((numerator, denominator)) = tree.value() {
            let expected = super::Number::Exact(num_rational::BigRational::new(
                numerator.into(),
                denominator.into(),
            ));
            prop_assert_eq!(evaluate(&tree.write()), Ok(expected));
        }
    }

    #[test]
    fn survives_any_text(text in "[-+*/%^().,_0-9e √πa-z]{0,60}|\\PC{0,40}") {
        if let Ok(number) = evaluate(&text) {
            number.to_text();
        }
    }
}
