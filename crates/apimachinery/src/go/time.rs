//! Times as Go reads them in RFC 3339 (`time.Parse`), with its words for what is none.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// Go's layout of RFC 3339.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
/// Digits of a fraction of a second that count.
const FRACTION: usize = 9;

/// A text that is no time: Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {}{why}", quote(.text))]
pub struct TimeError {
    text: String,
    /// What follows the text: ` as …: cannot parse …`, or `: month out of range`.
    why: String,
}

/// A text of which a part is read.
struct Reading<'t> {
    text: &'t str,
    rest: &'t str,
}

/// Reads `text`, as lenient as Go: an hour may have one digit, a fraction may follow a comma.
///
/// # Errors
/// [`TimeError`], also for years beyond those of a [`Timestamp`].
pub fn parse_time(text: &str) -> Result<Timestamp, TimeError> {
    let mut reading = Reading { text, rest: text };
    let year = reading.digits("2006", 4)?;
    reading.literal("-")?;
    let month = reading.number("01", 1..=12, "month")?;
    reading.literal("-")?;
    let day: i8 = reading.digits("02", 2)?;
    reading.literal("T")?;
    let hour = reading.hour()?;
    reading.literal(":")?;
    let minute = reading.number("04", 0..=59, "minute")?;
    reading.literal(":")?;
    let second = reading.number("05", 0..=59, "second")?;
    let nanoseconds = reading.fraction();
    let offset = reading.offset()?;
    if !reading.rest.is_empty() {
        return Err(reading.wrong(format!(": extra text: {}", quote(reading.rest))));
    }
    let date = i8::try_from(month)
        .ok()
        .and_then(|month| Date::new(year, month, day).ok())
        .ok_or_else(|| reading.out_of_range("day"))?;
    let since_midnight = i64::from((hour * 60 + minute) * 60 + second) - i64::from(offset);
    let midnight = TimeZone::UTC.to_timestamp(date.into());
    midnight
        .and_then(|at| at.checked_add(SignedDuration::new(since_midnight, nanoseconds)))
        .map_err(|_| reading.out_of_range("year"))
}

/// `text` in quotes, as that package of Go writes it: beyond ASCII, byte by byte.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'\x7f' => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

// === impl Reading ===

