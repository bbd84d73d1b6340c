//! JSON as Go's `encoding/json` writes it, so that stored bytes and answers are the same.

use std::io;

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// Compact JSON that escapes `<`, `>`, `&`, U+2028 and U+2029 as Go does.
#[derive(Clone, Debug, Default)]
struct GoFormatter;

/// `value` as compact JSON, byte for byte what Go's `json.Marshal` would write.
///
/// # Errors
/// If `value` cannot be serialized, e.g. a map with keys that are not strings.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut out, GoFormatter))?;
    Ok(out)
}

// === impl GoFormatter ===

impl Formatter for GoFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some(at) = rest.find(special) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let Some(c) = tail.chars().next() else { break };
            write!(writer, "\\u{:04x}", u32::from(c))?;
            rest = &tail[c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::to_vec;

    #[track_caller]
    fn check(value: &str, want: &str) {
        let got = to_vec(value).expect("a string serializes");
        assert_eq!(String::from_utf8(got).expect("JSON is UTF-8"), want);
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        check("plain ünïcode", "\"plain ünïcode\"");
        check("<&>", "\"\\u003c\\u0026\\u003e\"");
        check("a\u{2028}b", "\"a\\u2028b\"");
        check("tab\tquote\"", "\"tab\\tquote\\\"\"");
        check("\u{8}\u{c}\u{1}", "\"\\b\\f\\u0001\"");
    }
}
