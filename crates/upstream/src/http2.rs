//! HTTP/2 connections to one member: few, shared, their streams counted.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Body, Tasks};
use futures::{
    TryFutureExt,
    future::{BoxFuture, FutureExt, Shared, ready},
};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::sleep};

use crate::{
    detail::Told,
    dial::{Dialed, Dialer, Offer, failed, limit, untrusted},
    http1,
    io::{BoxedIo, Listener},
};

/// Bytes that one unread answer may hold at most (RFC 9113, section 6.9).
const STREAM_WINDOW: u32 = 256 << 10;
/// Bytes that all unread answers of a connection may hold: with a small window, three slow watches
/// stall every other stream (docs/performance.md). Half of it is also what h2 grants for the
/// overhead of small DATA frames that wait unread, up to 255 bytes each, before it closes the
/// connection: enough for two answers that come by the byte and are not read.
const CONNECTION_WINDOW: u32 = 256 << 20;
/// Longest head of an answer, in bytes (Go's client: 10 MiB).
const MAX_HEADER_LIST: u32 = 1 << 20;
/// Streams on one connection before another is opened; kube-apiserver advertises 100 or 250.
const MAX_STREAMS: usize = 100;
/// No stream before the member's SETTINGS (RFC 9113, section 6.5.2).
const NOT_KNOWN: usize = 0;
/// How many new connections in a row may be found closed.
const ATTEMPTS: usize = 3;
const CLOSED: &str = "the member closed a new connection";
/// A connection on which nothing answers a PING (RFC 9113, section 6.7) for this long is dead.
const PING_TIMEOUT: Duration = Duration::from_secs(15);
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// The HTTP/2 connections of one member.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    dialer: Dialer,
    tasks: Tasks,
    connections: ArcSwap<Vec<Connection>>,
    connecting: Mutex<Option<Connecting>>,
}

/// One attempt at a connection, shared by all who wait for it.
type Connecting = Shared<BoxFuture<'static, Result<Opened, Arc<UpstreamError>>>>;

/// What an attempt found.
#[derive(Clone)]
enum Opened {
    /// A connection for many streams.
    Http2(Connection),
    /// The member speaks HTTP/1.1 only; the connection goes to whoever takes it first.
    Http1(Arc<Mutex<Option<http1::Opened>>>),
}

/// A connection and the number of its streams.
#[derive(Clone)]
struct Connection {
    sender: SendRequest<Body>,
    /// Streams that the member takes.
    room: Arc<AtomicUsize>,
    streams: Arc<Streams>,
}

/// The streams of a connection.
#[derive(Debug)]
struct Streams {
    /// Those in use.
    now: AtomicUsize,
    /// Whether there was any at the last look, or since.
    any: AtomicBool,
}

/// What a request may use.
pub(crate) enum Taken {
    /// A stream of a connection.
    Stream(SendRequest<Body>, Stream),
    /// The member speaks HTTP/1.1 only; here is a fresh connection, if another did not take it.
    Http1(Option<http1::Opened>),
}

/// A stream in use: counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Stream(Arc<Streams>);

// === impl Pool ===

