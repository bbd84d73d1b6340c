//! Label and field selectors: two of them joined select what both select, and requirements made up
//! here select what a plain reading of them says.

use std::collections::BTreeMap;

use fleetgate_apimachinery::selector::{FieldSelector, LabelSelector};

const KEYS: [&str; 4] = ["a", "b", "x.io/a", "c-d"];
const VALUES: [&str; 5] = ["", "1", "7", "x", "y-z"];

pub fn run(data: &[u8]) {
    let labels = labels(data);
    made_up(data, &labels);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    // As in Go's reader of labels, a NUL ends a selector: what is joined to it is not read.
    if one.contains('\0') {
        return;
    }
    label(one, other, &labels);
    field(one, other);
}

fn label(one: &str, other: &str, labels: &BTreeMap<String, String>) {
    let (Ok(first), Ok(second)) = (LabelSelector::parse(one), LabelSelector::parse(other)) else {
        return;
    };
    assert_eq!(first.matches(labels), first.clone().matches(labels));
    if first.is_empty() || second.is_empty() {
        return;
    }
    let both = LabelSelector::parse(&format!("{one},{other}")).expect("both can be read");
    assert_eq!(
        both.matches(labels),
        first.matches(labels) && second.matches(labels)
    );
}

fn field(one: &str, other: &str) {
    let Ok(first) = FieldSelector::parse(one) else {
        return;
    };
    // Terms stand in the order of their texts, which printing changes.
    let again = FieldSelector::parse(&first.to_string()).expect("what was printed can be read");
    let value = |name: &str| VALUES[name.len() % VALUES.len()];
    assert_eq!(first.matches(value), again.matches(value));
    if let Ok(second) = FieldSelector::parse(other)
        && !one.ends_with('\\')
    {
        let both = FieldSelector::parse(&format!("{one},{other}")).expect("both can be read");
        assert_eq!(
            both.matches(value),
            first.matches(value) && second.matches(value)
        );
    }
}

/// Reads each three bytes as a requirement.
fn made_up(data: &[u8], labels: &BTreeMap<String, String>) {
    let (mut texts, mut all) = (Vec::new(), true);
    for bytes in data.chunks_exact(3) {
        let key = KEYS[usize::from(bytes[0]) % KEYS.len()];
        let one = VALUES[usize::from(bytes[1]) % VALUES.len()];
        let other = VALUES[usize::from(bytes[2] >> 4) % VALUES.len()];
        let has = labels.get(key).map(String::as_str);
        let number = |text: &str| text.parse::<i64>().ok();
        let (text, selects) = match bytes[2] % 9 {
            0 => (key.to_owned(), has.is_some()),
            1 => (format!("!{key}"), has.is_none()),
            2 => (format!("{key}={one}"), has == Some(one)),
            3 => (format!(" {key} == {one} "), has == Some(one)),
            4 => (format!("{key}!={one}"), has != Some(one)),
            5 => (
                format!("{key} in ({one},{other})"),
                has == Some(one) || has == Some(other),
            ),
            6 => (
                format!("{key} notin ({one}, {other})"),
                has != Some(one) && has != Some(other),
            ),
            7 => (
                format!("{key}>4"),
                has.and_then(number).is_some_and(|it| it > 4),
            ),
            _ => (
                format!("{key}<4"),
                has.and_then(number).is_some_and(|it| it < 4),
            ),
        };
        texts.push(text);
        all &= selects;
    }
    let text = texts.join(",");
    let selector = LabelSelector::parse(&text).unwrap_or_else(|why| panic!("{text:?}: {why}"));
    assert_eq!(selector.matches(labels), all, "{text:?} on {labels:?}");
}

/// Labels that are different for other inputs.
fn labels(data: &[u8]) -> BTreeMap<String, String> {
    let seed: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    let mut labels = BTreeMap::new();
    for (index, key) in KEYS.iter().enumerate() {
        if seed >> index & 1 == 1 {
            let value = VALUES[(seed >> 4) % (index + 2) % VALUES.len()];
            labels.insert((*key).to_owned(), value.to_owned());
        }
    }
    labels
}
