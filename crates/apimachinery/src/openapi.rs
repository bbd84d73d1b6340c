//! The OpenAPI documents of all that is served, made from [`Group`]s and the definitions of their
//! types.
//!
//! They name operations, parameters and types as Kubernetes' own servers do, because clients look
//! them up by these names. Two forms: version 2 in one document, version 3 in one for each group and
//! version. Either is written as JSON and as Gnostic's protobuf.

mod operation;
mod parameter;
mod path;
mod protobuf;
mod schema;
mod v2;
mod v3;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::{discovery::Group, json};

pub use self::parameter::{Parameter, Place};

/// What is said of the server itself.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// What the whole API is called.
    pub title: &'a str,
    /// Its version, e.g. `1.36`.
    pub version: &'a str,
}

/// One document, in both forms in which it is read.
#[derive(Clone, Debug)]
pub struct Document {
    /// As JSON.
    pub json: Vec<u8>,
    /// As a message of Gnostic.
    pub protobuf: Vec<u8>,
    /// What tells it from any other version of itself: SHA-512 of the JSON, in upper case
    /// hexadecimal digits.
    pub hash: String,
}

/// The document of version 2, of all `groups`.
pub fn v2(groups: &[Group], info: Info<'_>) -> Document {
    let document = v2::document(&path::paths(groups), groups, info);
    Document::of(&document, &protobuf::V2)
}

/// The documents of version 3 by the key that the index lists them with, such as
/// `apis/cluster.karmada.io/v1alpha1`.
pub fn v3(groups: &[Group], info: Info<'_>) -> BTreeMap<String, Document> {
    let mut parts: BTreeMap<String, Vec<path::PathItem>> = BTreeMap::new();
    for item in path::paths(groups) {
        parts.entry(item.key()).or_default().push(item);
    }
    let documents = parts.into_iter().map(|(key, items)| {
        let document = v3::document(&items, groups, info);
        (key, Document::of(&document, &protobuf::V3))
    });
    documents.collect()
}

/// The index of the documents of version 3: where each is, with its hash.
pub fn v3_index(documents: &BTreeMap<String, Document>) -> Vec<u8> {
    let paths = documents.iter().map(|(key, document)| {
        let hash = &document.hash;
        let url = format!("/openapi/v3/{key}?hash={hash}");
        (key.clone(), json!({"serverRelativeURL": url}))
    });
    bytes(&json!({"paths": paths.collect::<serde_json::Map<_, _>>()}))
}

/// The hash of a document: SHA-512, in upper case hexadecimal digits.
pub fn hash(document: &[u8]) -> String {
    Sha512::digest(document)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

// === impl Document ===

impl Document {
    fn of(document: &Value, message: &'static protobuf::Message) -> Self {
        let json = bytes(document);
        Self {
            protobuf: protobuf::encode(document, message),
            hash: hash(&json),
            json,
        }
    }
}

fn bytes(document: &Value) -> Vec<u8> {
    json::to_vec(document).expect("maps with text as keys serialize")
}

#[cfg(test)]
mod tests;
