//! What a fake member received.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Version, request::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::UpgradedRecord;
use crate::server::PATIENCE;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Path and query, byte for byte.
    pub path: String,
    /// The authority: the Host header, or `:authority`.
    pub host: String,
    /// The HTTP version.
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    body: Arc<Mutex<BodySoFar>>,
}

#[derive(Debug, Default)]
struct BodySoFar {
    bytes: BytesMut,
    ended: bool,
    trailers: Option<HeaderMap>,
}

/// Everything that a member received.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Received>>,
    upgraded: Mutex<Vec<UpgradedRecord>>,
    changed: watch::Sender<()>,
    tasks: TaskTracker,
}

// === impl Received ===

impl Received {
    /// The body as far as it has come.
    pub fn body(&self) -> Bytes {
        self.body.lock().bytes.clone().freeze()
    }

    /// Whether the body has come to its end.
    pub fn is_complete(&self) -> bool {
        self.body.lock().ended
    }

    /// The trailers, once the body has ended.
    pub fn trailers(&self) -> Option<HeaderMap> {
        self.body.lock().trailers.clone()
    }

    /// The first value of header `name` as text, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

// === impl Log ===

impl Log {
    pub(super) fn requests(&self) -> Vec<Received> {
        self.requests.lock().clone()
    }

    pub(super) fn upgraded(&self) -> Vec<UpgradedRecord> {
        self.upgraded.lock().clone()
    }

    pub(super) fn record(&self, head: &Parts) -> Received {
        let host = head.headers.get("host").map(|host| host.to_str().unwrap());
        let received = Received {
            method: head.method.clone(),
            path: head
                .uri
                .path_and_query()
                .map_or("", |path| path.as_str())
                .to_owned(),
            host: head
                .uri
                .authority()
                .map(|host| host.as_str())
                .or(host)
                .unwrap_or("")
                .to_owned(),
            version: head.version,
            headers: head.headers.clone(),
            body: Arc::default(),
        };
        self.requests.lock().push(received.clone());
        self.changed.send_replace(());
        received
    }

    pub(super) fn record_upgraded(&self, record: UpgradedRecord) {
        self.upgraded.lock().push(record);
        self.changed.send_replace(());
    }

    /// Reads `body` into the record, beside whatever is answered meanwhile.
    pub(super) fn fill(self: &Arc<Self>, received: &Received, mut body: Incoming) {
        let (log, record) = (self.clone(), received.body.clone());
        self.tasks.spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                match frame.into_data() {
                    Ok(data) => record.lock().bytes.extend_from_slice(&data),
                    Err(frame) => record.lock().trailers = frame.into_trailers().ok(),
                }
                log.changed.send_replace(());
            }
            record.lock().ended = true;
            log.changed.send_replace(());
        });
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until `done`, and fails the test if that takes too long.
    pub(super) async fn wait(&self, mut done: impl FnMut(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = changed.wait_for(|()| done(self));
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "the member waited in vain; it received {:?}",
            self.requests()
        );
    }
}
