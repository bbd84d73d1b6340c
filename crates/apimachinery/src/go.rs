//! Text as Go prints and reads it, for messages that clients compare and for what people write.

mod duration;
mod time;

use std::fmt::Write;

use serde_json::{Number, Value};

pub use self::{
    duration::{DurationError, parse_duration},
    time::{TimeError, parse_time},
};

/// `text` in double quotes, as Go's `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if is_print(c) => out.push(c),
            c => escape(&mut out, c),
        }
    }
    out.push('"');
    out
}

/// `value` as Go's `%v` prints what it decodes to: `map[a:1 b:[x <nil>]]`.
pub fn print(value: &Value) -> String {
    let mut out = String::new();
    print_to(&mut out, value, &print_scalar);
    out
}

/// `value` as Go's `%s` prints what it decodes to: as [`print()`], with a remark on what is no text.
pub fn print_as_text(value: &Value) -> String {
    let mut out = String::new();
    print_to(&mut out, value, &|value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "%!s(<nil>)".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("%!s({}={})", type_name(value), print_scalar(value))
        }
    });
    out
}

/// The type that Go decodes `value` to where it knows none.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn print_to(out: &mut String, value: &Value, scalar: &dyn Fn(&Value) -> String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                print_to(out, item, scalar);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push_str("map[");
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                print_to(out, field, scalar);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&scalar(value));
        }
    }
}

fn print_scalar(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => print_number(number),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A number as `%v` prints it: with an exponent from a million on, if it is no integer.
fn print_number(number: &Number) -> String {
    let float = match number.as_f64() {
        Some(float) if !number.is_i64() => float,
        Some(_) | None => return number.to_string(),
    };
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        Ok(_) | Err(_) => format!("{float}"),
    }
}

/// Whether Go calls `c` printable: letters, marks, numbers, punctuation, symbols and the space.
pub fn is_print(c: char) -> bool {
    let combines = || c.is_alphabetic() || matches!(u32::from(c), 0x300..=0x36f | 0xfe00..=0xfe0f);
    c == ' '
        || (!c.is_whitespace() && !c.is_control() && (c.escape_debug().count() == 1 || combines()))
        || matches!(c, '\'' | '"' | '\\')
}

/// The bytes that `text` stands for in URL-safe base64 without padding, as Go's `RawURLEncoding`
/// reads it: line breaks are passed over, and the bits that are left at the end may be any.
///
/// # Errors
/// Where `text` is wrong, in Go's words.
pub fn decode_base64_url(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for (at, byte) in text.bytes().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => return Err(Base64Error { at }),
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.extend((bits >> count).to_be_bytes().last());
        }
    }
    // A single character is no byte.
    if count == 6 {
        return Err(Base64Error { at: text.len() - 1 });
    }
    Ok(out)
}

/// What is no base64; the text is Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {at}")]
pub struct Base64Error {
    at: usize,
}

/// What Go's JSON decoder calls the type of `value`.
pub const fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        Value::Null => "null",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
        Value::String(_) => "string",
    }
}

fn escape(out: &mut String, c: char) {
    let code = u32::from(c);
    let written = match code {
        0..=0x7f => write!(out, "\\x{code:02x}"),
        0x80..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    written.expect("a String takes all that is written");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{decode_base64_url, print, print_as_text, quote};

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(quote(text), want);
    }

    #[test]
    fn base64_is_read_as_go_reads_it() {
        let check = |text: &str, want: Result<&str, &str>| {
            let got = decode_base64_url(text).map_err(|error| error.to_string());
            let want = want.map(|text| text.as_bytes().to_vec());
            assert_eq!(got, want.map_err(str::to_owned), "{text:?}");
        };
        check("", Ok(""));
        check("YQ", Ok("a"));
        check("YR", Ok("a"));
        check("YW\nJj", Ok("abc"));
        check("YWJj", Ok("abc"));
        check("x", Err("illegal base64 data at input byte 0"));
        check("YWJjx", Err("illegal base64 data at input byte 4"));
        check("a===", Err("illegal base64 data at input byte 1"));
        check("!!", Err("illegal base64 data at input byte 0"));
    }

    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        check("", r#""""#);
        check(r#"a "b" \c"#, r#""a \"b\" \\c""#);
        check("it's é 世界", "\"it's é 世界\"");
        check("\u{7}\n\t\0\u{7f}", r#""\a\n\t\x00\x7f""#);
        check("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#);
        check("\u{10ffff}", r#""\U0010ffff""#);
    }

    #[track_caller]
    fn check_print(value: &Value, want: &str, want_text: &str) {
        assert_eq!(
            (print(value).as_str(), print_as_text(value).as_str()),
            (want, want_text)
        );
    }

    #[test]
    fn values_are_printed_as_go_prints_them() {
        let value = json!({"b": [1, "x", null, true], "a": {}});
        let text = "map[a:map[] b:[%!s(int64=1) x %!s(<nil>) %!s(bool=true)]]";
        check_print(&value, "map[a:map[] b:[1 x <nil> true]]", text);
        check_print(&json!(1.5), "1.5", "%!s(float64=1.5)");
        let numbers = json!([
            100000.0,
            1000000.0,
            123456789.0,
            0.0001,
            1.5e-7,
            -2e30,
            u64::MAX
        ]);
        let want = "[100000 1e+06 1.23456789e+08 0.0001 1.5e-07 -2e+30 1.8446744073709552e+19]";
        assert_eq!(print(&numbers), want);
    }
}
