//! Kubernetes API conventions for any resource: Status, request info, selectors, patches, list and watch options, negotiation, discovery.
//!
//! Knows no resource kind, no store and no HTTP server.

pub mod json;
pub mod meta;
pub mod request_info;
pub mod selector;
pub mod status;
