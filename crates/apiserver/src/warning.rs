//! `Warning` headers (RFC 9111, code 299), as Kubernetes writes and limits them.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, header::WARNING};

/// Most characters of all warnings of one answer; beyond, each is cut.
const MAX_TOTAL: usize = 4096;
/// Most characters of one warning where warnings are cut.
const MAX_ONE: usize = 256;

/// Adds `texts`, each once, to `headers`. A text with control characters is left out.
pub(crate) fn add(headers: &mut HeaderMap, texts: &[String]) {
    let mut seen = HashSet::with_capacity(texts.len());
    let fit: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty() && !text.contains(char::is_control))
        .filter(|text| seen.insert(*text))
        .collect();
    let mut total = 0;
    let beyond = fit.iter().position(|text| {
        total += text.chars().count();
        total > MAX_TOTAL
    });
    let Some(beyond) = beyond else {
        fit.iter().for_each(|text| append(headers, text));
        return;
    };
    // The one that is too much, and all before it, are there in any case; then as many as fit.
    let mut written = 0;
    for (index, text) in fit.iter().enumerate() {
        if index > beyond && written >= MAX_TOTAL {
            return;
        }
        let cut: String = text.chars().take(MAX_ONE).collect();
        written += cut.chars().count();
        append(headers, &cut);
    }
}

/// `299 - "text"`.
fn append(headers: &mut HeaderMap, text: &str) {
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    let value = format!("299 - \"{quoted}\"");
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.append(WARNING, value);
    }
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
        let want = [r#"299 - "a""#, r#"299 - "b\\ü""#];
        assert_eq!(added(&["a", "", "a", "b\\ü"]), want);
    }

    #[test]
    fn what_no_header_may_hold_is_left_out() {
        assert_eq!(added(&["a\nb", "c\u{85}", "d"]), [r#"299 - "d""#]);
    }

    #[test]
    fn warnings_are_cut_where_all_together_are_too_long() {
        let (whole, long, cut) = ("ä".repeat(4096), "b".repeat(300), "b".repeat(256));
        assert_eq!(added(&[&whole]), [format!("299 - \"{whole}\"")]);
        let first = format!("299 - \"{}\"", "ä".repeat(256));
        let want = [first, format!("299 - \"{cut}\"")];
        assert_eq!(added(&[&whole, &long]), want);
        let many: Vec<_> = (0..40).map(|n| format!("{n:0>300}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(added(&many).len(), 16);
    }
}
