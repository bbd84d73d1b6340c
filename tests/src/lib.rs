//! End-to-end tests and benches, on real control planes that `cargo xtask up` started.
//!
//! This library is their support: [`fleet`] tells what runs, [`Kubectl`] and [`http::Client`] speak
//! to it as anybody, [`wait::until`] waits for conditions. A failure inside panics with what went
//! wrong, because a test that cannot be set up has nothing to report but that.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up must stop"
)]

pub mod account;
pub mod clients;
pub mod command;
pub mod connect_front;
pub mod connection;
pub mod environment;
pub mod etcd;
pub mod exec;
pub mod forward_proxy;
pub mod golden;
pub mod host_front;
pub mod http;
pub mod identity;
pub mod kubectl;
pub mod load;
pub mod member;
pub mod node;
pub mod ports;
pub mod process;
pub mod recorder;
pub mod refusing_front;
pub mod registration;
pub mod relay;
pub mod replica;
pub mod server;
pub mod small_disk;
pub mod users;
pub mod wait;
pub mod watching;

use std::io::Write;

pub use environment::{Fleet, fleet};
pub use identity::Credential;
pub use kubectl::Kubectl;

/// Where host and server serve the clusters.
pub const CLUSTERS: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// The path below which `cluster` is reached, without a slash at its end.
pub fn proxy_path(cluster: &str) -> String {
    format!("{CLUSTERS}/{cluster}/proxy")
}

/// Says that `test` was left out and why.
pub fn left_out(test: &str, reason: &str) {
    told(&format!("left out {test}: {reason}"));
}

/// Says `what`, past the capture of what tests print: it must be seen.
pub fn told(what: &str) {
    let line = format!("{what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
