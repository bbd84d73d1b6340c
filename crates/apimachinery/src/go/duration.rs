//! Durations in Go's form: `1h2m3.5s`, `300ms`, `0`.

use std::time::Duration;

/// A text is no duration, or a negative one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration such as 1m30s or 500ms")]
pub struct InvalidDuration;

/// Go's `time.ParseDuration`, for what is not negative.
///
/// # Errors
/// [`InvalidDuration`].
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let unfit = || InvalidDuration;
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(unfit)?;
        let number: f64 = rest[..digits].parse().map_err(|_| unfit())?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(unfit()),
        };
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| unfit())?;
        total = total.checked_add(part).ok_or_else(unfit)?;
        rest = &rest[unit..];
    }
    if text.is_empty() {
        Err(unfit())
    } else {
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_duration;

    #[track_caller]
    fn check(text: &str, want: Option<u64>) {
        let want = want.map(Duration::from_millis);
        assert_eq!(parse_duration(text).ok(), want, "{text}");
    }

    #[test]
    fn durations_are_gos() {
        check("1m0s", Some(60_000));
        check("5m0s", Some(300_000));
        check("1.5s", Some(1500));
        check("250ms", Some(250));
        check("0", Some(0));
        check("0s", Some(0));
        check("", None);
        check("10", None);
        check("-1s", None);
        check("s", None);
        check("1x", None);
    }
}
