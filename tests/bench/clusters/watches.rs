//! What many watches of the clusters cost, and how soon they all know.

use std::time::Duration;

use anyhow::{Context, Result};
use fleetgate_tests::process::Usage;
use tokio::time::Instant;

use super::{WATCHED, contender::Contender};
use crate::watchers::Watchers;

const FEW: usize = 10;
pub(super) const MANY: usize = 1_000;

/// What was measured of one contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut {
    /// Memory before anybody watches, and with [`MANY`] who have been told of all objects.
    pub(crate) idle_kib: u64,
    pub(crate) watched_kib: u64,
    /// From the request for a change until all have its event: few, and many.
    pub(crate) few: Duration,
    pub(crate) many: Duration,
    /// What the bytes of the events for the many take on the wire, alone.
    pub(crate) wire: Duration,
    /// The time until many have an event of a server that does nothing else than send it.
    pub(crate) bare: Duration,
}

// === impl FanOut ===

impl FanOut {
    pub(crate) async fn measure(contender: &Contender) -> Result<Self> {
        let path = contender.maker().collection();
        let mut connection = contender.caller.connect().await?;
        let list = connection.get(&path).await?;
        let version = list.json()["metadata"]["resourceVersion"].clone();
        let version = version.as_str().context("a version")?;
        let quiet = format!("{path}?watch=1&timeoutSeconds=600&resourceVersion={version}");
        let mut patch = async |unique| {
            let patch = contender.maker().patch(7, unique);
            patch.send(&mut connection).await.map(drop)
        };
        let few = Watchers::start(&contender.caller, FEW, &quiet).await?;
        let few = few.time(0, &mut patch).await?;
        let idle_kib = Usage::of(contender.pid)?.rss_kib;
        let all = format!("{path}?watch=1&timeoutSeconds=600&allowWatchBookmarks=true");
        let many = Watchers::start(&contender.caller, MANY, &all).await?;
        // A bookmark tells where the objects end.
        many.until(MANY * (WATCHED + 1)).await?;
        let watched_kib = Usage::of(contender.pid)?.rss_kib;
        let many = many.time(MANY * (WATCHED + 1), &mut patch).await?;
        Ok(Self {
            idle_kib,
            watched_kib,
            few,
            many,
            bare: super::bare::measure(list.body.len() / WATCHED).await?,
            wire: wire(contender, list.body.len() / WATCHED * (MANY - FEW)).await?,
        })
    }
}

/// How long a list of about `bytes` takes, a large part of it being sent at once: what they take on
/// the wire.
async fn wire(contender: &Contender, bytes: usize) -> Result<Duration> {
    let path = format!("{}?resourceVersion=0", contender.maker().collection());
    let mut connection = contender.caller.connect().await?;
    let mut best = Duration::MAX;
    let mut len = 0;
    for _ in 0..10 {
        let since = Instant::now();
        len = connection.get(&path).await?.body.len();
        best = best.min(since.elapsed());
    }
    Ok(best.mul_f64(bytes as f64 / len as f64))
}
