//! The part of metadata that is the server's: filled on creation, kept on update.

use fleetgate_apimachinery::meta::{ObjectMeta, OwnerReference, Time};
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
    let mut kept: Vec<OwnerReference> = Vec::with_capacity(metadata.owner_references.len());
    for owner in metadata.owner_references.drain(..) {
        if !kept.contains(&owner) {
            kept.push(owner);
        }
    }
    metadata.owner_references = kept;
}
