//! A client that sends exactly what it is told: one connection a request, HTTP/1.1.

use std::{fmt, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    Credential,
    connection::{Caller, Connection},
};

/// How long a whole answer may take; more than the minute after which hops give up.
const LIMIT: Duration = Duration::from_secs(90);

/// Speaks to one server as one caller.
#[derive(Clone, Debug)]
pub struct Client {
    caller: Caller,
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Call {
    caller: Caller,
    method: Method,
    path: String,
    headers: HeaderMap,
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
        let caller = Caller::new(url, as_whom);
        Self { caller }
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
        Call {
            caller: self.caller.clone(),
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

// === impl Call ===

impl Call {
    /// Adds a header; several of one name may be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, value.parse().unwrap());
        self
    }

    /// Sends `object`, as JSON unless a header says otherwise.
    #[must_use]
    pub fn json(self, object: &Value) -> Self {
        self.body(object.to_string())
    }

    /// Sends `body`, as JSON unless a header says otherwise.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        match self.headers.contains_key(header::CONTENT_TYPE) {
            true => self.raw(body),
            false => self.header("content-type", "application/json").raw(body),
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
        let what = format!("{} {}", self.method, self.path);
        match timeout(LIMIT, self.exchange()).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => panic!("{what}: {error:#}"),
            Err(_) => panic!("{what}: no whole answer within {LIMIT:?}"),
        }
    }

    async fn exchange(self) -> Result<Reply> {
        let (answer, _connection) = self.open().await?;
        let (head, body) = answer.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Sends it and returns the answer once its head has come, with the connection that it lives on.
    ///
    /// # Errors
    /// If none comes.
    pub async fn open(self) -> Result<(Response<Incoming>, Connection)> {
        let mut connection = self.caller.connect().await?;
        let mut request = connection.request(self.method, &self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = connection
            .start(request.body(Full::new(self.body))?)
            .await?;
        Ok((answer, connection))
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
