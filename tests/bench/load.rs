//! Load on one path over kept connections, and how long each answer took.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fleetgate_tests::connection::{Caller, Connection};
use tokio::{task::JoinSet, time::Instant};

/// What came of one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// GETs `path` for `time` over `connections` connections, one request at a time on each. They are
/// made, and have carried a request, before the time begins.
///
/// # Errors
/// If any answer is not 200.
pub(crate) async fn turn(
    caller: &Caller,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<Turn> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = caller.connect().await?;
        get(&mut connection, path).await?;
        open.push(connection);
    }
    let since = Instant::now();
    let mut clients: JoinSet<Result<Vec<Duration>>> = JoinSet::new();
    for mut connection in open {
        let path = path.to_owned();
        clients.spawn(async move {
            let mut took = Vec::new();
            while since.elapsed() < time {
                took.push(get(&mut connection, &path).await?);
            }
            Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(client) = clients.join_next().await {
        took.extend(client.context("a client")??);
    }
    let elapsed = since.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    Ok(Turn {
        requests: took.len(),
        per_second: took.len() as f64 / elapsed,
        p50: at(0.5),
        p99: at(0.99),
    })
}

async fn get(connection: &mut Connection, path: &str) -> Result<Duration> {
    let since = Instant::now();
    let reply = connection.get(path).await?;
    ensure!(reply.status == 200, "{path}: {reply}");
    Ok(since.elapsed())
}
