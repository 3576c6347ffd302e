//! Numbers of the calculator: exact fractions as long as that is possible, floating point after.
//!
//! Every operation is bounded: a result beyond [`MAX_BITS`] is refused before it is computed, so no
//! expression can hold the processor or the memory.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_bigint::Sign;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::One;
use num_traits::Signed;
use num_traits::ToPrimitive;
use num_traits::Zero;

/// Bits of a numerator or denominator: a little over 10,000 decimal digits.
pub(super) const MAX_BITS: u64 = 33_300;

/// Digits behind the point up to which an exact decimal is written out.
const MAX_DECIMALS: u32 = 60;

/// Significant digits of a fraction that has no finite decimal form.
const ROUNDED_DIGITS: u32 = 30;

/// A value: exact, or an approximation once a function without exact results was used.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Exact(BigRational),
    Approximate(f64),
}

use Number::Approximate;
use Number::Exact;

impl Number {
    pub(super) fn integer(value: impl Into<BigInt>) -> Self {
        Exact(BigRational::from_integer(value.into()))
    }

    /// The exact value within bounds, or why not.
    fn exact(value: BigRational) -> Result<Self, String> {
        if value.numer().bits() > MAX_BITS || value.denom().bits() > MAX_BITS {
            return Err(too_large());
        }
        Ok(Exact(value))
    }

    /// The approximation if it is a number, or why not.
    pub(super) fn approximate(value: f64) -> Result<Self, String> {
        if value.is_finite() {
            return Ok(Approximate(value));
        }
        Err("the result is too large for a floating-point number, or not a number".to_owned())
    }

    /// The nearest floating-point number.
    pub(super) fn to_f64(&self) -> Result<f64, String> {
        match self {
            Approximate(value) => Ok(*value),
            Exact(value) => value
                .to_f64()
                .filter(|float| float.is_finite())
                .ok_or_else(|| "a number is too large for this function".to_owned()),
        }
    }

    /// The value as a whole number that fits, for exponents and digits.
    pub(super) fn to_small_integer(&self) -> Option<i64> {
        match self {
            Exact(value) if value.is_integer() => value.numer().to_i64(),
            _ => None,
        }
    }

    pub(super) fn negate(self) -> Self {
        match self {
            Exact(value) => Exact(-value),
            Approximate(value) => Approximate(-value),
        }
    }

    pub(super) fn add(&self, other: &Self) -> Result<Self, String> {
        match (self, other) {
            (Exact(left), Exact(right)) => Self::exact(left + right),
            _ => Self::approximate(self.to_f64()? + other.to_f64()?),
        }
    }

    pub(super) fn subtract(&self, other: &Self) -> Result<Self, String> {
        self.add(&other.clone().negate())
    }

    pub(super) fn multiply(&self, other: &Self) -> Result<Self, String> {
        match (self, other) {
            (Exact(left), Exact(right)) => Self::exact(left * right),
            _ => Self::approximate(self.to_f64()? * other.to_f64()?),
        }
    }

    pub(super) fn divide(&self, other: &Self) -> Result<Self, String> {
        other.must_not_be_zero()?;
        match (self, other) {
            (Exact(left), Exact(right)) => Self::exact(left / right),
            _ => Self::approximate(self.to_f64()? / other.to_f64()?),
        }
    }

    /// The quotient rounded down, as Python's `//`.
    pub(super) fn floor_divide(&self, other: &Self) -> Result<Self, String> {
        self.divide(other)?.round_by(BigRational::floor, f64::floor)
    }

    /// What remains of the rounded-down quotient: it has the divisor's sign, as Python's `%`.
    pub(super) fn remainder(&self, other: &Self) -> Result<Self, String> {
        self.subtract(&self.floor_divide(other)?.multiply(other)?)
    }

    fn must_not_be_zero(&self) -> Result<(), String> {
        let zero = match self {
            Exact(value) => value.is_zero(),
            Approximate(value) => *value == 0.0,
        };
        if zero { Err("division by zero".to_owned()) } else { Ok(()) }
    }

    /// A power. Exact for whole exponents, and for roots that come out even.
    pub(super) fn power(&self, exponent: &Self) -> Result<Self, String> {
        let (Exact(base), Exact(power)) = (self, exponent) else {
            return self.approximate_power(exponent);
        };
        if base.is_zero() && power.is_negative() {
            return Err("division by zero (zero to a negative power)".to_owned());
        }
        if power.is_integer() {
            return whole_power(base, power.numer());
        }
        let root = power.denom().to_u32().and_then(|degree| exact_root(base, degree));
        match root {
            Some(root) => whole_power(&root, power.numer()),
            None => self.approximate_power(exponent),
        }
    }

    fn approximate_power(&self, exponent: &Self) -> Result<Self, String> {
        let (base, power) = (self.to_f64()?, exponent.to_f64()?);
        if base < 0.0 && power.fract() != 0.0 {
            return Err("a negative number has no real fractional power".to_owned());
        }
        Self::approximate(base.powf(power))
    }

