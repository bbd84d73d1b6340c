//! Certificates and rustls configs: load, reload, verify.
//!
//! Knows sockets, HTTP and Kubernetes not at all. Every config names its crypto provider
//! ([`provider`]) and never depends on a process-wide default.
#![warn(missing_docs)]

pub mod client;
pub mod client_ca;
pub mod pem;
pub mod server;
mod version;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use version::{MinVersion, UnknownVersion};

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// The one crypto provider (aws-lc-rs) that all configs share.
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}
