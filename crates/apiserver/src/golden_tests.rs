//! Replays the recorded cases that need neither a member nor who is calling.

use fleetgate_testkit::golden::{MASKED, without_ages};
use serde_json::{Map, Value, json};

use crate::testing::{Answered, Fixture};

const CASES: &str = include_str!("../../../tests/golden/cases.json");
const EXPECTED: &str = include_str!("../../../tests/golden/expected.json");
/// Cases of other parts of the server.
const OTHERS: [&str; 3] = ["auth/", "proxy-", "proxy/"];
const HEADERS: [&str; 6] = [
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "warning",
];
fn mask(value: Value, show: &[&str]) -> Value {
    let is_empty = |value: &Value| matches!(value, Value::Null) || *value == json!("");
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(
                |(key, value)| match MASKED.iter().find(|(name, _)| *name == key) {
                    Some((name, masked)) if !show.contains(name) && !is_empty(&value) => {
                        (key, json!(masked))
                    }
                    Some(_) | None => (key, mask(value, show)),
                },
            )
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(|item| mask(item, show)).collect(),
        Value::String(text) if is_age(&text) => json!("AGE"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_age(text: &str) -> bool {
    let digits = text.strip_suffix('s').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The answer as it is recorded.
fn recorded(answered: &Answered, show: &[&str]) -> Value {
    let text = answered.text();
    let lines = || {
        text.lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Value>, _>>()
    };
    let body = match serde_json::from_str(&text) {
        Ok(value) => mask(value, show),
        Err(_) => match lines() {
            Ok(lines) if !lines.is_empty() => mask(lines.into(), show),
            Ok(_) | Err(_) => text.into(),
        },
    };
    let mut headers = Map::new();
    for name in HEADERS
        .iter()
        .chain(&["vary"])
        .filter(|name| answered.headers.contains_key(**name))
    {
        headers.insert((*name).to_owned(), answered.header(name).into());
    }
    if answered.headers.contains_key("etag") {
        headers.insert("etag-present".to_owned(), "yes".into());
    }
    json!({"status": answered.code.as_u16(), "headers": headers, "body": body})
}

async fn replay(fixture: &Fixture, step: &Value, show: &[&str]) -> Value {
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        headers.push((name, value.as_str().expect("a header")));
    }
    let body = match &step["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        object @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            headers.push(("content-type", "application/json"));
            object.to_string()
        }
    };
    let (method, path) = (step["method"].as_str(), step["path"].as_str());
    let (method, path) = (method.expect("a method"), path.expect("a path"));
    recorded(&fixture.ask(method, path, &headers, body).await, show)
}

#[tokio::test(start_paused = true)]
async fn recorded_cases_are_answered_as_recorded() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    let expected: Value = serde_json::from_str(EXPECTED).expect("answers");
    let fixture = Fixture::new().await;
    let (mut replayed, mut different) = (0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        if OTHERS.iter().any(|other| name.starts_with(other)) {
            continue;
        }
        let show = case["show"].as_array().into_iter().flatten();
        let show: Vec<_> = show.filter_map(Value::as_str).collect();
        for (index, step) in case["steps"].as_array().into_iter().flatten().enumerate() {
            let mut got = replay(&fixture, step, &show).await;
            let mut want = expected[name][index].clone();
            without_ages(&mut got);
            without_ages(&mut want);
            replayed += 1;
            if got != want {
                different.push(format!("{name} {index}\n got {got}\nwant {want}"));
            }
        }
    }
    assert_eq!(
        different,
        [""; 0],
        "{} of {replayed} steps differ",
        different.len()
    );
    assert!(replayed > 80, "only {replayed} steps were replayed");
}
