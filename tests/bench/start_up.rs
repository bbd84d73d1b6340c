//! How long a server takes from its start until it is ready, host and store being there.

use std::time::Duration;

use anyhow::{Result, ensure};
use fleetgate_tests::{Credential, server::ServerSpec};
use tokio::time::{Instant, sleep};

const STARTS: usize = 7;
const LIMIT: Duration = Duration::from_secs(10);
/// How often a server that is not ready yet is asked.
const INTERVAL: Duration = Duration::from_millis(2);

/// The times of several starts, shortest first.
///
/// # Errors
/// If one is not ready for long.
pub(crate) async fn measure() -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let since = Instant::now();
        let server = ServerSpec::default().launch();
        let caller = server.caller(&Credential::Anonymous);
        loop {
            match caller.get("/readyz").await {
                Ok(reply) if reply.status == 200 => break,
                Ok(_) | Err(_) => {}
            }
            ensure!(since.elapsed() < LIMIT, "a server is not ready");
            sleep(INTERVAL).await;
        }
        times.push(since.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}
