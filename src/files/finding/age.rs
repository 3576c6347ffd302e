//! Points in time as people say them: `2d` ago, or a date.

use std::time::Duration;

use time::Date;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::files::FileError;

/// The moment that `text` means: `90s`, `30m`, `3h`, `2d`, `1w` before `now`, a date (midnight UTC)
/// or RFC 3339.
pub fn moment(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, FileError> {
    let text = text.trim();
    if let Some(age) = duration(text) {
        return now.checked_sub(age).ok_or_else(|| wrong(text));
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    match Date::parse(text, format_description!("[year]-[month]-[day]")) {
        Ok(date) => Ok(date.midnight().assume_utc()),
        Err(_) => Err(wrong(text)),
    }
}

fn wrong(text: &str) -> FileError {
    FileError::pattern(format!(
        "`{text}` is not a time: expected an age like `90s`, `30m`, `3h`, `2d`, `1w`, or a date like \
         `2026-01-31` or `2026-01-31T12:00:00Z`"
    ))
}

fn duration(text: &str) -> Option<time::Duration> {
    let (number, seconds) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3600),
        b'd' => (&text[..text.len() - 1], 86_400),
        b'w' => (&text[..text.len() - 1], 7 * 86_400),
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    let age = Duration::try_from_secs_f64(number * f64::from(seconds)).ok()?;
    time::Duration::try_from(age).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::moment;

    #[test]
    fn ages_and_dates() {
        let now = datetime!(2026-11-22 12:00 UTC);
        for (text, expected) in [
            ("90s", datetime!(2026-11-22 11:58:30 UTC)),
            ("30m", datetime!(2026-11-22 11:30 UTC)),
            ("1.5h", datetime!(2026-11-22 10:30 UTC)),
            ("2d", datetime!(2026-11-20 12:00 UTC)),
            ("1w", datetime!(2026-11-15 12:00 UTC)),
            ("2026-01-31", datetime!(2026-01-31 0:00 UTC)),
            ("2026-01-31T12:00:00+02:00", datetime!(2026-01-31 10:00 UTC)),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_told_what_is_expected() {
        let now = datetime!(2026-11-22 12:00 UTC);
        for text in ["", "2", "d", "-1d", "NaNd", "yesterday", "99999999999999d", "2026-13-01"] {
            let error = moment(text, now).unwrap_err().to_string();
            assert!(error.contains("expected an age like"), "{text}: {error}");
        }
    }
}
