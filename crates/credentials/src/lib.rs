//! What is presented to a member: tokens, certificates, impersonation, rotation.
//!
//! Holds only the secrets that clusters refer to. A watch of metadata alone, one for each namespace
//! in which such a secret lies, tells when one changed; then that one is read. So thousands of
//! unrelated secrets cost nothing, and a rotated token is used by the next request.

mod build;
mod host;
mod ownership;
mod secret;
mod secrets;
mod watch;

pub use build::PlainHttp;
pub use host::HostSecrets;
pub use secret::{Owner, ReadSecret, SecretData};
pub use secrets::Secrets;
pub use watch::watch;
