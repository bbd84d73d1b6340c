//! etcd's own bytes, past the server: read, put, and the past forgotten.
//!
//! Spoken through etcd's JSON gateway, so that nothing here is code of the server.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, process::Command, task::JoinSet};

use crate::{environment::variable, fleet, ports, process::Process, wait::SOON};

/// An etcd that listens without TLS.
#[derive(Debug)]
pub struct Etcd {
    address: String,
    /// Ends with this, where it is a test's own.
    own: Option<(Process, TempDir)>,
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub value: Vec<u8>,
    /// The revision of the last write.
    pub revision: i64,
}

// === impl Etcd ===

impl Etcd {
    /// The host's, where tests have prefixes of their own.
    pub fn of_the_host() -> Self {
        let url = variable("FLEET_ETCD_URL");
        let address = url.strip_prefix("http://").unwrap();
        Self {
            address: address.to_owned(),
            own: None,
        }
    }

    /// One of the test's own, whose past it may forget.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
        let (port, peer) = (ports::take(), ports::take());
        let (client, peer) = (
            format!("http://127.0.0.1:{port}"),
            format!("http://127.0.0.1:{peer}"),
        );
        let mut command = Command::new(variable("FLEET_ETCD_BIN"));
        command
            .args(["--name=own", "--unsafe-no-fsync", "--log-level=warn"])
            .arg(format!("--data-dir={}", dir.path().join("data").display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=own={peer}"));
        let mut process = Process::start(command, &dir.path().join("log"));
        process.until_listening(port, SOON).await;
        Self {
            address: format!("127.0.0.1:{port}"),
            own: Some((process, dir)),
        }
    }

    /// Where it is, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nothing of it runs any more until [`Self::thaw`]. Panics unless it is the test's own.
    pub fn freeze(&self) {
        self.own().signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.own().signal(Signal::CONT);
    }

    fn own(&self) -> &Process {
        let (process, _) = self.own.as_ref().expect("an etcd of the test's own");
        process
    }

    /// What stands at `key`, if anything.
    pub async fn get(&self, key: &str) -> Option<Stored> {
        let found = self
            .call("kv/range", &json!({"key": encode(key.as_bytes())}))
            .await;
        let pair = found["kvs"].get(0)?;
        // Of an empty value the gateway says nothing.
        let value = pair["value"].as_str().unwrap_or("");
        Some(Stored {
            value: BASE64_STANDARD.decode(value).unwrap(),
            revision: number(&pair["mod_revision"]),
        })
    }

    /// Puts `value` at `key`.
    pub async fn put(&self, key: &str, value: &[u8]) {
        let pair = json!({"key": encode(key.as_bytes()), "value": encode(value)});
        self.call("kv/put", &pair).await;
    }

    /// Forgets the past before now, and returns the revision of now.
    pub async fn compact(&self) -> i64 {
        let now = self.call("kv/range", &json!({"key": encode(b"-")})).await;
        let revision = number(&now["header"]["revision"]);
        let compaction = json!({"revision": revision.to_string(), "physical": true});
        self.call("kv/compaction", &compaction).await;
        revision
    }

    /// Panics unless it answers 200.
    async fn call(&self, method: &str, message: &Value) -> Value {
        let tcp = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tcp))
            .await
            .unwrap();
        let mut driver = JoinSet::new();
        // How the connection ends is told to who waits for the answer.
        driver.spawn(async { connection.await.unwrap_or_default() });
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/v3/{method}"))
            .header(header::HOST, &self.address)
            .body(Full::new(Bytes::from(message.to_string())))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert!(status.is_success(), "etcd {method}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The gateway writes 64-bit numbers as text.
fn number(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}
