//! The whole stack, with closures as ports, in front of fake members.
#![expect(
    clippy::panic,
    reason = "a helper that finds what it must not stops the test"
)]

mod clusters;
mod embedded;
mod grace;
mod headers;
mod impersonation;
mod in_flight;
mod layers;
mod limits;
mod paths;
mod refusals;
mod streaming;
mod support;
mod time_limits;
mod upgrades;
