//! HTTP/1.1 connections to one member: one request at a time each, kept between requests.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Body, Tasks};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{
    detail::Told,
    dial::{Dialed, Dialer, Offer, failed, untrusted},
    io::BoxedIo,
};

/// An unused connection older than this is not used again: servers close theirs at 90 s or later.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Headers of one answer: more than any member sends, and few enough that making room for them
/// costs nothing.
const MAX_HEADERS: usize = 256;
/// Longest head of an answer, in bytes: as large as Go's default.
const MAX_HEAD: usize = 1 << 20;

/// The HTTP/1.1 connections of one member.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    dialer: Dialer,
    tasks: Tasks,
    /// Connections at rest, the one used last at the end.
    idle: Mutex<VecDeque<(Opened, Instant)>>,
    /// How many connections there may be, where other requests have a better way.
    permits: Arc<Semaphore>,
}

/// A connection at rest.
pub(crate) struct Opened {
    sender: SendRequest<Body>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A connection taken for one request. It goes back to the pool when the answer was read to its
/// end and this is dropped; else it is closed.
pub(crate) struct Lease {
    opened: Option<Opened>,
    pool: Pool,
    /// Whether the connection was used before, so that the member may just have closed it.
    pub(crate) reused: bool,
}

/// Whether a connection that was used before will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It is preferred.
    Allowed,
    /// Only a new one: the member just closed a kept one, and may have closed all.
    Refused,
}

// === impl Pool ===

impl Pool {
    /// A pool without connections. [`Self::try_take`] opens `bound` at most.
    pub(crate) fn new(dialer: Dialer, tasks: Tasks, bound: usize) -> Self {
        let inner = Inner {
            dialer,
            tasks,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(bound)),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A kept connection, or a new one while there are fewer than the bound; else nothing.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn try_take(&self, reuse: Reuse) -> Result<Option<Lease>, UpstreamError> {
        if let Some(lease) = self.take_idle(reuse) {
            return Ok(Some(lease));
        }
        let Ok(permit) = Arc::clone(&self.inner.permits).try_acquire_owned() else {
            return Ok(None);
        };
        let mut opened = self.open().await?;
        opened.permit = Some(permit);
        Ok(Some(self.lease(opened, false)))
    }

    /// A kept connection or a new one, however many there are.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn take(&self, reuse: Reuse) -> Result<Lease, UpstreamError> {
        if let Some(lease) = self.take_idle(reuse) {
            return Ok(lease);
        }
        let opened = self.open().await?;
        Ok(self.lease(opened, false))
    }

    /// A new connection outside the pool, for an upgrade.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn open(&self) -> Result<Opened, UpstreamError> {
        match self.inner.dialer.dial(Offer::Http1).await? {
            Dialed::Http1(io) => handshake(io, &self.inner.tasks).await,
            Dialed::Http2(..) => Err(untrusted(
                Hop::Tls,
                Told::new("the member chose a protocol that was not offered"),
            )),
        }
    }

    /// Takes `opened`, a fresh connection, into use.
    pub(crate) fn lease(&self, opened: Opened, reused: bool) -> Lease {
        Lease {
            opened: Some(opened),
            pool: self.clone(),
            reused,
        }
    }

    /// The connection used last: the others then age, and are closed.
    fn take_idle(&self, reuse: Reuse) -> Option<Lease> {
        if reuse == Reuse::Refused {
            return None;
        }
        let mut idle = self.inner.idle.lock();
        while let Some((opened, since)) = idle.pop_back() {
            if since.elapsed() > IDLE_TIMEOUT {
                idle.clear();
                return None;
            }
            if opened.sender.is_ready() {
                drop(idle);
                return Some(self.lease(opened, true));
            }
        }
        None
    }

    fn give_back(&self, opened: Opened) {
        let now = Instant::now();
        let mut idle = self.inner.idle.lock();
        idle.push_back((opened, now));
        while idle
            .front()
            .is_some_and(|(_, since)| now - *since > IDLE_TIMEOUT)
        {
            idle.pop_front();
        }
    }
}

// === impl Lease ===

impl Lease {
    /// The connection. Present until the lease is dropped.
    pub(crate) fn sender(&mut self) -> Option<&mut SendRequest<Body>> {
        self.opened.as_mut().map(|opened| &mut opened.sender)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut opened) = self.opened.take() else {
            return;
        };
        if opened.sender.is_closed() {
            return;
        }
        if opened.sender.is_ready() {
            return self.pool.give_back(opened);
        }
        // The answer's last bytes were read, but the connection's task has yet to notice.
        let pool = self.pool.clone();
        self.pool.inner.tasks.spawn_until_stopped(async move {
            if opened.sender.ready().await.is_ok() {
                pool.give_back(opened);
            }
        });
    }
}

// === impl Opened ===

impl Opened {
    /// The connection, for a request after which it is not HTTP any more.
    pub(crate) fn into_sender(self) -> SendRequest<Body> {
        self.sender
    }
}

/// HTTP/1.1 over `io`, driven by a task of its own.
///
/// # Errors
/// If the stream ended at once.
pub(crate) async fn handshake(io: BoxedIo, tasks: &Tasks) -> Result<Opened, UpstreamError> {
    let handshake = Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(io))
        .await;
    let (sender, driver) = handshake.map_err(|source| failed(Hop::Request, source))?;
    tasks.spawn_until_stopped(async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
        }
    });
    Ok(Opened {
        sender,
        permit: None,
    })
}
