//! Whether a failed model call is tried again, and when.
//!
//! A pure function of what failed, how often it was tried and how much time is left; it reads no
//! clock and draws no random number of its own. Waiting is the caller's business.

use std::time::Duration;
use std::time::SystemTime;

/// What went wrong with one attempt, as far as trying again is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The server answered with this HTTP status.
    Status(u16),
    /// No connection, or it was lost before the answer began.
    Unreachable,
    /// The answer began and broke off.
    Cut,
    /// The answer is not what the provider documents: HTML, nothing at all, broken JSON.
    Malformed,
    /// Not a byte within the idle deadline.
    Stalled,
    /// Nothing that time could heal.
    Final,
}

/// The bounds of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first, whatever fails.
    pub max_retries: u32,
    /// Upper bound of the first wait; doubles with each further try.
    pub base: Duration,
    /// Upper bound of any wait that the server did not ask for.
    pub cap: Duration,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    GiveUp,
    Wait(Duration),
}

impl RetryPolicy {
    /// Half a second, doubling up to twenty, `max_retries` times.
    pub fn new(max_retries: u32) -> Self {
        Self { max_retries, base: Duration::from_millis(500), cap: Duration::from_secs(20) }
    }

    /// Decides about the next try.
    ///
    /// `retries` counts the tries after the first that have been made. `asked` is the server's
    /// Retry-After. `remaining` is what is left of the total deadline: a wait that would not leave
    /// anything of it is not begun. `random` lies in 0..1 ("full jitter": the wait is uniform
    /// between zero and the exponential bound, so that clients which failed together do not come
    /// back together).
    pub fn decide(
        &self,
        failure: Failure,
        retries: u32,
        asked: Option<Duration>,
        remaining: Duration,
        random: f64,
    ) -> Verdict {
        if retries >= self.max_retries.min(Self::bound(failure)) {
            return Verdict::GiveUp;
        }
        let random = random.clamp(0.0, 1.0);
        let wait = match asked {
            // Never earlier than asked, and not all at the same instant.
            Some(asked) => {
                asked.saturating_add((asked / 10).min(Duration::from_secs(1)).mul_f64(random))
            }
            None => self.base.saturating_mul(1 << retries.min(16)).min(self.cap).mul_f64(random),
        };
        if wait >= remaining { Verdict::GiveUp } else { Verdict::Wait(wait) }
    }

    /// How often a failure of this sort is worth another try. A proxy's login page or a model
    /// that hangs is rarely better the third time, and each of these tries costs the full price.
    fn bound(failure: Failure) -> u32 {
        match failure {
            Failure::Status(501 | 505) => 0,
            Failure::Status(408 | 409 | 425 | 429 | 500..=599) | Failure::Unreachable => u32::MAX,
            Failure::Status(_) | Failure::Final => 0,
            Failure::Cut => 2,
            Failure::Malformed | Failure::Stalled => 1,
        }
    }
}

