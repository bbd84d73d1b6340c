//! A versioned store with watch: etcd, embedded file, memory.
//!
//! [`Store`] is what the rest of the server knows: keys with bytes, one revision counter for the
//! whole store, writes that say what they expect to find, and watches that miss nothing. Three
//! backends stand behind it, chosen at run time: [`EtcdStore`](etcd::EtcdStore) speaks to an etcd
//! cluster, [`EmbeddedStore`](embedded::EmbeddedStore) keeps one file, and
//! [`MemoryStore`](memory::MemoryStore) keeps nothing. Over any of them,
//! [`EncryptedStore`](encryption::EncryptedStore) encrypts the values.
//!
//! Keys are used as given: a prefix such as `/registry` is the caller's to put in front ([`key`]
//! joins the parts).
#![warn(missing_docs)]

#[cfg(test)]
extern crate self as fleetgate_storage;

#[cfg(test)]
#[path = "../tests/storage/checker.rs"]
mod checker;
pub mod embedded;
pub mod encryption;
pub mod etcd;
mod index;
mod local;
pub mod memory;
mod store;

pub use index::History;
pub use store::{
    Event, EventKind, KeyValue, Keys, Range, RangeResult, Store, StoreError, ValueState,
    WatchBatch, Write, WriteResult, key,
};
