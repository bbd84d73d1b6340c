//! Flags and config, wiring, readiness, drain: the only crate that sees both sides of a port.

mod config;
mod flags;
mod health;
mod host;
mod listen;
mod local;
mod log;
mod process;
mod run;
mod serve;
mod signal;
mod version;

pub use config::{Config, ConfigError};
pub use flags::{Asked, FlagError, Flags};
pub use host::HostError;
pub use run::{StartError, run};
pub use signal::Signals;
