//! The targets by name, and what they share.

mod applies;
mod bodies;
mod fields;
mod media;
mod patches;
mod paths;
mod selectors;
mod strategic;
mod tokens;

use fleetgate_api::CLUSTER;
use fleetgate_apimachinery::{decode::Expected, schema::GroupVersion};
use serde_json::Value;

/// What a body or a patched object must be.
const EXPECTED: Expected<'_> = Expected {
    group_version: GroupVersion {
        group: "cluster.karmada.io",
        version: "v1alpha1",
    },
    kind: "Cluster",
    definition: &CLUSTER,
};

/// What there is to fuzz. `cargo xtask fuzz` knows the targets by the directories in `seeds`.
pub const TARGETS: [(&str, fn(&[u8])); 9] = [
    ("applies", applies::run),
    ("bodies", bodies::run),
    ("fields", fields::run),
    ("media", media::run),
    ("patches", patches::run),
    ("paths", paths::run),
    ("selectors", selectors::run),
    ("strategic", strategic::run),
    ("tokens", tokens::run),
];

/// A cluster with something in most of its fields.
fn cluster() -> Value {
    serde_json::from_str(include_str!("cluster.json")).expect("the file is JSON")
}

/// The input before and after its first line feed.
fn two(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == b'\n')?;
    Some((&data[..at], &data[at + 1..]))
}

/// Bytes of `value` as JSON.
fn size(value: &Value) -> usize {
    value.to_string().len()
}
