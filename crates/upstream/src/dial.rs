//! A byte stream to a member: name, TCP, forward proxy, TLS; each hop with its own error.

mod race;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::BoxError;
use fleetgate_tls::client::server_name;
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Config,
    detail::{Told, detail, is_timeout, is_tls},
    endpoint::Endpoint,
    forward_proxy::Via,
    health::{Health, is_there},
    io::{BoxedIo, Connected, Listener},
    metrics::MemberMetrics,
    tunnel,
};

/// How often TCP asks in vain whether the other side is there before it gives the connection up.
const KEEPALIVE_RETRIES: u32 = 3;
/// How long TCP waits between such questions on a connection for requests.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// TLS configurations for one member, which differ in what they offer by ALPN (RFC 7301).
#[derive(Clone, Debug)]
pub(crate) struct TlsConfigs {
    /// For an `https` endpoint.
    pub(crate) member: Option<MemberTls>,
    /// For the TLS of an `https` forward proxy itself.
    pub(crate) proxy: Option<Arc<ClientConfig>>,
}

/// TLS with the member.
#[derive(Clone, Debug)]
pub(crate) struct MemberTls {
    /// Offers HTTP/1.1 alone.
    pub(crate) http1: Arc<ClientConfig>,
    /// Offers HTTP/2, then HTTP/1.1.
    pub(crate) http2: Arc<ClientConfig>,
}

/// What is offered to the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, then HTTP/1.1.
    Http2,
    /// HTTP/1.1, for what turns into a stream of bytes.
    Upgrade,
}

/// A connection, by what the member and we agreed to speak.
pub(crate) enum Dialed {
    /// HTTP/1.1.
    Http1(BoxedIo),
    /// HTTP/1.1 was offered alone, and the member did not agree: it knows nothing of ALPN, or, as
    /// Go's server does, lets a caller of HTTP/1.1 in although it speaks HTTP/2 alone.
    Unagreed(BoxedIo),
    /// HTTP/2, and who waits for the member's settings.
    Http2(BoxedIo, Arc<Listener>),
}

/// Makes connections to one member.
#[derive(Clone)]
pub(crate) struct Dialer {
    /// The member's endpoint.
    pub(crate) endpoint: Endpoint,
    /// Its forward proxy.
    pub(crate) via: Option<Via>,
    /// TLS with both.
    pub(crate) tls: TlsConfigs,
    /// Time limits.
    pub(crate) config: Config,
    /// Counts connections.
    pub(crate) metrics: MemberMetrics,
    /// Is told how it goes.
    pub(crate) health: Arc<Health>,
    /// Where it is told how far a connection has come, if somebody wants to know.
    pub(crate) at: Option<watch::Sender<Hop>>,
}

/// A failure with the address that it is about: for the log, never for the caller.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {to}")]
struct Unreached {
    to: String,
    #[source]
    source: BoxError,
}

// === impl Dialer ===

