//! Takes out of an object what an applier no longer names.

use serde_json::Value;

use super::{
    FieldSet,
    merge::{fields_of, without},
};
use crate::definition::Type;

/// `merged`, one of `ty`, without what is in `last` alone: fields that the applier named before,
/// that nobody owns now, and that hold nothing that somebody owns. `owned` is what all own now,
/// the applier with what it names this time.
pub(super) fn prune(merged: Value, last: &FieldSet, owned: &FieldSet, ty: Type) -> Value {
    if last.is_empty() {
        return merged;
    }
    let full = |set: &FieldSet| set.with_fields(Some(ty));
    let there = full(&fields_of(&merged, ty));
    let last = full(last);

    // All of it, and then what others need of that comes back.
    let mut gone = there.clone();
    gone.subtract(&full(&fields_of(&without(&merged, &last, ty), ty)));
    gone.subtract(&full(owned));

    // What goes with it and never was the applier's comes back as well.
    let mut really = there;
    really.subtract(&full(&fields_of(&without(&merged, &gone, ty), ty)));
    without(&merged, &really.intersection(&last), ty)
}
