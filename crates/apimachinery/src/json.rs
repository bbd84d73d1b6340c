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

/// `compact`, which is JSON without spaces, indented as Go's `json.Indent` does: by two spaces.
pub fn indent(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, &byte) in compact.iter().enumerate() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        let opens_before = at > 0 && matches!(compact[at - 1], b'{' | b'[');
        match byte {
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !opens_before {
                    break_line(&mut out, depth);
                }
            }
            _ if opens_before => break_line(&mut out, depth),
            _ => {}
        }
        out.push(byte);
        match byte {
            b'{' | b'[' => depth += 1,
            b',' => break_line(&mut out, depth),
            b':' => out.push(b' '),
            b'"' => in_string = true,
            _ => {}
        }
    }
    out
}

fn break_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
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
    use super::{indent, to_vec};

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

    #[test]
    fn json_is_indented_as_go_indents_it() {
        let compact = r#"{"a":[1,{"b":{}}],"c":"x,{\"\\","d":[]}"#;
        let want = "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": \
                    \"x,{\\\"\\\\\",\n  \"d\": []\n}";
        assert_eq!(String::from_utf8_lossy(&indent(compact.as_bytes())), want);
    }
}
