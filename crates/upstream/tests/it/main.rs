//! An [`Upstream`](fleetgate_upstream::Upstream) against members that behave, and that do not.

mod closing;
mod connecting;
mod forward_proxies;
mod h1_members;
mod h2_streams;
mod kept_connections;
mod paths;
mod streaming;
mod support;
