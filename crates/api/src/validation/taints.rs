//! What is refused in taints.

use std::collections::HashSet;

use fleetgate_apimachinery::{
    field::{BadValue, FieldError, Path},
    json,
    validation::{label_value, qualified_name},
};

use crate::{NO_EXECUTE, NO_SCHEDULE, Taint};

const EFFECTS: [&str; 2] = [NO_SCHEDULE, NO_EXECUTE];

pub(super) fn check(taints: &[Taint], path: &Path, errors: &mut Vec<FieldError>) {
    let mut seen = HashSet::new();
    for (at, taint) in taints.iter().enumerate() {
        let path = path.index(at);
        let Taint {
            key,
            value,
            effect,
            time_added: _,
        } = taint;
        let wrong_key = qualified_name(key).into_iter();
        errors.extend(wrong_key.map(|why| FieldError::invalid(&path.child("key"), key, why)));
        let wrong_value = label_value(value);
        if !wrong_value.is_empty() {
            let why = wrong_value.join(";");
            errors.push(FieldError::invalid(&path.child("value"), value, why));
        }
        errors.extend(check_effect(effect, &path.child("effect")));
        if !seen.insert((key, effect)) {
            errors.push(duplicate(taint, &path));
        }
    }
}

fn check_effect(effect: &str, path: &Path) -> Option<FieldError> {
    match effect {
        "" => Some(FieldError::required(path, "")),
        effect if EFFECTS.contains(&effect) => None,
        effect => Some(FieldError::not_supported(path, effect, &EFFECTS)),
    }
}

/// A duplicate; that error has no detail of its own, so the rule is told behind the value.
fn duplicate(taint: &Taint, path: &Path) -> FieldError {
    let shown = json::to_vec(taint).unwrap_or_default();
    let shown = String::from_utf8_lossy(&shown);
    let rule = "taints must be unique by key and effect pair";
    FieldError::duplicate(path, BadValue::printed(format!("{shown}: {rule}")))
}
