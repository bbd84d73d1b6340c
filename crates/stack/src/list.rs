//! Header fields whose value is a list (RFC 9110, section 5.6.1).

use http::{HeaderMap, header::AsHeaderName};

/// The elements of the list `name` in `headers`: of all its lines in their order, without the space
/// around them, the empty ones left out. A line that is not ASCII has none. Commas in quoted
/// strings count: for lists of tokens.
pub fn list_elements<N: AsHeaderName>(headers: &HeaderMap, name: N) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::CONNECTION};

    use super::list_elements;

    #[test]
    fn every_line_counts_and_nothing_empty_does() {
        let mut headers = HeaderMap::new();
        for line in [" close ,, te", "", "Upgrade,"] {
            headers.append(CONNECTION, HeaderValue::from_static(line));
        }
        headers.append(
            CONNECTION,
            HeaderValue::from_bytes(b"\xff").expect("a value"),
        );
        let elements: Vec<_> = list_elements(&headers, CONNECTION).collect();
        assert_eq!(elements, ["close", "te", "Upgrade"]);
        assert_eq!(list_elements(&headers, "upgrade").count(), 0);
    }
}
