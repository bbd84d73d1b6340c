//! A small HTTPS client for what xtask says to control planes: one connection a request.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certs::Identity;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a request that may pass later is repeated, and how long after.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Speaks to one server on loopback.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    tls: Arc<ClientConfig>,
    port: u16,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

// === impl Client ===

impl Client {
    /// `ca`: PEM. `identity`: the certificate to show, if any.
    pub(crate) fn new(port: u16, ca: &str, identity: Option<&Identity>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots
                .add(cert.context("read the CA")?)
                .context("trust the CA")?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("choose TLS versions")?
            .with_root_certificates(roots);
        let tls = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.cert.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .context("read the certificate")?;
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
                    .context("read the key")?;
                builder
                    .with_client_auth_cert(chain, key)
                    .context("use the certificate")?
            }
        };
        Ok(Self {
            tls: Arc::new(tls),
            port,
        })
    }

    /// Whether a GET of `path` answers 200.
    pub(crate) async fn is_ok(&self, path: &str) -> bool {
        self.send(Method::GET, path, None)
            .await
            .is_ok_and(|reply| reply.status == StatusCode::OK)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let reply = self.send(Method::GET, path, None).await?;
        reply.json().with_context(|| format!("GET {path}"))
    }

    /// Posts `object` to `path`, again while the server cannot take it yet.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<Value> {
        let mut last = self.send(Method::POST, path, Some(object)).await;
        for _ in 0..TRIES {
            match &last {
                Ok(reply) if !reply.may_pass_later() => break,
                _ => tokio::time::sleep(PAUSE).await,
            }
            last = self.send(Method::POST, path, Some(object)).await;
        }
        last?.json().with_context(|| format!("POST {path}"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("localhost:{}", self.port))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))
            .context("build a request")?;
        match tokio::time::timeout(LIMIT, self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => bail!("no answer from port {} in {} s", self.port, LIMIT.as_secs()),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .context("connect")?;
        let name = ServerName::try_from("localhost").context("name the server")?;
        let tls = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, tcp)
            .await;
        let io = TokioIo::new(tls.context("TLS handshake")?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .context("HTTP handshake")?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Reply { status, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        let reply = tokio::select! {
            biased;
            reply = &mut exchange => reply,
            end = connection => {
                end.context("connection")?;
                exchange.await
            }
        };
        reply.context("exchange")
    }
}

// === impl Reply ===

impl Reply {
    /// A plane that has just started lacks its namespaces and roles for a moment.
    fn may_pass_later(&self) -> bool {
        matches!(
            self.status,
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS
        ) || self.status.is_server_error()
    }

    fn json(&self) -> Result<Value> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body));
        }
        serde_json::from_slice(&self.body).context("read the answer as JSON")
    }
}
