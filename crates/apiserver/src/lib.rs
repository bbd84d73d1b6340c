//! The axum surface: routes, resource handlers, discovery, OpenAPI, health, metrics; renders a Refusal as a Status.
//!
//! Takes requests that were authenticated and authorized by others: see [`Admitted`]. What is
//! routed by is the request's attributes, which were authorized, and never its raw path.

mod asked;
mod body;
mod compress;
#[cfg(test)]
mod golden_tests;
pub mod health;
mod render;
mod resource;
mod respond;
mod server;
#[cfg(test)]
mod server_tests;
mod statics;
#[cfg(test)]
mod testing;
mod warning;

pub use render::renderer;
pub use resource::{MayAlso, Resource};
pub use server::{Admitted, ApiServer, Config};
pub use statics::Version;
