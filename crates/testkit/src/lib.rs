//! Fake members that misbehave, certificates, builders.
//!
//! For tests only: a failure inside panics with what went wrong, because a test that cannot be set
//! up has nothing to report but that.
//!
//! - [`certs`]: CAs and leaves, good and bad.
//! - [`FakeHost`]: a host control plane that answers from scripted state, with a `kube::Client`.
//! - [`FakeMember`]: an HTTP server on loopback that records what it receives and answers as told.
//! - [`RawServer`]: a listener whose connections a closure serves, for what no HTTP server would do.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]

pub mod certs;
pub mod golden;
mod host;
mod member;
mod raw_server;
mod server;

pub use host::{Call, FakeHost, ServedHost};
pub use member::{
    Answer, Chunks, FakeMember, FakeMemberBuilder, Received, UpgradeScript, UpgradedRecord,
    websocket_accept,
};
pub use raw_server::{Accepted, RawServer};
pub use server::{Body, Counts};
