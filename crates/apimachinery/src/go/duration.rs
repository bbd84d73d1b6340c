//! Durations as Go's `time.ParseDuration` reads them, with its texts: `1h2m3.5s`, `300ms`, `0`.

use jiff::SignedDuration;

use super::quote;

/// A text that is no duration; what is said of it is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not of the form at all, or too long a time.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    NoUnit(String),
    /// A unit that is none.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.text))]
    Unit {
        /// What stands for the unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Reads `text`; at most 2⁶³ − 1 ns either way.
///
/// # Errors
/// [`DurationError`].
pub fn parse_duration(text: &str) -> Result<SignedDuration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut rest = unsigned;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(end_of(rest, |b| b.is_ascii_digit() || b == b'.'));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let fraction_end = end_of(fraction, |b| b.is_ascii_digit());
        if whole.is_empty() && fraction_end == 0 {
            return Err(invalid());
        }
        let whole = whole_number(whole).ok_or_else(invalid)?;
        let (unit, after) = match fraction_end == fraction.len() {
            true => after.split_at(end_of(after, |b| !b.is_ascii_digit() && b != b'.')),
            // A second point.
            false => ("", after),
        };
        let nanos = nanos_of(unit).ok_or_else(|| match unit {
            "" => DurationError::NoUnit(text.to_owned()),
            unit => DurationError::Unit {
                unit: unit.to_owned(),
                text: text.to_owned(),
            },
        })?;
        let part = part(whole, fraction, nanos).ok_or_else(invalid)?;
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = after;
    }
    let total = if text.starts_with('-') { -total } else { total };
    Ok(SignedDuration::from_nanos(total))
}

/// How many bytes at the start of `text` are as `is_part` says.
fn end_of(text: &str, is_part: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_part(*byte)).count()
}

/// The number that `digits` are, of which there may be none; nothing if that is too much.
fn whole_number(digits: &str) -> Option<i64> {
    match digits {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

/// `whole.fraction` times a unit of `nanos`; nothing if that is too much.
fn part(whole: i64, fraction: &str, nanos: i64) -> Option<i64> {
    // More digits than these are less than a nanosecond of an hour.
    let digits = fraction.get(..15).unwrap_or(fraction);
    let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
    let digits = whole_number(digits)?;
    let below = i64::try_from(i128::from(digits) * i128::from(nanos) / scale).ok()?;
    whole.checked_mul(nanos)?.checked_add(below)
}

/// The nanoseconds of a unit.
fn nanos_of(unit: &str) -> Option<i64> {
    match unit {
        "ns" => Some(1),
        "us" | "µs" | "μs" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[track_caller]
    fn check(text: &str, want: Result<i128, &str>) {
        let got = parse_duration(text).map(|time| time.as_nanos());
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got, want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn durations_are_gos() {
        const SECOND: i128 = 1_000_000_000;
        check("1m0s", Ok(60 * SECOND));
        check("1h2m3.5s", Ok(3_723 * SECOND + SECOND / 2));
        check("1.5s", Ok(SECOND + SECOND / 2));
        check(".5s", Ok(SECOND / 2));
        check("1.s", Ok(SECOND));
        check("250ms", Ok(SECOND / 4));
        check("1µs2us", Ok(3_000));
        check("0", Ok(0));
        check("+0s", Ok(0));
        check("-1s", Ok(-SECOND));
        check("0.3333333333333333333h", Ok(1_199_999_999_999));
        check("9223372036854775807ns", Ok(i128::from(i64::MAX)));
    }

    #[test]
    fn what_is_no_duration_is_told_in_gos_words() {
        check("x", Err("time: invalid duration \"x\""));
        check("", Err("time: invalid duration \"\""));
        check("-", Err("time: invalid duration \"-\""));
        check(".s", Err("time: invalid duration \".s\""));
        check("..s", Err("time: invalid duration \"..s\""));
        check("1.2.3s", Err("time: missing unit in duration \"1.2.3s\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("1m30", Err("time: missing unit in duration \"1m30\""));
        check("1d", Err("time: unknown unit \"d\" in duration \"1d\""));
        let long = "9223372036854775808";
        check(long, Err(&format!("time: invalid duration \"{long}\"")));
        check("2562048h", Err("time: invalid duration \"2562048h\""));
    }
}
