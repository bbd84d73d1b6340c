//! Kubernetes API conventions for any resource: Status, request info, selectors, patches, list and watch options, negotiation, discovery.
//!
//! Knows no resource kind, no store and no HTTP server.

pub mod decode;
pub mod definition;
pub mod discovery;
pub mod field;
pub mod go;
pub mod json;
pub mod managed_fields;
pub mod meta;
pub mod negotiation;
pub mod openapi;
pub mod options;
pub mod patch;
mod protobuf;
pub mod query;
pub mod request_info;
pub mod schema;
pub mod selector;
pub mod status;
pub mod table;
pub mod validation;
pub mod watch;
pub mod zero;