impl Reading<'_> {
    fn wrong(&self, why: String) -> TimeError {
        TimeError {
            text: self.text.to_owned(),
            why,
        }
    }

    fn out_of_range(&self, what: &str) -> TimeError {
        self.wrong(format!(": {what} out of range"))
    }

    /// What stands next is not `element` of the layout.
    fn unfit(&self, element: &str) -> TimeError {
        let (rest, layout) = (quote(self.rest), quote(LAYOUT));
        self.wrong(format!(
            " as {layout}: cannot parse {rest} as {}",
            quote(element)
        ))
    }

    fn literal(&mut self, text: &str) -> Result<(), TimeError> {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.ok_or_else(|| self.unfit(text))?;
        Ok(())
    }

    /// The next `count` digits, which are `element` of the layout.
    fn digits<N: std::str::FromStr>(
        &mut self,
        element: &str,
        count: usize,
    ) -> Result<N, TimeError> {
        let (digits, rest) = self
            .rest
            .split_at_checked(count)
            .filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| self.unfit(element))?;
        let number = digits.parse().map_err(|_| self.unfit(element))?;
        self.rest = rest;
        Ok(number)
    }

    /// Two digits within `range`.
    fn number(
        &mut self,
        element: &str,
        range: RangeInclusive<i32>,
        what: &str,
    ) -> Result<i32, TimeError> {
        let number = self.digits(element, 2)?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(self.out_of_range(what))
        }
    }

    fn hour(&mut self) -> Result<i32, TimeError> {
        let second = self.rest.as_bytes().get(1);
        let count = if second.is_some_and(u8::is_ascii_digit) {
            2
        } else {
            1
        };
        let hour = self.digits("15", count)?;
        if hour < 24 {
            Ok(hour)
        } else {
            Err(self.out_of_range("hour"))
        }
    }

    /// Nanoseconds, where a fraction of a second stands next.
    fn fraction(&mut self) -> i32 {
        let Some(fraction) = self.rest.strip_prefix(['.', ',']) else {
            return 0;
        };
        let end = fraction
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(fraction.len());
        let (digits, rest) = fraction.split_at(end);
        if digits.is_empty() {
            return 0;
        }
        self.rest = rest;
        let padded = digits.bytes().chain([b'0'; FRACTION]).take(FRACTION);
        padded.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i32, TimeError> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let whole = Reading { ..*self };
        let unfit = |_: TimeError| whole.unfit(ELEMENT);
        let sign = match self.rest.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) | None => return Err(self.unfit(ELEMENT)),
        };
        self.rest = self.rest.get(1..).unwrap_or_default();
        let hours: i32 = self.digits(ELEMENT, 2).map_err(unfit)?;
        self.literal(":").map_err(unfit)?;
        let minutes: i32 = self.digits(ELEMENT, 2).map_err(unfit)?;
        match (hours, minutes) {
            (_, 61..) => Err(self.out_of_range("time zone offset minute")),
            (25.., _) => Err(self.out_of_range("time zone offset hour")),
            _ => Ok(sign * (hours * 60 + minutes) * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = parse_time(text).map(|at| at.to_string());
        assert_eq!(got.as_deref(), Ok(want), "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, want: &str) {
        let error = parse_time(text).expect_err("no time");
        assert_eq!(error.to_string(), want);
    }

    /// A refusal of `text` where `rest` is not `element`.
    #[track_caller]
    fn check_unfit(text: &str, rest: &str, element: &str) {
        let want = format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{rest}\" as \
             \"{element}\""
        );
        check_refused(text, &want);
    }

    #[test]
    fn what_go_reads_is_read() {
        check("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z");
        check("2026-01-02T3:04:05Z", "2026-01-02T03:04:05Z");
        check("2026-01-02T03:04:05,25Z", "2026-01-02T03:04:05.25Z");
        check(
            "2026-01-02T03:04:05.1234567891Z",
            "2026-01-02T03:04:05.123456789Z",
        );
        check("2026-01-02T03:04:05+01:30", "2026-01-02T01:34:05Z");
        check("2026-01-02T03:04:05-24:60", "2026-01-03T04:04:05Z");
        check("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z");
        check("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z");
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_rest_of_the_text() {
        check_unfit("", "", "2006");
        check_unfit("x", "x", "2006");
        check_unfit("2026", "", "-");
        check_unfit("2026-1-02T03:04:05Z", "1-02T03:04:05Z", "01");
        check_unfit("2026-01-02 03:04:05Z", " 03:04:05Z", "T");
        check_unfit("2026-01-02t03:04:05Z", "t03:04:05Z", "T");
        check_unfit("2026-01-02T:04:05Z", ":04:05Z", "15");
        check_unfit("2026-01-02T03:04Z", "Z", ":");
        check_unfit("2026-01-02T03:04:05", "", "Z07:00");
        check_unfit("2026-01-02T03:04:05.Z", ".Z", "Z07:00");
        check_unfit("2026-01-02T03:04:05+0100", "+0100", "Z07:00");
        check_unfit("2026-01-02T03:04:05z", "z", "Z07:00");
    }

    #[test]
    fn what_is_too_much_is_told() {
        let check = |text: &str, why: &str| {
            check_refused(text, &format!("parsing time \"{text}\": {why}"));
        };
        check("2026-13-01T00:00:00Z", "month out of range");
        check("2026-00-01T00:00:00Z", "month out of range");
        check("2026-02-29T00:00:00Z", "day out of range");
        check("2026-02-00T00:00:00Z", "day out of range");
        check("2026-01-01T24:00:00Z", "hour out of range");
        check("2026-01-01T00:60:00Z", "minute out of range");
        check("2026-01-01T00:00:60Z", "second out of range");
        check(
            "2026-01-01T00:00:00+25:00",
            "time zone offset hour out of range",
        );
        check(
            "2026-01-01T00:00:00+00:61",
            "time zone offset minute out of range",
        );
        check("2026-01-01T00:00:00Zx", "extra text: \"x\"");
        check_refused(
            "2026-01-01T00:00:00Z\"é",
            r#"parsing time "2026-01-01T00:00:00Z\"\xc3\xa9": extra text: "\"\xc3\xa9""#,
        );
    }
}
