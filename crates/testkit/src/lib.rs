//! Fake members that misbehave, certificates, builders.
//!
//! For tests only: a failure inside panics with what went wrong, because a test that cannot be set
//! up has nothing to report but that.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]

pub mod certs;
