//! Load over kept connections, and how long each answer took.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fleetgate_tests::connection::{Caller, Connection};
use http::{Method, header};
use http_body_util::Full;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// What came of one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Of the body.
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// How long to wait before it is sent.
    pub(crate) pause: Duration,
}

// === impl Ask ===

impl Ask {
    /// GET of `path`.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            content_type: "",
            body: Bytes::new(),
            pause: Duration::ZERO,
        }
    }

    /// The same after a rest.
    pub(crate) const fn after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sends it and waits for the whole answer. How long that took.
    ///
    /// # Errors
    /// If the answer is no success.
    pub(crate) async fn send(self, connection: &mut Connection) -> Result<Duration> {
        if !self.pause.is_zero() {
            sleep(self.pause).await;
        }
        let since = Instant::now();
        let mut request = connection.request(self.method, &self.path);
        if !self.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        let request = request.body(Full::new(self.body));
        let reply = connection
            .exchange(request.context("build a request")?)
            .await?;
        ensure!(reply.status.is_success(), "{}: {reply}", self.path);
        Ok(since.elapsed())
    }
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
    let path = path.to_owned();
    drive(caller, connections, move |_, elapsed| {
        (elapsed < time).then(|| Ask::get(&path))
    })
    .await
}

/// Sends on each of `connections` connections, one after the other, what `next` gives for the
/// number of the connection and the time that has passed, until it gives nothing. The connections
/// are made before the time begins.
///
/// # Errors
/// If any answer is no success.
pub(crate) async fn drive(
    caller: &Caller,
    connections: usize,
    next: impl Fn(usize, Duration) -> Option<Ask> + Send + Sync + 'static,
) -> Result<Turn> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = caller.connect().await?;
        // Whatever is asked of hosts for a caller is remembered then.
        Ask::get("/version").send(&mut connection).await?;
        open.push(connection);
    }
    let next = Arc::new(next);
    let since = Instant::now();
    let mut clients: JoinSet<Result<Vec<Duration>>> = JoinSet::new();
    for (client, mut connection) in open.into_iter().enumerate() {
        let next = Arc::clone(&next);
        clients.spawn(async move {
            let mut took = Vec::new();
            while let Some(ask) = next(client, since.elapsed()) {
                took.push(ask.send(&mut connection).await?);
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
