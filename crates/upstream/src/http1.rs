//! HTTP/1.1 connections to one member: one request at a time each, kept between requests.

mod bound;
mod opened;

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::Tasks;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use self::bound::{Bound, Permit};
pub(crate) use self::opened::{Answer, MAX_HEADERS, Opened};
use crate::{
    detail::{Told, is_no_common_protocol},
    dial::{Dialed, Dialer, Offer, untrusted},
};

/// How often connections at rest are looked at: one that the member closed is held no longer.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The HTTP/1.1 connections of one member.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    dialer: Dialer,
    tasks: Tasks,
    idle: Mutex<Idle>,
    /// How many connections there may be, where other requests have a better way.
    bound: Bound,
}

/// Connections at rest. Nobody drives them, so a task looks after them while there are any.
#[derive(Default)]
struct Idle {
    /// The one used last at the end.
    connections: VecDeque<Resting>,
    is_swept: bool,
}

struct Resting {
    opened: Opened,
    permit: Option<Permit>,
    since: Instant,
}

/// A connection taken for one request. It goes back to the pool when the answer was read to its
/// end and this is dropped; else it is closed.
pub(crate) struct Lease {
    /// Present until this is dropped.
    opened: Option<Opened>,
    permit: Option<Permit>,
    pool: Pool,
    /// Whether the connection was used before, so that the member may just have closed it.
    pub(crate) reused: bool,
}

/// What came of looking for a connection.
pub(crate) enum Sought {
    /// One for a request.
    Found(Lease),
    /// There are as many as there may be, and none is free.
    Full,
    /// The member did not agree to HTTP/1.1.
    NotAgreed,
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
    /// A pool without connections.
    pub(crate) fn new(dialer: Dialer, tasks: Tasks) -> Self {
        let inner = Inner {
            dialer,
            tasks,
            idle: Mutex::default(),
            bound: Bound::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A kept connection, or a new one while there are fewer than the bound.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn seek(&self, reuse: Reuse) -> Result<Sought, UpstreamError> {
        if let Some(lease) = self.take_idle(reuse) {
            return Ok(Sought::Found(lease));
        }
        let Some(permit) = self.inner.bound.permit() else {
            return Ok(Sought::Full);
        };
        let io = match self.inner.dialer.dial(Offer::Http1).await {
            Ok(Dialed::Http1(io)) => io,
            Ok(Dialed::Unagreed(_)) => return Ok(Sought::NotAgreed),
            Ok(Dialed::Http2(..)) => return Err(not_offered()),
            Err(error) if is_no_common_protocol(&error) => return Ok(Sought::NotAgreed),
            Err(error) => return Err(error),
        };
        let mut lease = self.lease(Opened::handshake(io).await?);
        lease.permit = Some(permit);
        Ok(Sought::Found(lease))
    }

    /// A kept connection or a new one, however many there are.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn take(&self, reuse: Reuse) -> Result<Lease, UpstreamError> {
        if let Some(lease) = self.take_idle(reuse) {
            return Ok(lease);
        }
        Ok(self.lease(self.open(Offer::Http1).await?))
    }

    /// A new connection outside the pool, for an upgrade.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn open_upgrade(&self) -> Result<Opened, UpstreamError> {
        self.open(Offer::Upgrade).await
    }

    async fn open(&self, offer: Offer) -> Result<Opened, UpstreamError> {
        match self.inner.dialer.dial(offer).await? {
            Dialed::Http1(io) | Dialed::Unagreed(io) => Opened::handshake(io).await,
            Dialed::Http2(..) => Err(not_offered()),
        }
    }

    /// Takes `opened`, a fresh connection, into use.
    pub(crate) fn lease(&self, opened: Opened) -> Lease {
        Lease {
            opened: Some(opened),
            permit: None,
            pool: self.clone(),
            reused: false,
        }
    }

    /// The connection used last: the others then age, and are closed.
    fn take_idle(&self, reuse: Reuse) -> Option<Lease> {
        if reuse == Reuse::Refused {
            return None;
        }
        let limit = self.inner.dialer.config.idle_timeout;
        loop {
            let mut resting = self.inner.idle.lock().connections.pop_back()?;
            if !resting.is_older(limit) && !resting.opened.is_closed() {
                return Some(Lease {
                    opened: Some(resting.opened),
                    permit: resting.permit,
                    pool: self.clone(),
                    reused: true,
                });
            }
        }
    }

    fn give_back(&self, opened: Opened, permit: Option<Permit>) {
        let resting = Resting {
            opened,
            permit,
            since: Instant::now(),
        };
        let mut idle = self.inner.idle.lock();
        idle.connections.push_back(resting);
        if !idle.is_swept {
            idle.is_swept = true;
            let sweep = sweep(Arc::downgrade(&self.inner));
            self.inner.tasks.spawn_until_stopped(sweep);
        }
    }
}

fn not_offered() -> UpstreamError {
    let told = Told::new("the member chose a protocol that was not offered");
    untrusted(Hop::Tls, told)
}

/// Closes what rests for too long, and what the member closed, until nothing rests any more.
async fn sweep(pool: Weak<Inner>) {
    loop {
        sleep(SWEEP_INTERVAL).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut idle = pool.idle.lock();
        let limit = pool.dialer.config.idle_timeout;
        idle.connections.retain_mut(|resting| {
            let is_old = resting.is_older(limit);
            if let Some(permit) = resting.permit.take_if(|_| is_old) {
                pool.bound.give_up(permit);
            }
            !is_old && !resting.opened.is_closed()
        });
        if idle.connections.is_empty() {
            idle.is_swept = false;
            return;
        }
    }
}

// === impl Resting ===

impl Resting {
    fn is_older(&self, limit: Duration) -> bool {
        self.since.elapsed() > limit
    }
}

// === impl Lease ===

impl Lease {
    /// The connection. Present until the lease is dropped.
    pub(crate) const fn opened(&mut self) -> Option<&mut Opened> {
        self.opened.as_mut()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(mut opened) = self.opened.take()
            && opened.is_ready()
        {
            self.pool.give_back(opened, self.permit.take());
        }
    }
}
