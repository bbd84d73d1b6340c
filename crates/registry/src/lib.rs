//! The clusters: REST strategy and watch cache over storage; answers "which cluster is this".
//!
//! The machinery is generic over a [`Strategy`]: a second kind is a strategy, a type and a column
//! list. It knows no HTTP: what goes wrong is a `Status`, and the API server writes it down.
#![warn(missing_docs)]

mod cache;
mod cluster;
mod error;
mod members;
mod names;
mod registry;
mod selection;
mod stored;
mod strategy;
#[cfg(test)]
mod testing;
mod watch;

pub use cluster::{CLUSTERS, ClusterRegistry, ClusterStrategy};
pub use members::MemberMap;
pub use registry::{
    ApplyError, ApplyOutcome, Change, Deleted, List, MayCreate, Part, Reached, Registry, Wanted,
};
pub use stored::{Form, Stored};
pub use strategy::{ItemKeys, Names, Object, Strategy};
pub use watch::WatchEvent;
