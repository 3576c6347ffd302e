//! Lengths of time and amounts of memory, as people write them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::fields::Kind;
use super::fields::Shape;

/// Nothing here takes a hundred years, and clocks cannot count to what a number can say.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= LONGEST)
}

/// A length of time: `250ms`, `90s`, `5m`, `2h`, `1d`, `1h30m`; a bare number means seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Span(pub Duration);

impl Span {
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time; write `90s`, `5m` or `1h`");
        let text = text.trim();
        let (mut rest, mut seconds, mut last) = (text, 0.0, f64::INFINITY);
        while !rest.is_empty() || last.is_infinite() {
            let is_number = |c: char| c.is_ascii_digit() || c == '.';
            let (number, after) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
            let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let scale = match unit.trim() {
                "ms" => 0.001,
                // Alone only: `1m30` may be anything.
                "" if last.is_infinite() => 1.0,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
            // The larger unit first, each once: `1m30s`.
            if scale >= last {
                return Err(wrong());
            }
            (rest, seconds, last) = (after, seconds + number * scale, scale);
        }
        duration(seconds).map(Self).ok_or_else(wrong)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let milliseconds = span.0.as_millis();
        if milliseconds.is_multiple_of(1000) {
            format!("{}s", milliseconds / 1000)
        } else {
            format!("{milliseconds}ms")
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(seconds) => duration(seconds).map(Self).ok_or_else(|| {
                serde::de::Error::custom(format!("{seconds} s is not a length of time"))
            }),
            Raw::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl Shape for Span {
    const KIND: Kind = Kind::Span;
}

/// Bytes: `64KiB`, `512MiB`, `2GiB`, `10GB`; a bare number means bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Size(pub u64);

/// Units, the larger ones of each kind first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a size; write `512MiB`, `2GiB` or `10GB`");
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = unit.trim();
        let named = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let scale = if unit.is_empty() { 1 } else { named.ok_or_else(wrong)?.1 };
        number.checked_mul(scale).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = |(_, scale): &&(&str, u64)| self.0 >= *scale && self.0.is_multiple_of(*scale);
        let (name, scale) = UNITS.iter().find(whole).copied().unwrap_or(("B", 1));
        write!(formatter, "{}{name}", self.0 / scale)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(bytes) => Ok(Self(bytes)),
            Raw::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl Shape for Size {
    const KIND: Kind = Kind::Size;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Size;
    use super::Span;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90.0),
            ("5m", 300.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            ("1m30s", 90.0),
            ("1h 2m 3s", 3723.0),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_secs_f64(seconds), "{text}");
        }
        for text in [
            "",
            "m",
            "5 parsecs",
            "1m30",
            "30s1m",
            "1m1m",
            "5 5",
            "-3s",
            "1e400",
            "36501d",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them_and_written_so() {
        for (text, bytes) in
            [("64KiB", 1 << 16), ("2 GiB", 2 << 30), ("10gb", 10_000_000_000), ("7", 7), ("3B", 3)]
        {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!(Size::gib(8).to_string(), "8GiB");
        for text in ["", "GiB", "1.5GiB", "5 parsecs", "-3MB", "99999999TiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
