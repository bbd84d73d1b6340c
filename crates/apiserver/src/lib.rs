//! The axum surface: routes, resource handlers, discovery, OpenAPI, health, metrics; renders a Refusal as a Status.
//!
//! Takes requests that were authenticated and authorized by others.

pub mod health;
mod render;

pub use render::render;
