//! `Warning` headers (RFC 9111, code 299).

use http::{HeaderMap, HeaderValue, header::WARNING};

/// Most characters of all warnings of one answer.
const MAX_TOTAL: usize = 4096;

/// Adds `texts`, each once, to `headers`.
pub(crate) fn add(headers: &mut HeaderMap, texts: &[String]) {
    let mut total = 0;
    for (index, text) in texts.iter().enumerate() {
        if texts[..index].contains(text) {
            continue;
        }
        total += text.chars().count();
        if total > MAX_TOTAL {
            return;
        }
        if let Ok(value) = HeaderValue::from_bytes(header(text).as_bytes()) {
            headers.append(WARNING, value);
        }
    }
}

/// `299 - "text"`, without what a header may not hold.
fn header(text: &str) -> String {
    let mut out = String::from("299 - \"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::WARNING};

    use super::add;

    fn added(texts: &[&str]) -> Vec<String> {
        let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
        let mut headers = HeaderMap::new();
        add(&mut headers, &texts);
        let values = headers.get_all(WARNING).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    #[test]
    fn warnings_are_quoted_as_recorded() {
        let recorded = r#"299 - "unknown field \"spec.nope\"""#;
        assert_eq!(added(&["unknown field \"spec.nope\""]), [recorded]);
        assert_eq!(
            added(&["a", "a", "b\n\\"]),
            [r#"299 - "a""#, r#"299 - "b \\""#]
        );
        assert_eq!(added(&["a", &"b".repeat(4096)]), [r#"299 - "a""#]);
    }
}
