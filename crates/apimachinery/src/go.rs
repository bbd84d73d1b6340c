//! Text as Go prints it, for messages that clients compare.

use std::fmt::Write;

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

/// Whether Go calls `c` printable: letters, marks, numbers, punctuation, symbols and the space.
pub fn is_print(c: char) -> bool {
    let combines = || c.is_alphabetic() || matches!(u32::from(c), 0x300..=0x36f | 0xfe00..=0xfe0f);
    c == ' '
        || (!c.is_whitespace() && !c.is_control() && (c.escape_debug().count() == 1 || combines()))
        || matches!(c, '\'' | '"' | '\\')
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
    use super::quote;

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(quote(text), want);
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
}
