//! A byte stream to a member: name, TCP, forward proxy, TLS; each hop with its own error.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::BoxError;
use futures::{TryFutureExt, future::BoxFuture};
use http::Uri;
use hyper_util::{
    client::legacy::connect::{
        HttpConnector,
        dns::Name,
        proxy::{SocksV5, Tunnel},
    },
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::{Service, ServiceExt, service_fn};

use crate::{
    Config,
    detail::detail,
    endpoint::Endpoint,
    forward_proxy::{Protocol, Via},
    io::BoxedIo,
};

/// TLS configurations for one member, which differ in what they offer by ALPN (RFC 7301).
#[derive(Clone, Debug)]
pub(crate) struct TlsConfigs {
    /// Offers HTTP/1.1 alone.
    pub(crate) http1: Arc<ClientConfig>,
    /// Offers HTTP/2, then HTTP/1.1.
    pub(crate) http2: Arc<ClientConfig>,
    /// For the TLS of an `https` forward proxy itself: verified by the system's roots.
    pub(crate) proxy: Option<Arc<ClientConfig>>,
}

/// What the member and we agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Makes connections to one member.
#[derive(Clone)]
pub(crate) struct Dialer {
    /// The member's endpoint.
    pub(crate) endpoint: Endpoint,
    /// Its forward proxy.
    pub(crate) via: Option<Via>,
    /// Its TLS, unused where the endpoint is plain HTTP.
    pub(crate) tls: TlsConfigs,
    /// Time limits.
    pub(crate) config: Config,
}

// === impl Dialer ===

impl Dialer {
    /// A new connection that offers `offer` and perhaps HTTP/1.1, and what was agreed on.
    ///
    /// # Errors
    /// [`UpstreamError::Failed`] or [`UpstreamError::TimedOut`] with the hop.
    pub(crate) async fn dial(&self, offer: Spoken) -> Result<(BoxedIo, Spoken), UpstreamError> {
        let stream = match &self.via {
            None => {
                let (host, port) = (self.endpoint.host(), self.endpoint.port);
                Box::new(self.tcp(host, port).await?) as BoxedIo
            }
            Some(via) => self.tunnel(via).await?,
        };
        if !self.endpoint.is_https() {
            return Ok((stream, Spoken::Http1));
        }
        let config = match offer {
            Spoken::Http1 => &self.tls.http1,
            Spoken::Http2 => &self.tls.http2,
        };
        let stream = self
            .tls(stream, config, self.endpoint.host(), Hop::Tls)
            .await?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Spoken::Http2,
            Some(_) | None => Spoken::Http1,
        };
        Ok((Box::new(stream), spoken))
    }

    /// TCP to `host`.
    async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, UpstreamError> {
        let config = self.config;
        let lookup = tokio::net::lookup_host((host.to_owned(), port));
        let found = limit(config.connect_timeout, Hop::Dns, lookup).await?;
        let addresses: Vec<SocketAddr> = found.collect();
        let connect = connect(addresses, port, config.tcp_keepalive);
        let stream = limit(config.connect_timeout, Hop::Connect, connect).await?;
        Ok(stream.into_inner())
    }

    async fn tunnel(&self, via: &Via) -> Result<BoxedIo, UpstreamError> {
        let (this, proxy) = (self.clone(), via.clone());
        let reach = service_fn(move |_| this.clone().reach(proxy.clone()));
        let member = self.endpoint.tunnel_uri();
        let member = member.map_err(|source| failed(Hop::Proxy, source))?;
        // Boxed, so that what a tunnel is made of does not show in the type of a dial.
        let tunnel: BoxFuture<'static, Result<_, BoxError>> = match &via.protocol {
            Protocol::HttpConnect { headers } => {
                let tunnel = Tunnel::new(via.uri.clone(), reach).with_headers(headers.clone());
                Box::pin(tunnel.oneshot(member).map_err(Into::into))
            }
            Protocol::Socks5 { login } => {
                let mut socks = SocksV5::new(via.uri.clone(), reach);
                if let Some((user, password)) = login.clone() {
                    socks = socks.with_auth(user, password);
                }
                Box::pin(socks.oneshot(member).map_err(Into::into))
            }
        };
        let stream: TokioIo<BoxedIo> =
            limit(self.config.connect_timeout, Hop::Proxy, tunnel).await?;
        Ok(stream.into_inner())
    }

    /// The stream to the forward proxy itself. Boxed, so that the tunnels need not name it.
    fn reach(self, via: Via) -> BoxFuture<'static, Result<TokioIo<BoxedIo>, UpstreamError>> {
        Box::pin(async move {
            let mut stream: BoxedIo = Box::new(self.tcp(&via.host, via.port).await?);
            if let Some(config) = &self.tls.proxy {
                stream = Box::new(self.tls(stream, config, &via.host, Hop::Proxy).await?);
            }
            Ok(TokioIo::new(stream))
        })
    }

    async fn tls(
        &self,
        stream: BoxedIo,
        config: &Arc<ClientConfig>,
        host: &str,
        hop: Hop,
    ) -> Result<TlsStream<BoxedIo>, UpstreamError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|source| failed(hop, source))?;
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        limit(self.config.tls_timeout, hop, handshake).await
    }
}

/// TCP to the first of `addresses` that answers, both families raced (RFC 8305).
fn connect(
    addresses: Vec<SocketAddr>,
    port: u16,
    keepalive: Duration,
) -> BoxFuture<'static, Result<TokioIo<TcpStream>, BoxError>> {
    let resolved = service_fn(move |_: Name| {
        let addresses = addresses.clone().into_iter();
        async move { Ok::<_, io::Error>(addresses) }
    });
    let mut connector = HttpConnector::new_with_resolver(resolved);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(keepalive));
    Box::pin(async move {
        // The names were looked up; the connector only needs one that is not an address.
        let uri = format!("tcp://resolved:{port}").parse::<Uri>()?;
        Ok(connector.call(uri).await?)
    })
}

/// A hop that failed.
pub(crate) fn failed(
    hop: Hop,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> UpstreamError {
    let source = source.into();
    UpstreamError::Failed {
        hop,
        detail: detail(&*source),
        source,
    }
}

async fn limit<T, E>(
    time: Duration,
    hop: Hop,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, UpstreamError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match timeout(time, work).await {
        Ok(done) => done.map_err(|source| failed(hop, source)),
        Err(_) => Err(UpstreamError::TimedOut { hop }),
    }
}
