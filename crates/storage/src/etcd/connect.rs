//! One way to one etcd server: TCP, TLS from files, HTTP/2 that notices a dead peer.

use std::{error::Error, io, sync::Arc, time::Duration};

use fleetgate_tls::client::server_name;
use http::{Uri, uri};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::{ProtocolVersion, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task,
    time::{self, Instant},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{self, Channel};

use super::{
    config::{EtcdConfigError, EtcdTls},
    failure::Reason,
};

/// Connecting, TLS included, takes no longer, or fails.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// After a failure to connect, the next tries fail at once for as long as it took, and no longer
/// than this. tonic tells one request of a failure and connects anew for the next: of those that
/// wait for a dead host, each would wait out a timeout of its own after the one before.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// For a server that says nothing where etcd would: then it is content.
const VERDICT_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that carries a request is asked for a sign of life after so much silence, and is
/// dead without one in the time below. Idle connections are left alone: etcd ends connections that
/// are pinged for nothing.
const PING_AFTER: Duration = Duration::from_secs(3);
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Many streams share a connection, and one that nobody reads must not hold up the others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// One etcd server.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// As configured, for the log.
    pub(super) address: String,
    pub(super) channel: Channel,
    /// How it failed, if it did last time.
    pub(super) failing: Mutex<Option<Reason>>,
}

/// Where an endpoint is.
#[derive(Clone, Debug)]
struct Target {
    host: String,
    port: u16,
    tls: Option<(EtcdTls, ServerName<'static>)>,
}

/// Connecting failed lately.
#[derive(Clone, Debug)]
struct Resting {
    until: Instant,
    error: Arc<dyn Error + Send + Sync>,
}

/// What has arrived, without waiting for more.
struct Readable<'a>(&'a TcpStream);

/// Bytes in both directions.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

// === impl Endpoint ===

impl Endpoint {
    /// An endpoint that connects when it is used, and again whenever it has to. Has to be made
    /// within a Tokio runtime.
    pub(super) fn new(address: &str, tls: &EtcdTls) -> Result<Self, EtcdConfigError> {
        let (target, authority) = Target::parse(address, tls)?;
        if let Some((tls, _)) = &target.tls {
            // To say at once what is wrong with the files.
            tls.load()?;
        }
        // To tonic every endpoint is http: TLS is the connector's.
        let uri = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query("/")
            .build();
        let unusable = |source| EtcdConfigError::Endpoint {
            endpoint: address.to_owned(),
            source,
        };
        let uri = uri.map_err(|source| unusable(source.into()))?;
        Ok(Self {
            address: address.to_owned(),
            channel: channel(uri, move || target.clone().connect()),
            failing: Mutex::new(None),
        })
    }
}

/// A channel over connections that `connect` makes.
fn channel<F>(uri: Uri, connect: impl Fn() -> F + Send + 'static) -> Channel
where
    F: Future<Output = Result<Box<dyn Io>, Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let resting = Arc::new(Mutex::new(None));
    let connector = tower::service_fn(move |_: Uri| {
        let (resting, connection) = (Arc::clone(&resting), connect());
        async move { in_time(connection, &resting).await.map(TokioIo::new) }
    });
    transport::Endpoint::from(uri)
        .http2_keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_with_connector_lazy(connector)
}

/// Waits for `connection` until the time is over, and not at all while `resting`.
async fn in_time<T>(
    connection: impl Future<Output = Result<T, Box<dyn Error + Send + Sync>>>,
    resting: &Mutex<Option<Resting>>,
) -> Result<T, Arc<dyn Error + Send + Sync>> {
    let began = Instant::now();
    if let Some(Resting { until, error }) = resting.lock().clone()
        && began < until
    {
        return Err(error);
    }
    let error: Arc<dyn Error + Send + Sync> = match time::timeout(CONNECT_TIMEOUT, connection).await
    {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => error.into(),
        Err(elapsed) => Arc::new(io::Error::from(elapsed)),
    };
    let now = Instant::now();
    *resting.lock() = Some(Resting {
        until: now + (now - began).min(LONGEST_REST),
        error: Arc::clone(&error),
    });
    Err(error)
}

// === impl Target ===

impl Target {
    fn parse(endpoint: &str, tls: &EtcdTls) -> Result<(Self, uri::Authority), EtcdConfigError> {
        let unusable = |source| EtcdConfigError::Endpoint {
            endpoint: endpoint.to_owned(),
            source,
        };
        let uri: Uri = endpoint
            .parse()
            .map_err(|source: uri::InvalidUri| unusable(source.into()))?;
        // Without a scheme it is TLS that was meant if there is anything to make it of.
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            None => *tls != EtcdTls::default(),
            Some(_) => return Err(unusable("the scheme is neither http nor https".into())),
        };
        let Some(authority) = uri.authority().filter(|_| matches!(uri.path(), "" | "/")) else {
            return Err(unusable("it is more or less than a host and a port".into()));
        };
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(2379);
        let name = server_name(host).map_err(|source| EtcdConfigError::Host {
            endpoint: endpoint.to_owned(),
            source,
        });
        let tls = if secure {
            Some((tls.clone(), name?))
        } else {
            None
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok((Self { host, port, tls }, authority.clone()))
    }

    async fn connect(self) -> Result<Box<dyn Io>, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some((tls, name)) = self.tls else {
            return Ok(Box::new(stream));
        };
        let config = task::spawn_blocking(move || tls.load()).await??;
        let mut stream = TlsConnector::from(config).connect(name, stream).await?;
        if let Ok(verdict) = time::timeout(VERDICT_TIMEOUT, verdict(&mut stream)).await {
            verdict?;
        }
        Ok(Box::new(stream))
    }
}

/// Waits for the server's word on our certificate. In TLS 1.3 our side of the handshake is over
/// before the server has seen it, and were a request on its way when the server refuses, the
/// refusal might be lost with the connection. A server that is content sends tickets or data.
async fn verdict(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let (tcp, tls) = stream.get_mut();
    if tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    while tls.tls13_tickets_received() == 0 {
        tcp.readable().await?;
        match tls.read_tls(&mut Readable(tcp)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if state.plaintext_bytes_to_read() > 0 {
            break;
        }
    }
    Ok(())
}

// === impl Readable ===

impl io::Read for Readable<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

#[cfg(test)]
mod tests;