    /// The square root, exact where it comes out even.
    pub(super) fn square_root(&self) -> Result<Self, String> {
        if self.is_negative() {
            return Err("a negative number has no real square root".to_owned());
        }
        match self {
            Exact(value) => match exact_root(value, 2) {
                Some(root) => Ok(Exact(root)),
                None => Self::approximate(self.to_f64()?.sqrt()),
            },
            Approximate(value) => Self::approximate(value.sqrt()),
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        match self {
            Exact(value) => value.is_negative(),
            Approximate(value) => *value < 0.0,
        }
    }

    /// Applies a rounding to whole numbers.
    pub(super) fn round_by(
        &self,
        exact: impl Fn(&BigRational) -> BigRational,
        float: impl Fn(f64) -> f64,
    ) -> Result<Self, String> {
        match self {
            Exact(value) => Ok(Exact(exact(value))),
            Approximate(value) => Self::approximate(float(*value)),
        }
    }

    /// Rounds to `digits` behind the point (negative: before it), halves away from zero.
    pub(super) fn round_to(&self, digits: i64) -> Result<Self, String> {
        if digits.unsigned_abs() > 1000 {
            return Err("round takes at most 1000 digits".to_owned());
        }
        let scale = Self::integer(10).power(&Self::integer(digits))?;
        let scaled = self.multiply(&scale)?.round_by(BigRational::round, f64::round)?;
        scaled.divide(&scale)
    }

    /// Which of two is smaller; approximations are compared as floating point.
    pub(super) fn compare(&self, other: &Self) -> Result<Ordering, String> {
        match (self, other) {
            (Exact(left), Exact(right)) => Ok(left.cmp(right)),
            _ => Ok(self.to_f64()?.total_cmp(&other.to_f64()?)),
        }
    }

    /// The value in digits, and whether these digits are the exact value.
    pub(super) fn to_text(&self) -> (String, bool) {
        match self {
            Approximate(value) => (float_text(*value), false),
            Exact(value) if value.is_integer() => (value.numer().to_string(), true),
            Exact(value) => match decimals(value.denom()) {
                Some(count) if count <= MAX_DECIMALS => (decimal_text(value, count), true),
                _ => (rounded_text(value), false),
            },
        }
    }
}

fn too_large() -> String {
    "the result would have more than 10,000 digits".to_owned()
}

fn whole_power(base: &BigRational, exponent: &BigInt) -> Result<Number, String> {
    let trivial = base.is_integer() && base.numer().bits() <= 1;
    let Some(count) = exponent.magnitude().to_u64() else {
        return trivial_power(base, exponent).filter(|_| trivial).ok_or_else(too_large);
    };
    if trivial {
        return trivial_power(base, exponent).ok_or_else(too_large);
    }
    let bits = base.numer().bits().max(base.denom().bits());
    // A number of n bits is at least 2^(n-1), so its power has more than (n-1) * count bits.
    if (bits - 1).saturating_mul(count) > MAX_BITS {
        return Err(too_large());
    }
    let Ok(count) = i32::try_from(count) else { return Err(too_large()) };
    Number::exact(base.pow(if exponent.is_negative() { -count } else { count }))
}

/// Powers of -1, 0 and 1, whatever the exponent.
fn trivial_power(base: &BigRational, exponent: &BigInt) -> Option<Number> {
    if exponent.is_zero() {
        return Some(Number::integer(1));
    }
    if !base.is_integer() || base.numer().bits() > 1 {
        return None;
    }
    let flips = base.is_negative() && exponent.is_even();
    Some(Exact(if flips { -base } else { base.clone() }))
}

/// The root of this degree if it is a fraction.
fn exact_root(value: &BigRational, degree: u32) -> Option<BigRational> {
    if value.is_negative() || degree == 0 || degree > 64 {
        return None;
    }
    let root = BigRational::new(value.numer().nth_root(degree), value.denom().nth_root(degree));
    (root.pow(i32::try_from(degree).ok()?) == *value).then_some(root)
}

/// How many decimals a fraction with this denominator needs; `None` when they never end.
fn decimals(denominator: &BigInt) -> Option<u32> {
    let mut rest = denominator.clone();
    let mut count = |prime: u32| {
        let prime = BigInt::from(prime);
        let mut times = 0;
        while (&rest % &prime).is_zero() {
            rest /= &prime;
            times += 1;
        }
        times
    };
    let needed = count(2).max(count(5));
    rest.is_one().then_some(needed)
}

fn decimal_text(value: &BigRational, count: u32) -> String {
    let scaled = (value * BigRational::from_integer(BigInt::from(10).pow(count))).to_integer();
    let digits = format!("{:0>width$}", scaled.magnitude(), width = count as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - count as usize);
    let sign = if scaled.sign() == Sign::Minus { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

/// The value to [`ROUNDED_DIGITS`] significant digits.
fn rounded_text(value: &BigRational) -> String {
    // The decimal exponent, off by at most one: log10(2) is close to 30103/100000.
    let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(i64::MAX / 100_000);
    let exponent = (bits(value.numer()) - bits(value.denom())) * 30_103 / 100_000;
    let mut shift = i64::from(ROUNDED_DIGITS) - 1 - exponent;
    let text = loop {
        let power = BigInt::from(10).pow(u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX));
        let scaled = if shift >= 0 { value * power } else { value / power };
        let text = scaled.round().to_integer().magnitude().to_string();
        match text.len().cmp(&(ROUNDED_DIGITS as usize)) {
            Ordering::Less => shift += 1,
            Ordering::Equal => break text,
            Ordering::Greater => shift -= 1,
        }
    };
    let sign = if value.is_negative() { "-" } else { "" };
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    // Value = 0.text * 10^point.
    let point = length - shift;
    if !(-5..=40).contains(&point) {
        let (first, rest) = text.split_at(1);
        return format!("{sign}{first}.{}e{}", rest.trim_end_matches('0'), point - 1);
    }
    let zeros = usize::try_from(-point).unwrap_or(0);
    let split = usize::try_from(point).unwrap_or(0).min(text.len());
    let (whole, fraction) = text.split_at(split);
    let whole = if whole.is_empty() { "0" } else { whole };
    format!("{sign}{whole}.{}{fraction}", "0".repeat(zeros))
}

/// The shortest digits that read back as the same floating-point number.
fn float_text(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if (1e-5..1e17).contains(&value.abs()) { format!("{value}") } else { format!("{value:e}") }
}
