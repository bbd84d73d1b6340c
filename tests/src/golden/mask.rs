//! What varies from one answer to the next, and what stands for it in the record.

use std::sync::LazyLock;

use fleetgate_testkit::golden::MASKED;
use http::header::HeaderMap;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::http::Reply;

/// The headers that clients depend on.
const HEADERS: [&str; 7] = [
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "vary",
    "warning",
];

/// What is compared of an answer; the values of the keys in `show` are.
pub(super) fn reply(reply: &Reply, show: &[String]) -> Value {
    let mask = |value: &Value| value_without(value, show);
    let text = reply.text();
    let body = match serde_json::from_slice(&reply.body) {
        Ok(value) => mask(&value),
        Err(_) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let values: Result<Vec<Value>, _> = lines.map(serde_json::from_str).collect();
            match values {
                Ok(values) => values.iter().map(mask).collect(),
                Err(_) => Value::String(mask_text(&text)),
            }
        }
    };
    json!({
        "status": reply.status.as_u16(), "headers": headers(&reply.headers), "body": body,
    })
}

/// The headers of the record; of several with one name, the last.
fn headers(all: &HeaderMap) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in HEADERS {
        if let Some(value) = all.get_all(name).iter().next_back() {
            let text = mask_text(&String::from_utf8_lossy(value.as_bytes()));
            kept.insert(name.to_owned(), text.into());
        }
    }
    if all.contains_key("etag") {
        kept.insert("etag-present".to_owned(), "yes".into());
    }
    kept
}

/// `value` without what varies, except for the keys in `show`.
fn value_without(value: &Value, show: &[String]) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| value_without(item, show)).collect(),
        Value::Object(fields) => {
            let masked = fields.iter().map(|(key, value)| {
                let stand_in = MASKED.iter().find(|(name, _)| name == key);
                let shown = show.contains(key) || is_empty(value);
                let value = match stand_in {
                    Some((_, stand_in)) if !shown => (*stand_in).into(),
                    _ => value_without(value, show),
                };
                (key.clone(), value)
            });
            Value::Object(masked.collect())
        }
        Value::String(text) => mask_text(text).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What the record calls empty: nothing that could vary.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

fn mask_text(text: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (
                "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "UID",
            ),
            (r"^\d+s$", "AGE"),
            (r"(resource version: )\d+( \(\d+\))?", "${1}RV"),
            (r"(current: )\d+", "${1}RV"),
            (r#"resourceVersion: "\d+""#, r#"resourceVersion: "RV""#),
            ("gen-[a-z0-9]{5}", "gen-XXXXX"),
            (r#"in scheme "[^"]*""#, r#"in scheme "SCHEME""#),
            (r"(127\.0\.0\.1|localhost):\d+", "${1}:PORT"),
        ];
        rules
            .map(|(from, to)| (Regex::new(from).unwrap(), to))
            .into()
    });
    let mut text = text.to_owned();
    for (from, to) in RULES.iter() {
        text = from.replace_all(&text, *to).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::value_without;

    #[track_caller]
    fn check(value: Value, want: Value) {
        assert_eq!(value_without(&value, &["managedFields".to_owned()]), want);
    }

    #[test]
    fn what_varies_is_masked() {
        check(
            json!({"uid": "u", "a": {"uid": ""}}),
            json!({"uid": "UID", "a": {"uid": ""}}),
        );
        check(json!(["12s", "12 s"]), json!(["AGE", "12 s"]));
        check(json!("at 2026-01-02T03:04:05Z"), json!("at TIME"));
        check(
            json!("https://127.0.0.1:80"),
            json!("https://127.0.0.1:PORT"),
        );
        check(
            json!("too old resource version: 7 (9)"),
            json!("too old resource version: RV"),
        );
    }

    #[test]
    fn what_a_case_shows_is_compared() {
        let fields = json!({"managedFields": [{"time": "now", "manager": "m"}]});
        check(
            fields,
            json!({"managedFields": [{"time": "TIME", "manager": "m"}]}),
        );
    }
}
