//! Waiting for conditions, with a deadline.

use std::{fmt::Display, time::Duration};

use tokio::time::{Instant, sleep};

/// Within what time something should happen on a busy machine that happens at once on an idle one.
pub const SOON: Duration = Duration::from_secs(30);
/// How long after one look the next is taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks `probe` until it answers `Ok`, and returns that and how long it took.
/// Panics with its last error after `limit`.
pub async fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        let error = match probe().await {
            Ok(value) => return (value, start.elapsed()),
            Err(error) => error,
        };
        if start.elapsed() > limit {
            panic!("{what}: not within {limit:?}; at last: {error}");
        }
        sleep(PAUSE).await;
    }
}

/// Asks `probe` until it answers something, and returns that; `None` after `limit`.
pub async fn eventually<T>(
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = probe().await;
        if found.is_some() || start.elapsed() > limit {
            return found;
        }
        sleep(PAUSE).await;
    }
}

/// `Ok` if `condition` holds, else what `otherwise` says.
pub fn check(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    match condition {
        true => Ok(()),
        false => Err(otherwise()),
    }
}
