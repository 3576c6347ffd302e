//! Times as the database keeps them: microseconds since 1970-01-01 UTC.
//!
//! Text in and out is RFC 3339; on the way in, times without a zone (the old knowledge file) are
//! read as UTC.

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::Rfc3339;

use crate::system::clock;

/// The present moment.
pub(super) fn now() -> i64 {
    from_time(clock::now())
}

fn from_time(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn to_time(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// RFC 3339, UTC; as many digits after the second as the value needs.
pub(super) fn text(micros: i64) -> String {
    to_time(micros).format(&Rfc3339).unwrap_or_default()
}

/// Fit for a file name: `20261122T173000Z`, with microseconds so that two do not meet.
pub(super) fn stamp(micros: i64) -> String {
    let at = to_time(micros);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

/// RFC 3339 or ISO 8601, with or without a zone. `None` when it is neither.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    OffsetDateTime::parse(text, &Iso8601::PARSING)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc3339))
        .or_else(|_| {
            PrimitiveDateTime::parse(&text.replacen(' ', "T", 1), &Iso8601::PARSING)
                .map(PrimitiveDateTime::assume_utc)
        })
        .ok()
        .map(from_time)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use super::stamp;
    use super::text;

    #[test]
    fn text_and_parse_are_inverse() {
        for micros in [0, 1, 1_700_000_000_123_456, -62_000_000_000_000_000] {
            assert_eq!(parse(&text(micros)), Some(micros));
        }
    }

    #[test]
    fn python_isoformat_is_read() {
        assert_eq!(
            parse("2024-01-02T03:04:05.678901").map(text).as_deref(),
            Some("2024-01-02T03:04:05.678901Z")
        );
        assert_eq!(parse("2024-01-02 03:04:05").map(text).as_deref(), Some("2024-01-02T03:04:05Z"));
        assert_eq!(
            parse("2024-01-02T03:04:05+02:00").map(text).as_deref(),
            Some("2024-01-02T01:04:05Z")
        );
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn a_stamp_sorts_and_is_a_file_name() {
        assert_eq!(stamp(1_700_000_000_123_456), "20231114T221320.123456Z");
    }
}
