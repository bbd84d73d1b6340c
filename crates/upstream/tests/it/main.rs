//! An [`Upstream`](fleetgate_upstream::Upstream) against members that behave, and that do not.
#![expect(
    clippy::panic,
    reason = "a helper that finds what it must not stops the test"
)]

mod broken_answers;
mod circuits;
mod closing;
mod connecting;
mod farewells;
mod forward_proxies;
mod gateways;
mod h1_members;
mod h2_streams;
mod kept_connections;
mod paths;
mod streaming;
mod support;
