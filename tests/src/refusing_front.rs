//! A front that knows no WebSockets, as old gateways and API servers: it refuses their upgrades, and
//! carries all else to the member behind it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fleetgate_testkit::{
    Accepted, RawServer,
    certs::{Ca, server},
};
use fleetgate_tls::{
    MinVersion,
    client::{ClientOptions, Trust, client_config},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What a server answers that does not know what to make of an upgrade.
const REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 20\r\nConnection: close\r\n\r\nunable to upgrade: x";

/// A front that listens until this is dropped.
#[derive(Debug)]
pub struct RefusingFront {
    server: RawServer,
    ca: Ca,
    refused: Arc<AtomicUsize>,
}

// === impl RefusingFront ===

impl RefusingFront {
    /// A front of the member at `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let options = ClientOptions {
            trust: Trust::Anyone,
            identity: None,
            min_version: MinVersion::Tls12,
            protocols: vec![b"http/1.1".to_vec()],
        };
        let tls = client_config(&options).unwrap();
        let ca = Ca::new("refusing-front");
        let leaf = ca.sign(&server(&["127.0.0.1"]));
        let refused = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&refused);
        let server = RawServer::tls(&leaf, &["http/1.1"], move |_, caller| {
            let (tls, count) = (Arc::clone(&tls), Arc::clone(&count));
            // Either side may go at any time.
            async move { carry(caller, target, tls, &count).await.unwrap_or_default() }
        });
        Self {
            server: server.await,
            ca,
            refused,
        }
    }

    /// Where it is, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.https()
    }

    /// What its certificate is checked against, PEM.
    pub fn ca(&self) -> &str {
        self.ca.pem()
    }

    /// How many upgrades to a WebSocket were refused so far.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

/// Carries one connection. An upgrade is the first request on its own.
async fn carry(
    mut caller: Accepted,
    target: SocketAddr,
    tls: Arc<ClientConfig>,
    refused: &AtomicUsize,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if text.contains("\r\nupgrade: websocket\r\n") {
        refused.fetch_add(1, Ordering::SeqCst);
        caller.write_all(REFUSAL).await?;
        return caller.shutdown().await;
    }
    let tcp = TcpStream::connect(target).await?;
    let name = ServerName::from(target.ip());
    let mut member = TlsConnector::from(tls).connect(name, tcp).await?;
    member.write_all(&head).await?;
    copy_bidirectional(&mut caller, &mut member).await?;
    Ok(())
}
