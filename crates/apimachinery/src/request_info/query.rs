//! Reads a query as Go's `url.ParseQuery` does.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

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

#[cfg(test)]
mod tests {
    use super::pairs;

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
}
