//! A connection made just to see whether a member can be connected to.

use std::time::Duration;

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::Tasks;
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::dial::Dialer;

/// Connects to see, and waits for `patience` for it. It may still come about when nobody waits for
/// it any more, within the limits that every connection has: who is slow, and not dead, is heard of
/// by it.
///
/// # Errors
/// As [`Dialer::dial`]; [`UpstreamError::TimedOut`] where patience ends, though the connection may
/// then still come about.
pub(crate) async fn check(
    dialer: &Dialer,
    patience: Duration,
    tasks: &Tasks,
) -> Result<(), UpstreamError> {
    let (at, hop) = watch::channel(Hop::Connect);
    let dialer = Dialer {
        at: Some(at),
        ..dialer.clone()
    };
    let (done, told) = oneshot::channel();
    tasks.spawn_until_stopped(async move {
        let reached = dialer.look().await;
        // Perhaps nobody waits for it.
        done.send(reached).unwrap_or_default();
    });
    match timeout(patience, told).await {
        Ok(Ok(dialed)) => dialed,
        Ok(Err(_)) | Err(_) => Err(UpstreamError::TimedOut { hop: *hop.borrow() }),
    }
}
