//! The functions of the calculator.
//!
//! Exact where the result is; angles are radians, `log` is to base 10 unless a second argument says
//! otherwise, `round` takes halves away from zero.

use std::cmp::Ordering;

use num_rational::BigRational;
use num_traits::Signed;

use super::number::Number;

/// Names that take arguments.
pub(super) const FUNCTIONS: [&str; 14] = [
    "sqrt", "abs", "round", "floor", "ceil", "min", "max", "log", "ln", "exp", "sin", "cos", "tan",
    "sum",
];

/// The value of a function.
pub(super) fn apply(name: &str, arguments: &[Number]) -> Result<Number, String> {
    match (name, arguments) {
        ("min", _) => extreme(arguments, Ordering::Less),
        ("max", _) => extreme(arguments, Ordering::Greater),
        ("sum", [first, rest @ ..]) => {
            rest.iter().try_fold(first.clone(), |sum, next| sum.add(next))
        }
        ("sqrt", [x]) => x.square_root(),
        ("abs", [x]) => Ok(if x.is_negative() { x.clone().negate() } else { x.clone() }),
        ("round", [x]) => x.round_to(0),
        ("round", [x, digits]) => match digits.to_small_integer() {
            Some(digits) => x.round_to(digits),
            None => Err("round takes a whole number of digits".to_owned()),
        },
        ("floor", [x]) => x.round_by(BigRational::floor, f64::floor),
        ("ceil", [x]) => x.round_by(BigRational::ceil, f64::ceil),
        ("log", [x]) => logarithm(x, &Number::integer(10)),
        ("log", [x, base]) => logarithm(x, base),
        ("ln", [x]) => Number::approximate(positive(x)?.ln()),
        ("exp", [x]) => Number::approximate(x.to_f64()?.exp()),
        ("sin", [x]) => Number::approximate(x.to_f64()?.sin()),
        ("cos", [x]) => Number::approximate(x.to_f64()?.cos()),
        ("tan", [x]) => Number::approximate(x.to_f64()?.tan()),
        (_, arguments) => {
            let expected =
                if matches!(name, "round" | "log") { "1 or 2 arguments" } else { "1 argument" };
            Err(format!("{name} takes {expected}, not {}", arguments.len()))
        }
    }
}

fn extreme(arguments: &[Number], wanted: Ordering) -> Result<Number, String> {
    let mut best = arguments[0].clone();
    for number in &arguments[1..] {
        if number.compare(&best)? == wanted {
            best = number.clone();
        }
    }
    Ok(best)
}

/// The logarithm to a base; exact where the number is a whole power of a whole base.
fn logarithm(x: &Number, base: &Number) -> Result<Number, String> {
    let (value, divisor) = (positive(x)?, positive(base)?.ln());
    if divisor == 0.0 {
        return Err("there is no logarithm to base 1".to_owned());
    }
    let approximate = value.ln() / divisor;
    let nearest = Number::integer(num_traits::cast::<f64, i64>(approximate.round()).unwrap_or(0));
    if let (Number::Exact(_), Number::Exact(_), Ok(power)) = (x, base, base.power(&nearest))
        && power == *x
    {
        return Ok(nearest);
    }
    Number::approximate(approximate)
}

fn positive(x: &Number) -> Result<f64, String> {
    let value = match x {
        Number::Exact(value) if !value.is_positive() => 0.0,
        _ => x.to_f64()?,
    };
    if value > 0.0 { Ok(value) } else { Err("only positive numbers have a logarithm".to_owned()) }
}
