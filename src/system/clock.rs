//! The only place that asks what time it is, so that tests can fix it elsewhere.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The current time, UTC.
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// RFC 3339 with milliseconds, UTC: `2026-11-22T17:30:00.123Z`.
pub fn timestamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let milliseconds = at.millisecond();
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    let text = whole.format(&Rfc3339).unwrap_or_default();
    // `Rfc3339` drops trailing zeros; a fixed width sorts and reads better.
    format!("{}.{milliseconds:03}Z", text.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::timestamp;

    #[test]
    fn has_a_fixed_width() {
        assert_eq!(timestamp(datetime!(2026-11-22 17:30 UTC)), "2026-11-22T17:30:00.000Z");
        assert_eq!(timestamp(datetime!(2026-11-22 17:30:00.1204 +2)), "2026-11-22T15:30:00.120Z");
    }
}
