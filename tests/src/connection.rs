//! A caller that sees what a connection does: kept or new, HTTP/1.1 or HTTP/2, each answer's bytes
//! as they come, and what follows an upgrade.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use fleetgate_tls::{
    MinVersion,
    client::{ClientOptions, Trust, client_config},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{self, AUTHORIZATION},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    upgrade::Upgraded,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{Credential, fleet, http::Reply};

/// How long a whole answer may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Who calls which server, and in which protocol.
#[derive(Clone, Debug)]
pub struct Caller {
    address: String,
    tls: Arc<ClientConfig>,
    headers: HeaderMap,
    protocol: Protocol,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// An open connection; closed when dropped.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    address: String,
    headers: HeaderMap,
    certificate: CertificateDer<'static>,
    _driver: JoinSet<()>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

// === impl Caller ===

impl Caller {
    /// Calls the server at `url`, `https://127.0.0.1:PORT`, in HTTP/1.1.
    pub fn new(url: &str, as_whom: &Credential) -> Self {
        Self::trusting(url, as_whom, &fleet().ca)
    }

    /// The same for a server whose certificate `ca` (PEM) signed.
    pub fn trusting(url: &str, as_whom: &Credential, ca: &str) -> Self {
        let mut headers = HeaderMap::new();
        if let Credential::Token(token) = as_whom {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        Self {
            address: url.strip_prefix("https://").unwrap().to_owned(),
            tls: Arc::new(tls(as_whom, ca)),
            headers,
            protocol: Protocol::Http1,
        }
    }

    /// The same for a server whose certificate is not checked: what it is shown, anybody on the way
    /// could read.
    pub fn trusting_anyone(url: &str, as_whom: &Credential) -> Self {
        let options = ClientOptions {
            trust: Trust::Anyone,
            identity: None,
            min_version: MinVersion::Tls12,
            protocols: Vec::new(),
        };
        Self {
            tls: client_config(&options).unwrap(),
            ..Self::new(url, as_whom)
        }
    }

    /// The same with one header more in each request.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    /// The same in HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        let mut config = ClientConfig::clone(&self.tls);
        config.alpn_protocols = vec![b"h2".to_vec()];
        self.tls = Arc::new(config);
        self.protocol = Protocol::Http2;
        self
    }

    /// A new connection.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn connect(&self) -> Result<Connection> {
        let tcp = TcpStream::connect(&self.address).await.context("connect")?;
        tcp.set_nodelay(true).context("set nodelay")?;
        let (host, _) = self.address.rsplit_once(':').context("an address")?;
        let name = ServerName::try_from(host.to_owned()).context("name the server")?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp);
        let tls = tls.await.context("TLS handshake")?;
        let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().context("no certificate was shown")?;
        let certificate = certificate.clone().into_owned();
        let io = TokioIo::new(tls);
        let mut driver = JoinSet::new();
        // How a connection ends is told to those who wait for an answer on it.
        let sender = match self.protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                let made = builder.max_headers(1000).handshake(io).await;
                let (sender, connection) = made.context("HTTP/1.1 handshake")?;
                driver.spawn(async { connection.with_upgrades().await.unwrap_or_default() });
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let made = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, connection) = made.context("HTTP/2 handshake")?;
                driver.spawn(async { connection.await.unwrap_or_default() });
                Sender::Http2(sender)
            }
        };
        Ok(Connection {
            sender,
            address: self.address.clone(),
            headers: self.headers.clone(),
            certificate,
            _driver: driver,
        })
    }

    /// GET of `path` on a connection of its own.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.connect().await?.get(path).await
    }

    /// Sends `body` to `path` on a connection of its own, a patch as a JSON merge patch.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Reply> {
        self.connect().await?.send(method, path, body).await
    }
}

fn tls(as_whom: &Credential, ca: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match as_whom {
        Credential::Anonymous | Credential::Token(_) => builder.with_no_client_auth(),
        Credential::Certificate { certificate, key } => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

// === impl Connection ===

impl Connection {
    /// The certificate that the server showed.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A request with the caller's token and headers, to be sent on this connection.
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let builder = Request::builder().method(method);
        let builder = match &self.sender {
            Sender::Http1(_) => builder.uri(path).header(header::HOST, &self.address),
            Sender::Http2(_) => builder.uri(format!("https://{}{path}", self.address)),
        };
        let headers = self.headers.iter();
        headers.fold(builder, |builder, (name, value)| {
            builder.header(name, value)
        })
    }

    /// Sends a request and returns its answer when that begins.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.context("the connection has ended")?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.context("the connection has ended")?;
                sender.send_request(request).await
            }
        };
        response.context("no answer")
    }

    /// Sends a request and returns its answer when that is whole.
    ///
    /// # Errors
    /// If there is none, it breaks off, or it takes too long.
    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply> {
        let whole = async {
            let (head, body) = self.start(request).await?.into_parts();
            let body = body.collect().await.context("the answer breaks off")?;
            Ok(Reply {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        timeout(LIMIT, whole).await.context("no whole answer")?
    }

    /// GET of `path`.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        let request = self.request(Method::GET, path).body(Full::default());
        self.exchange(request.context("build a request")?).await
    }

    /// Sends `body` to `path`, a patch as a JSON merge patch.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn send(&mut self, method: Method, path: &str, body: &Value) -> Result<Reply> {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = self
            .request(method, path)
            .header(header::CONTENT_TYPE, kind)
            .body(Full::from(body.to_string()));
        self.exchange(request.context("build a request")?).await
    }

    /// GET of `path`, whose answer begins with 200 and may go on for ever.
    ///
    /// # Errors
    /// As [`Self::start`], or if the answer is another.
    pub async fn watch(&mut self, path: &str) -> Result<Incoming> {
        let request = self.request(Method::GET, path).body(Full::default());
        let response = self.start(request.context("build a request")?).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            _ => Err(refusal(response).await),
        }
    }

    /// Asks to speak `protocol` at `path` and returns the byte stream.
    ///
    /// # Errors
    /// If the answer is not 101.
    pub async fn upgrade(&mut self, path: &str, protocol: &str) -> Result<TokioIo<Upgraded>> {
        let request = self
            .request(Method::GET, path)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, protocol)
            .body(Full::default());
        let response = self.start(request.context("build a request")?).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response).await);
        }
        let upgraded = hyper::upgrade::on(response).await.context("upgrade")?;
        Ok(TokioIo::new(upgraded))
    }
}

/// What an answer that was not wished for says.
async fn refusal(response: Response<Incoming>) -> anyhow::Error {
    let status = response.status();
    match response.into_body().collect().await {
        Ok(body) => anyhow::anyhow!("{status}: {}", String::from_utf8_lossy(&body.to_bytes())),
        Err(error) => anyhow::Error::from(error).context(status),
    }
}

/// The next piece of an answer's body, nothing at its end.
///
/// # Errors
/// If it breaks off.
pub async fn chunk(body: &mut Incoming) -> Result<Option<Bytes>> {
    loop {
        let Some(frame) = body.frame().await else {
            return Ok(None);
        };
        match frame.context("the answer breaks off")?.into_data() {
            Ok(data) => return Ok(Some(data)),
            Err(trailers) if trailers.is_trailers() => {}
            Err(_) => bail!("a frame that is neither data nor trailers"),
        }
    }
}
