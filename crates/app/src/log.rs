//! Where and how the log is written: to stderr, as text or JSON lines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Log;

/// Starts logging. A second call does nothing.
pub(crate) fn start(log: &Log) {
    // klog's levels: 4 is what a developer asks for, 6 and above shows every message.
    let own = match log.verbosity {
        ..4 => "info",
        4..6 => "debug",
        6.. => "trace",
    };
    // What rustls warns of is what callers send, who could fill the log with it.
    let others = if log.verbosity < 6 {
        "warn,rustls=error"
    } else {
        "debug"
    };
    let filter = EnvFilter::new(format!("{others},{}", own_crates(own)));
    let builder = fmt()
        .with_writer(stderr)
        .with_env_filter(filter)
        // A line that cannot be written is lost. To tell so, on stderr again, would panic.
        .log_internal_errors(false);
    let started = if log.json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(stderr().is_terminal()).try_init()
    };
    // Another subscriber is there already: a test's, or an embedder's.
    started.unwrap_or_default();
}

fn own_crates(level: &str) -> String {
    let crates = [
        "app",
        "apimachinery",
        "apiserver",
        "authn",
        "authz",
        "credentials",
        "proxy",
        "registry",
        "storage",
        "tls",
        "upstream",
    ];
    crates
        .map(|name| format!("fleetgate_{name}={level}"))
        .join(",")
}