impl Pool {
    /// A pool without connections.
    pub(crate) fn new(dialer: Dialer, tasks: Tasks) -> Self {
        let inner = Inner {
            dialer,
            tasks,
            connections: ArcSwap::default(),
            connecting: Mutex::new(None),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// A stream, on a new connection where none has room.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub(crate) async fn take(&self) -> Result<Taken, UpstreamError> {
        let mut closed_at_once = 0;
        loop {
            if let Some(taken) = self.reserve() {
                return Ok(taken);
            }
            match self.attempt().await.map_err(shared)? {
                Opened::Http1(slot) => return Ok(Taken::Http1(slot.lock().take())),
                Opened::Http2(connection) if connection.sender.is_closed() => {
                    closed_at_once += 1;
                    if closed_at_once == ATTEMPTS {
                        return Err(failed(Hop::Request, Told::new(CLOSED)));
                    }
                }
                Opened::Http2(_) => {}
            }
        }
    }

    /// Sees to it that there is a connection, or one under way.
    pub(crate) fn warm(&self) {
        if self.inner.connections.load().is_empty() {
            drop(self.attempt());
        }
    }

    /// A stream of the least loaded connection that has room.
    fn reserve(&self) -> Option<Taken> {
        let connections = self.inner.connections.load();
        loop {
            if let Some(taken) = least_loaded(&connections)?.reserve() {
                return Some(taken);
            }
        }
    }

    /// The attempt under way, or a new one. It runs on when those who wait for it leave.
    fn attempt(&self) -> Connecting {
        let mut connecting = self.inner.connecting.lock();
        if let Some(attempt) = &*connecting {
            return attempt.clone();
        }
        // Made since the caller looked.
        if let Some(connection) = least_loaded(&self.inner.connections.load()) {
            let opened = Opened::Http2(connection.clone());
            return ready(Ok(opened)).boxed().shared();
        }
        let pool = self.clone();
        let attempt = async move {
            let opened = pool.open().await.map_err(Arc::new);
            *pool.inner.connecting.lock() = None;
            opened
        };
        let attempt = attempt.boxed().shared();
        *connecting = Some(attempt.clone());
        let run = attempt.clone();
        self.inner.tasks.spawn_until_stopped(run.map(drop));
        attempt
    }

    async fn open(&self) -> Result<Opened, UpstreamError> {
        match self.inner.dialer.dial(Offer::Http2).await? {
            Dialed::Http2(io, listener) => {
                let connection = self.handshake(io, listener).await?;
                self.inner.connections.rcu(|connections| {
                    let open = connections.iter().filter(|c| !c.sender.is_closed());
                    open.cloned()
                        .chain([connection.clone()])
                        .collect::<Vec<_>>()
                });
                Ok(Opened::Http2(connection))
            }
            Dialed::Http1(io) | Dialed::Unagreed(io) => {
                let opened = http1::Opened::handshake(io).await?;
                Ok(Opened::Http1(Arc::new(Mutex::new(Some(opened)))))
            }
        }
    }

    /// HTTP/2 over `io`. Done when the member has said how many streams it takes: more than that
    /// would wait unseen for others to end, and watches do not.
    async fn handshake(
        &self,
        io: BoxedIo,
        listener: Arc<Listener>,
    ) -> Result<Connection, UpstreamError> {
        let handshake = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_max_send_streams(NOT_KNOWN)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(io))
            .await;
        let (sender, mut driver) = handshake.map_err(|source| failed(Hop::Request, source))?;
        let room = Arc::new(AtomicUsize::new(NOT_KNOWN));
        let streams = Arc::new(Streams::new());
        let closing = close_at_rest(Arc::downgrade(&self.inner), Arc::clone(&streams));
        let (known, settings) = oneshot::channel();
        let (mut known, told) = (Some(known), Arc::clone(&room));
        self.inner.tasks.spawn_until_stopped(async move {
            // Only the driver can be asked how many streams the member takes.
            let drive = poll_fn(|cx| {
                listener.register(cx);
                let driven = Pin::new(&mut driver).poll(cx);
                let room = driver.current_max_send_streams().min(MAX_STREAMS);
                told.store(room, Ordering::Relaxed);
                if room != NOT_KNOWN
                    && let Some(known) = known.take()
                {
                    listener.leave();
                    known.send(()).unwrap_or_default();
                }
                driven
            });
            let ended = tokio::select! {
                biased;
                ended = drive => ended,
                never = closing => match never {},
            };
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn std::error::Error, "connection ended");
            }
        });
        let settings = settings.map_err(|ended| Told::of(CLOSED, ended));
        limit(self.inner.dialer.config.tls_timeout, Hop::Request, settings).await?;
        Ok(Connection {
            sender,
            room,
            streams,
        })
    }
}

// === impl Connection ===

impl Connection {
    fn has_room(&self) -> bool {
        !self.sender.is_closed()
            && self.streams.now.load(Ordering::Relaxed) < self.room.load(Ordering::Relaxed)
    }

    fn reserve(&self) -> Option<Taken> {
        let room = self.room.load(Ordering::Relaxed);
        let more = |streams| (streams < room).then_some(streams + 1);
        let counted = self
            .streams
            .now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok()?;
        self.streams.any.store(true, Ordering::Relaxed);
        let stream = Stream(Arc::clone(&self.streams));
        Some(Taken::Stream(self.sender.clone(), stream))
    }
}

// === impl Streams ===

impl Streams {
    /// None yet, of a connection that somebody waits for.
    const fn new() -> Self {
        Self {
            now: AtomicUsize::new(0),
            any: AtomicBool::new(true),
        }
    }

