//! Finds the fields of a value that its type does not have.

use std::fmt::Write;

use serde_json::Value;

use super::MAX_FAULTS;
use crate::{definition::Type, go};

/// `unknown field "spec.x"` for each field of `value` that `ty` does not have.
pub fn unknown_fields(value: &Value, ty: Type) -> Vec<String> {
    let mut search = Search {
        path: String::new(),
        found: Vec::new(),
    };
    search.value(value, ty);
    search.found
}

struct Search {
    path: String,
    found: Vec<String>,
}

// === impl Search ===

impl Search {
    fn value(&mut self, value: &Value, ty: Type) {
        let end = self.path.len();
        for (name, value) in value.as_object().into_iter().flatten() {
            if end > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
            match ty.entry(name) {
                Some(ty) => self.value(value, ty),
                None if self.found.len() < MAX_FAULTS => {
                    self.found
                        .push(format!("unknown field {}", go::quote(&self.path)));
                }
                None => {}
            }
            self.path.truncate(end);
        }
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            write!(self.path, "[{index}]").expect("a String takes all that is written");
            self.value(value, ty.item());
            self.path.truncate(end);
        }
    }
}
