//! A client that sends exactly what it is told: one connection a request, HTTP/1.1.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use crate::{Credential, fleet};

/// How long a whole answer may take; more than the minute after which hops give up.
const LIMIT: Duration = Duration::from_secs(90);

/// Speaks to one server as one caller.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    tls: Arc<ClientConfig>,
    token: Option<String>,
}

/// A request that is being put together.
#[derive(Debug)]
pub struct Call {
    client: Client,
    request: http::request::Builder,
    body: Bytes,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

// === impl Client ===

impl Client {
    /// `url`: `https://HOST:PORT`.
    pub fn new(url: &str, as_whom: &Credential) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(fleet().ca.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let (tls, token) = match as_whom {
            Credential::Anonymous => (builder.with_no_client_auth(), None),
            Credential::Certificate { certificate, key } => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                (builder.with_client_auth_cert(chain, key).unwrap(), None)
            }
            Credential::Token(token) => (builder.with_no_client_auth(), Some(token.clone())),
        };
        let address = url.strip_prefix("https://").unwrap().to_owned();
        Self {
            address,
            tls: Arc::new(tls),
            token,
        }
    }

    /// GET `path`, with its query.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path).send().await
    }

    /// POST `object` to `path`.
    pub async fn post(&self, path: &str, object: &Value) -> Reply {
        self.call(Method::POST, path).json(object).send().await
    }

    /// DELETE `path`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path).send().await
    }

    /// A request for `path` and query, which go out as they are.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let uri: Uri = path.parse().unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::HOST, &self.address);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        Call {
            client: self.clone(),
            request,
            body: Bytes::new(),
        }
    }

    async fn open(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failed> {
        let tcp = TcpStream::connect(&self.address).await?;
        let (name, _) = self.address.rsplit_once(':').unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let tls = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, tcp)
            .await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        // Ends with the answer, whose failure tells what became of it.
        TaskTracker::new().spawn(connection.with_upgrades());
        Ok(sender.send_request(request).await?)
    }
}

/// No answer, or not all of it.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

// === impl Call ===

impl Call {
    /// Adds a header; several of one name may be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sends `object`, as JSON unless a header says otherwise.
    #[must_use]
    pub fn json(self, object: &Value) -> Self {
        self.body(object.to_string())
    }

    /// Sends `body`, as JSON unless a header says otherwise.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        let said = |headers: &HeaderMap| headers.contains_key(header::CONTENT_TYPE);
        match self.request.headers_ref().is_some_and(said) {
            true => self,
            false => self.header("content-type", "application/json"),
        }
    }

    /// Sends `body` without saying what it is, unless a header does.
    #[must_use]
    pub fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and reads the whole answer. Panics if there is none.
    pub async fn send(self) -> Reply {
        let what = format!("{:?}", self.request);
        match self.try_send().await {
            Ok(reply) => reply,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// If there is none, or it breaks off.
    pub async fn try_send(self) -> Result<Reply, Failed> {
        timeout(LIMIT, async {
            let (head, body) = self.open().await?.into_parts();
            Ok(Reply {
                status: head.status,
                headers: head.headers,
                body: body.collect().await?.to_bytes(),
            })
        })
        .await?
    }

    /// Sends it and returns the answer once its head has come.
    ///
    /// # Errors
    /// If none comes.
    pub async fn open(self) -> Result<Response<Incoming>, Failed> {
        let request = self.request.body(Full::new(self.body))?;
        self.client.open(request).await
    }
}

// === impl Reply ===

impl Reply {
    /// The body as JSON. Panics with the whole answer if it is none.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{self}: {error}"),
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of header `name`, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// `message` of a `Status`.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or("").to_owned()
    }

    /// Panics with the whole answer unless its status is `code`.
    #[track_caller]
    pub fn expect(self, code: u16) -> Self {
        assert_eq!(self.status.as_u16(), code, "{self}");
        self
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}
