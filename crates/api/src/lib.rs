//! cluster.karmada.io/v1alpha1: types, defaults, validation, table columns.
//!
//! Knows neither store nor server nor proxy. What comes out of it is, byte for byte and word for
//! word, what Karmada's own API server stores and answers.
#![warn(missing_docs)]

mod definition;
mod go_url;
#[cfg(test)]
mod golden_tests;
mod internal;
mod member;
mod mutation;
mod quantity;
mod served;
mod settings;
mod table;
mod types;
mod validation;

pub use definition::{CLUSTER, CLUSTER_LIST};
pub use mutation::{ResourceModeling, canonicalize, prepare_for_create, prepare_for_update};
pub use quantity::{ParseQuantityError, Quantity};
pub use served::SERVED;
pub use settings::{settings, warnings};
pub use table::PRINTER;
pub use types::{
    API_VERSION, AllocatableModeling, ApiEnablement, ApiResource, Cluster, ClusterList,
    ClusterSpec, ClusterStatus, Condition, GROUP, KIND, LIST_KIND, LocalSecretReference,
    NO_EXECUTE, NO_SCHEDULE, NodeSummary, PULL, PUSH, READY, RESOURCE, ResourceList, ResourceModel,
    ResourceModelRange, ResourceSummary, SINGULAR, Taint, VERSION,
};
pub use validation::{validate, validate_status, validate_update};
