//! End-to-end tests and benches, on real control planes that `cargo xtask up` started.
