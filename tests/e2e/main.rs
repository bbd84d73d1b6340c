//! What users do, on real clusters.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]

mod access;
mod api;
mod api_service;
mod clients;
mod durability;
mod encryption;
mod faults;
mod forward_proxies;
mod full_disk;
mod golden;
mod guide;
mod identity;
mod load;
mod old_members;
mod recorded_values;
mod rotation;
mod shutdown;