impl Dialer {
    /// A new connection. Boxed, so that a request needs no room for what is done seldom.
    ///
    /// # Errors
    /// [`UpstreamError::Failed`], [`UpstreamError::TimedOut`] or [`UpstreamError::Untrusted`] with
    /// the hop.
    pub(crate) fn dial(&self, offer: Offer) -> BoxFuture<'_, Result<Dialed, UpstreamError>> {
        Box::pin(async move {
            let since = Instant::now();
            let dialed = self.stream_and_tls(offer).await;
            self.health.dialed(&dialed, since);
            dialed.map_err(|error| self.with_address(error))
        })
    }

    /// Connects just to see. That the member is not there is told to whoever waits for it alone: it
    /// may be so no longer.
    ///
    /// # Errors
    /// As [`Self::dial`].
    pub(crate) async fn look(&self) -> Result<(), UpstreamError> {
        let since = Instant::now();
        let dialed = self.stream_and_tls(Offer::Http2).await;
        if is_there(&dialed) {
            self.health.dialed(&dialed, since);
        }
        dialed.map(drop).map_err(|error| self.with_address(error))
    }

    async fn stream_and_tls(&self, offer: Offer) -> Result<Dialed, UpstreamError> {
        let endpoint = &self.endpoint;
        let stream: BoxedIo = match &self.via {
            None => Box::new(
                self.tcp(endpoint.host(), endpoint.port, Hop::Connect, offer)
                    .await?,
            ),
            Some(via) => self.tunnel(via, offer).await?,
        };
        let Some(tls) = &self.tls.member else {
            let connected = Connected::new(stream, self.metrics.connection());
            return Ok(Dialed::Http1(Box::new(connected)));
        };
        let config = match offer {
            Offer::Http1 | Offer::Upgrade => &tls.http1,
            Offer::Http2 => &tls.http2,
        };
        let stream = self.tls(stream, config, endpoint.host(), Hop::Tls).await?;
        let agreed = stream.get_ref().1.alpn_protocol().map(|p| p == b"h2");
        let connected = Connected::new(stream, self.metrics.connection());
        let listener = connected.listener();
        let connected = Box::new(connected);
        Ok(match agreed {
            Some(true) => Dialed::Http2(connected, listener),
            None if offer != Offer::Http2 => Dialed::Unagreed(connected),
            Some(false) | None => Dialed::Http1(connected),
        })
    }

    /// TCP to `host`. Only the member's own connection has a hop for its TCP.
    async fn tcp(
        &self,
        host: &str,
        port: u16,
        hop: Hop,
        offer: Offer,
    ) -> Result<TcpStream, UpstreamError> {
        let config = self.config;
        let lookup = tokio::net::lookup_host((host.to_owned(), port))
            .map_err(|source| Told::of("the name cannot be resolved", source));
        let found = self.hop(config.connect_timeout, Hop::Dns, lookup).await?;
        let connect = connect(found.collect(), config.tcp_keepalive, offer);
        self.hop(config.connect_timeout, hop, connect).await
    }

    async fn tunnel(&self, via: &Via, offer: Offer) -> Result<BoxedIo, UpstreamError> {
        let tcp = self.tcp(&via.host, via.port, Hop::Proxy, offer).await?;
        let mut stream: BoxedIo = Box::new(tcp);
        if let Some(config) = &self.tls.proxy {
            stream = Box::new(self.tls(stream, config, &via.host, Hop::Proxy).await?);
        }
        // Boxed, so that what a tunnel is made of does not show in the type of a dial.
        let tunnel = tunnel::open(stream, via.protocol.clone(), self.endpoint.clone()).boxed();
        self.hop(self.config.connect_timeout, Hop::Proxy, tunnel)
            .await
    }

    async fn tls(
        &self,
        stream: BoxedIo,
        config: &Arc<ClientConfig>,
        host: &str,
        hop: Hop,
    ) -> Result<TlsStream<BoxedIo>, UpstreamError> {
        let name = server_name(host).map_err(|source| untrusted(hop, source))?;
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        let done = self.hop(self.config.tls_timeout, hop, handshake).await;
        done.map_err(|error| match error {
            UpstreamError::Failed { source, .. } if is_tls(&*source) => untrusted(hop, source),
            // A handshake that broke off says nothing of who the other side is.
            UpstreamError::Config { .. }
            | UpstreamError::Failed { .. }
            | UpstreamError::GivenUp { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::TimedOut { .. }
            | UpstreamError::Untrusted { .. } => error,
        })
    }

    /// `work` of the hop `hop`, which is to be done within `time`.
    async fn hop<T, E: Into<BoxError>>(
        &self,
        time: Duration,
        hop: Hop,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, UpstreamError> {
        if let Some(at) = &self.at {
            at.send_replace(hop);
        }
        limit(time, hop, work).await
    }

    fn with_address(&self, error: UpstreamError) -> UpstreamError {
        match error {
            UpstreamError::Failed {
                hop,
                detail,
                source,
            } => UpstreamError::Failed {
                hop,
                detail,
                source: self.unreached(source),
            },
            UpstreamError::Untrusted {
                hop,
                detail,
                source,
            } => UpstreamError::Untrusted {
                hop,
                detail,
                source: self.unreached(source),
            },
            UpstreamError::Config { .. }
            | UpstreamError::GivenUp { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::TimedOut { .. } => error,
        }
    }

    fn unreached(&self, source: BoxError) -> BoxError {
        let mut to = self.endpoint.host_and_port();
        if let Some(via) = &self.via {
            to = format!("{to} through {}:{}", via.host, via.port);
        }
        Box::new(Unreached { to, source })
    }
}

/// TCP to one of `addresses`, with what each connection to a member has.
///
/// Where a path loses everything without a word, what was sent is sent again for a quarter of an
/// hour (tcp_retries2), and there are no keepalive probes meanwhile. So a connection for requests
/// has a limit on how long its bytes may stay unacknowledged (TCP_USER_TIMEOUT, RFC 5482). Linux
/// lets this limit, in place of the number of probes, end a connection at rest as well: at the
/// first probe that is due behind it, if one was sent before. It is the time of all the probes, for
/// with less one lost probe would do. With `rest` at 30 s that is 45 s, in which the HTTP/2 pings of
/// Go's Kubernetes clients find out too (30 and 15 s).
///
/// The limit ends a connection whose other side acknowledges but reads nothing for so long, too. On
/// an upgraded one that is no fault: a program that waits reads no input. So it has none, and
/// `rest` between probes.
async fn connect(
    addresses: Vec<SocketAddr>,
    rest: Duration,
    offer: Offer,
) -> io::Result<TcpStream> {
    let stream = race::connect(addresses).await?;
    stream.set_nodelay(true)?;
    let (interval, limit) = match offer {
        Offer::Http1 | Offer::Http2 => {
            let limit = rest + KEEPALIVE_RETRIES * KEEPALIVE_INTERVAL;
            (KEEPALIVE_INTERVAL, Some(limit))
        }
        Offer::Upgrade => (rest, None),
    };
    let keepalive = TcpKeepalive::new()
        .with_time(rest)
        .with_interval(interval)
        .with_retries(KEEPALIVE_RETRIES);
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(limit)?;
    Ok(stream)
}

/// A hop that failed.
pub(crate) fn failed(hop: Hop, source: impl Into<BoxError>) -> UpstreamError {
    let source = source.into();
    UpstreamError::Failed {
        hop,
        detail: detail(&*source),
        source,
    }
}

/// A hop whose other side is not to be trusted.
pub(crate) fn untrusted(hop: Hop, source: impl Into<BoxError>) -> UpstreamError {
    let source = source.into();
    UpstreamError::Untrusted {
        hop,
        detail: detail(&*source),
        source,
    }
}

/// `work`, which is to be done within `time`.
pub(crate) async fn limit<T, E>(
    time: Duration,
    hop: Hop,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, UpstreamError>
where
    E: Into<BoxError>,
{
    match timeout(time, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) => {
            let source = source.into();
            match is_timeout(&*source) {
                true => Err(UpstreamError::TimedOut { hop }),
                false => Err(failed(hop, source)),
            }
        }
        Err(_) => Err(UpstreamError::TimedOut { hop }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::{Offer, connect};

    #[tokio::test]
    async fn a_silent_path_ends_a_request_soon_and_a_silent_program_ends_no_upgrade() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let second = Duration::from_secs(1);
        for (offer, interval, limit) in [
            (Offer::Http1, 5 * second, Some(45 * second)),
            (Offer::Http2, 5 * second, Some(45 * second)),
            (Offer::Upgrade, 30 * second, None),
        ] {
            let stream = connect(vec![address], 30 * second, offer).await;
            let stream = stream.expect("a stream");
            let socket = SockRef::from(&stream);
            assert_eq!(socket.tcp_nodelay().ok(), Some(true), "{offer:?}");
            assert_eq!(socket.keepalive().ok(), Some(true), "{offer:?}");
            assert_eq!(socket.tcp_keepalive_time().ok(), Some(30 * second));
            assert_eq!(socket.tcp_keepalive_interval().ok(), Some(interval));
            assert_eq!(socket.tcp_keepalive_retries().ok(), Some(3), "{offer:?}");
            assert_eq!(socket.tcp_user_timeout().ok(), Some(limit), "{offer:?}");
        }
    }
}