    /// Looks whether there is none, and was none at the last look and since.
    fn look_for_rest(&self) -> bool {
        let now = self.now.load(Ordering::Relaxed);
        let any = self.any.swap(now > 0, Ordering::Relaxed);
        now == 0 && !any
    }
}

/// Lets go of the connection of `streams` when it has rested for the idle timeout: it closes when
/// whoever just took it is done. Looks once in that time.
async fn close_at_rest(pool: Weak<Inner>, streams: Arc<Streams>) -> Infallible {
    while let Some(limit) = pool.upgrade().map(|p| p.dialer.config.idle_timeout) {
        sleep(limit).await;
        if streams.look_for_rest() && pool.upgrade().is_some_and(|p| p.let_go(&streams)) {
            break;
        }
    }
    pending().await
}

// === impl Inner ===

impl Inner {
    /// Lets go of the connection of `streams`. Whether it was there: until the member's SETTINGS
    /// have come, it is not.
    fn let_go(&self, streams: &Arc<Streams>) -> bool {
        let is_its = |connection: &&Connection| Arc::ptr_eq(&connection.streams, streams);
        let before = self.connections.rcu(|connections| {
            let others = connections.iter().filter(|other| !is_its(other));
            others.cloned().collect::<Vec<_>>()
        });
        before.iter().any(|connection| is_its(&connection))
    }
}

// === impl Stream ===

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Of `connections` that have room, the one with the fewest streams.
fn least_loaded(connections: &[Connection]) -> Option<&Connection> {
    let open = connections.iter().filter(|c| c.has_room());
    open.min_by_key(|c| c.streams.now.load(Ordering::Relaxed))
}

/// The failure of an attempt that several waited for.
fn shared(error: Arc<UpstreamError>) -> UpstreamError {
    match &*error {
        UpstreamError::Config { field, .. } => UpstreamError::Config {
            field,
            source: error.into(),
        },
        UpstreamError::Failed { hop, .. } => failed(*hop, error),
        UpstreamError::GivenUp {
            hop,
            detail,
            retry_after,
        } => UpstreamError::GivenUp {
            hop: *hop,
            detail: *detail,
            retry_after: *retry_after,
        },
        UpstreamError::Refused { detail, .. } => UpstreamError::Refused {
            detail: *detail,
            source: error.into(),
        },
        UpstreamError::TimedOut { hop } => UpstreamError::TimedOut { hop: *hop },
        UpstreamError::Untrusted { hop, .. } => untrusted(*hop, error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering};

    use fleetgate_model::{ClusterName, Credentials, Member, Target};
    use fleetgate_stack::Tasks;
    use fleetgate_testkit::{
        FakeMember,
        certs::{self, Ca},
    };
    use http::HeaderValue;
    use prometheus_client::registry::Registry;

    use super::Streams;
    use crate::{Config, Metrics, NewUpstream};

    #[tokio::test]
    async fn who_saw_no_room_just_before_there_was_some_makes_no_connection() {
        let ca = Ca::new("members");
        let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
        let member = FakeMember::tls(&leaf).echo().await;
        let name = ClusterName::parse("m").expect("a name");
        let target = Target {
            member: Arc::new(Member::new(name, member.url())),
            credentials: Arc::new(Credentials {
                authorization: HeaderValue::from_static("bearer token"),
                ca_bundle: Some(Arc::from(ca.pem().as_bytes())),
            }),
        };
        let metrics = Metrics::register(&mut Registry::default());
        let upstream = NewUpstream::new(Config::default(), metrics, Tasks::default());
        let pools = upstream.pools(&target).ok().expect("a usable target");
        for _ in 0..2 {
            assert!(pools.lasting.attempt().await.is_ok());
        }
        assert_eq!(member.counts().handshakes, 1);
    }

    #[test]
    fn a_connection_rests_from_one_look_to_the_next() {
        let streams = Streams::new();
        assert!(!streams.look_for_rest(), "somebody waits for it");
        assert!(streams.look_for_rest());
        // A watch that ends just before a look.
        streams.now.store(1, Ordering::Relaxed);
        assert!(!streams.look_for_rest());
        streams.now.store(0, Ordering::Relaxed);
        assert!(!streams.look_for_rest());
        assert!(streams.look_for_rest());
        // A stream that came and went.
        streams.any.store(true, Ordering::Relaxed);
        assert!(!streams.look_for_rest());
        assert!(streams.look_for_rest());
    }
}
