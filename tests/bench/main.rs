//! Benches against real members: ratios to direct access in the same run.
//!
//! `cargo xtask bench [NAME]` runs them in a fleet of their own, everything optimised.

mod load;
mod proxy;
mod report;
mod start_up;

use anyhow::{Result, bail};

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None | Some("proxy") => proxy::run().await,
        Some(other) => bail!("there is no bench {other:?}; there is: proxy"),
    }
}
