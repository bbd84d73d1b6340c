//! Benches against real members: ratios to direct access in the same run.

fn main() {}
