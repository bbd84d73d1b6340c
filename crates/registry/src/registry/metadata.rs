//! The part of metadata that is the server's: filled on creation, kept on update.

use std::collections::HashSet;

use fleetgate_apimachinery::meta::{ObjectMeta, Time};
use uuid::Uuid;

/// Makes `metadata` that of an object that is being created now.
pub(super) fn fill(metadata: &mut ObjectMeta, now: Time) {
    metadata.namespace.clear();
    metadata.self_link.clear();
    metadata.deletion_timestamp = None;
    metadata.deletion_grace_period_seconds = None;
    metadata.creation_timestamp = Some(now);
    metadata.uid = Uuid::new_v4().to_string();
}

/// Keeps in `metadata` what an update may leave out, and what it cannot change.
pub(super) fn keep(metadata: &mut ObjectMeta, old: &ObjectMeta) {
    metadata.namespace.clear();
    metadata.self_link.clear();
    if metadata.uid.is_empty() {
        metadata.uid.clone_from(&old.uid);
    }
    if old.creation_timestamp.is_some() {
        metadata.creation_timestamp = old.creation_timestamp;
    }
    if old.deletion_timestamp.is_some() {
        metadata.deletion_timestamp = old.deletion_timestamp;
    }
    if metadata.deletion_grace_period_seconds.is_none() {
        metadata.deletion_grace_period_seconds = old.deletion_grace_period_seconds;
    }
}

/// Drops owners that are named before.
pub(super) fn dedup_owners(metadata: &mut ObjectMeta) {
    let mut seen = HashSet::with_capacity(metadata.owner_references.len());
    let owners = metadata.owner_references.iter();
    let first: Vec<bool> = owners.map(|owner| seen.insert(owner)).collect();
    let mut first = first.into_iter();
    metadata
        .owner_references
        .retain(|_| first.next().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use fleetgate_apimachinery::meta::{ObjectMeta, OwnerReference};

    use super::dedup_owners;

    #[test]
    fn owners_are_kept_in_order_where_they_are_named_first() {
        let owner = |(name, controller): &(&str, Option<bool>)| OwnerReference {
            name: (*name).to_owned(),
            controller: *controller,
            ..OwnerReference::default()
        };
        let named = [("b", None), ("a", None), ("b", None), ("a", Some(true))];
        let mut metadata = ObjectMeta {
            owner_references: named.iter().map(owner).collect(),
            ..ObjectMeta::default()
        };
        dedup_owners(&mut metadata);
        let want = [("b", None), ("a", None), ("a", Some(true))];
        let want: Vec<_> = want.iter().map(owner).collect();
        assert_eq!(metadata.owner_references, want);
    }
}
