//! What varies between the recorded answers of karmada-aggregated-apiserver and those of another
//! run, for all who replay the cases.

use serde_json::Value;

/// A key whose value is masked, and by what.
pub const MASKED: [(&str, &str); 10] = [
    ("continue", "CONTINUE"),
    ("creationTimestamp", "TIME"),
    ("description", "TEXT"),
    ("lastTransitionTime", "TIME"),
    ("managedFields", "FIELDS"),
    ("resourceVersion", "RV"),
    ("serverAddress", "ADDRESS"),
    ("time", "TIME"),
    ("timeAdded", "TIME"),
    ("uid", "UID"),
];

/// Puts owners of fields into an order of their own. Theirs is by time, to the second, which is
/// masked: two writes may fall into one second or into two.
pub fn without_ages(answer: &mut Value) {
    match answer {
        Value::Array(items) => items.iter_mut().for_each(without_ages),
        Value::Object(fields) => {
            if let Some(Value::Array(owners)) = fields.get_mut("managedFields") {
                owners.sort_by_key(|owner| {
                    let text = |field: &str| owner[field].as_str().unwrap_or_default().to_owned();
                    (text("operation"), text("manager"), text("subresource"))
                });
            }
            fields.values_mut().for_each(without_ages);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::without_ages;

    #[test]
    fn owners_of_one_second_or_of_two_are_alike() {
        let owners = |first: &str, second: &str| {
            let owner = |manager: &str| json!({"operation": "Apply", "manager": manager});
            json!([{"managedFields": [owner(first), owner(second)]}])
        };
        let mut answer = owners("b", "a");
        without_ages(&mut answer);
        assert_eq!(answer, owners("a", "b"));
    }
}
