//! The fields that one owner has, kept as text: as a tree they would take ten times the memory, and
//! hardly anybody looks into them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};

use crate::json;

/// `metav1.FieldsV1`: a set of fields as JSON, an object unless somebody wrote something else.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct FieldsV1(Box<RawValue>);

// === impl FieldsV1 ===

impl FieldsV1 {
    /// The JSON as a tree.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.0.get()).expect("a raw value is JSON")
    }
}

impl From<&Value> for FieldsV1 {
    fn from(value: &Value) -> Self {
        let text = json::to_vec(value)
            .ok()
            .and_then(|text| String::from_utf8(text).ok());
        let raw = text.and_then(|text| RawValue::from_string(text).ok());
        Self(raw.expect("a value is written as JSON"))
    }
}

impl PartialEq for FieldsV1 {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl<'de> Deserialize<'de> for FieldsV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&Value::deserialize(deserializer)?))
    }
}
