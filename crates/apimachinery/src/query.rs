//! A query as Go's `url.ParseQuery` reads it, and values as Kubernetes' conversions read them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::go;

/// A parsed query: pairs in their order; the first of a key counts, as in Go.
#[derive(Clone, Debug, Default)]
pub struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

/// A parameter that is no number; the text is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {}: {}", go::quote(.text), .why)]
pub struct NumberError {
    function: &'static str,
    text: String,
    why: &'static str,
}

/// The pairs of `query`, decoded, in order. A pair with a `;` or an invalid percent-encoding is
/// left out, as Go leaves it out.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(key)?, decode(value)?))
        })
}

/// A boolean: all but `0` and `false` is true.
pub(crate) fn truth(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

/// `text` with `+` and percent-encodings undone; nothing if an encoding is invalid. Bytes that are
/// not UTF-8 become U+FFFD.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let valid = text
        .match_indices('%')
        .all(|(at, _)| is_hex(at + 1) && is_hex(at + 2));
    let spaced = text.replace('+', " ");
    valid.then(|| Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned()))
}

/// An unsigned number as Go's `strconv.ParseUint` reads it.
///
/// # Errors
/// [`NumberError`] with Go's text.
pub fn parse_uint(text: &str) -> Result<u64, NumberError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number("ParseUint", text, digits)
}

fn number<N: std::str::FromStr>(
    function: &'static str,
    text: &str,
    is_number: bool,
) -> Result<N, NumberError> {
    let why = if is_number {
        "value out of range"
    } else {
        "invalid syntax"
    };
    let parsed = is_number.then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| NumberError {
        function,
        text: text.to_owned(),
        why,
    })
}

// === impl Query ===

impl<'q> Query<'q> {
    /// Reads `raw`, a query without `?`.
    pub fn parse(raw: &'q str) -> Self {
        Self(pairs(raw).collect())
    }

    /// The same query, of its own.
    pub fn into_owned(self) -> Query<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Query(
            self.0
                .into_iter()
                .map(|(key, value)| (own(key), own(value)))
                .collect(),
        )
    }

    /// The first value of `key`.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of `key`.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| &**value)
    }

    /// The first value of `key`, or nothing.
    pub fn text(&self, key: &str) -> &str {
        self.first(key).unwrap_or_default()
    }

    /// The boolean `key`, if it is there.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.first(key).map(truth)
    }

    /// The number `key`, if it is there.
    ///
    /// # Errors
    /// [`NumberError`] if it is no number of 64 bits.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, NumberError> {
        let Some(text) = self.first(key) else {
            return Ok(None);
        };
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        number("ParseInt", text, is_number).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, pairs, parse_uint};

    #[track_caller]
    fn check(query: &str, want: &[(&str, &str)]) {
        let got: Vec<_> = pairs(query).collect();
        let got: Vec<_> = got.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(got, want, "{query}");
    }

    #[test]
    fn a_query_is_read_as_go_reads_it() {
        check("", &[]);
        check("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        check("w%61tch&x=", &[("watch", ""), ("x", "")]);
        check("a=b+c%2Bd", &[("a", "b c+d")]);
        check("a=1;b=2&c=%zz&d=%4&e=5", &[("e", "5")]);
        check("a=b=c", &[("a", "b=c")]);
    }

    #[test]
    fn values_are_read_as_go_reads_them() {
        let query = Query::parse("t&f=False&n=-7&x=1x&big=9223372036854775808");
        assert_eq!(query.boolean("t"), Some(true));
        assert_eq!(query.boolean("f"), Some(false));
        assert_eq!(query.boolean("none"), None);
        assert_eq!(query.integer("n"), Ok(Some(-7)));
        let error = |key| query.integer(key).unwrap_err().to_string();
        assert_eq!(
            error("x"),
            "strconv.ParseInt: parsing \"1x\": invalid syntax"
        );
        assert_eq!(
            error("big"),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert_eq!(
            parse_uint("-1").unwrap_err().to_string(),
            "strconv.ParseUint: parsing \"-1\": invalid syntax"
        );
    }
}