/// How long the server asks us to wait: `retry-after-ms`, else Retry-After in seconds or as a date.
///
/// A date counts from the response's own Date header, so that a wrong clock on either side does no
/// harm; without one it is ignored. Times in the past mean zero.
pub fn retry_after<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Duration> {
    let seconds = |text: &str, unit: f64| {
        let value = text.trim().parse::<f64>().ok().filter(|value| !value.is_nan())? * unit;
        Duration::try_from_secs_f64(value.max(0.0)).ok()
    };
    if let Some(wait) = header("retry-after-ms").and_then(|text| seconds(text, 0.001)) {
        return Some(wait);
    }
    let text = header("retry-after")?;
    if let Some(wait) = seconds(text, 1.0) {
        return Some(wait);
    }
    let until: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let now = httpdate::parse_http_date(header("date")?.trim()).ok()?;
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::any;
    use proptest::proptest;

    use super::Failure;
    use super::RetryPolicy;
    use super::Verdict;
    use super::retry_after;

    const LONG: Duration = Duration::from_mins(10);

    fn headers<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<&'a str> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    #[test]
    fn a_refusal_is_final() {
        let policy = RetryPolicy::new(9);
        for status in [400, 401, 403, 404, 413, 422, 501] {
            let verdict = policy.decide(Failure::Status(status), 0, None, LONG, 0.5);
            assert_eq!(verdict, Verdict::GiveUp, "{status}");
        }
        assert_eq!(policy.decide(Failure::Final, 0, None, LONG, 0.5), Verdict::GiveUp);
    }

    #[test]
    fn what_may_heal_is_tried_as_often_as_allowed() {
        let policy = RetryPolicy::new(3);
        for failure in
            [Failure::Status(429), Failure::Status(500), Failure::Status(529), Failure::Unreachable]
        {
            assert_ne!(policy.decide(failure, 2, None, LONG, 0.5), Verdict::GiveUp, "{failure:?}");
            assert_eq!(policy.decide(failure, 3, None, LONG, 0.5), Verdict::GiveUp, "{failure:?}");
        }
    }

    #[test]
    fn nonsense_is_asked_for_only_once_more() {
        let policy = RetryPolicy::new(5);
        assert_ne!(policy.decide(Failure::Malformed, 0, None, LONG, 0.1), Verdict::GiveUp);
        assert_eq!(policy.decide(Failure::Malformed, 1, None, LONG, 0.1), Verdict::GiveUp);
        assert_ne!(policy.decide(Failure::Cut, 1, None, LONG, 0.1), Verdict::GiveUp);
        assert_eq!(policy.decide(Failure::Cut, 2, None, LONG, 0.1), Verdict::GiveUp);
    }

    #[test]
    fn the_server_is_not_asked_before_it_said_so() {
        let policy = RetryPolicy::new(3);
        let asked = Some(Duration::from_secs(4));
        let verdict = policy.decide(Failure::Status(429), 0, asked, LONG, 0.5);
        assert_eq!(verdict, Verdict::Wait(Duration::from_millis(4200)));
        let verdict = policy.decide(Failure::Status(429), 0, asked, Duration::from_secs(3), 0.0);
        assert_eq!(verdict, Verdict::GiveUp);
    }

    #[test]
    fn retry_after_in_all_spellings() {
        let seconds =
            |pairs: &[(&str, &str)]| retry_after(headers(pairs)).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(seconds(&[("retry-after", " 1.5 ")]), Some(1.5));
        assert_eq!(seconds(&[("retry-after", "-3")]), Some(0.0));
        assert_eq!(seconds(&[("retry-after", "9"), ("retry-after-ms", "250")]), Some(0.25));
        let date = ("retry-after", "Sun, 22 Nov 2026 18:00:30 GMT");
        assert_eq!(seconds(&[date, ("date", "Sun, 22 Nov 2026 18:00:00 GMT")]), Some(30.0));
        assert_eq!(seconds(&[date, ("date", "Sun, 22 Nov 2026 19:00:00 GMT")]), Some(0.0));
        assert_eq!(seconds(&[date]), None);
        assert_eq!(seconds(&[("retry-after", "soon")]), None);
        assert_eq!(seconds(&[("retry-after", "NaN")]), None);
        assert_eq!(seconds(&[("retry-after", "1e300")]), None);
    }

    proptest! {
        #[test]
        fn waits_are_bounded(retries in 0_u32..200, random in 0.0..1.0, asked in any::<Option<u16>>(), left in any::<u32>()) {
            let policy = RetryPolicy::new(u32::MAX);
            let remaining = Duration::from_millis(left.into());
            let asked = asked.map(|seconds| Duration::from_secs(seconds.into()));
            if let Verdict::Wait(wait) = policy.decide(Failure::Status(503), retries, asked, remaining, random) {
                assert!(wait < remaining);
                assert!(asked.is_none_or(|asked| wait >= asked));
                assert!(asked.is_some() || wait <= policy.cap);
            }
        }
    }
}
