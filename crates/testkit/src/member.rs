//! A member that does as it is told, and remembers what it was sent.

mod answer;
mod record;
mod upgrade;

use std::{net::SocketAddr, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs::default_provider,
    pki_types::{PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::{
    certs::Leaf,
    server::{Body, Counts, Server},
};
use record::Log;

pub use answer::{Answer, Chunks};
pub use record::Received;
pub use upgrade::{UpgradeScript, UpgradedRecord, websocket_accept};

/// A fake member on loopback, alive until dropped.
#[derive(Debug)]
pub struct FakeMember {
    server: Server,
    scheme: &'static str,
    log: Arc<Log>,
}

/// A fake member that is not yet listening.
#[derive(Clone, Debug)]
pub struct FakeMemberBuilder {
    address: SocketAddr,
    tls: Option<Tls>,
}

#[derive(Clone, Debug)]
struct Tls {
    leaf: Leaf,
    protocols: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

// === impl FakeMember ===

impl FakeMember {
    /// A member that speaks plain HTTP/1.1, and HTTP/2 with prior knowledge.
    pub fn plain() -> FakeMemberBuilder {
        FakeMemberBuilder {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
        }
    }

    /// A member that shows `leaf` and offers h2 and http/1.1.
    pub fn tls(leaf: &Leaf) -> FakeMemberBuilder {
        let protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = Tls {
            leaf: leaf.clone(),
            protocols,
            versions: vec![&TLS13, &TLS12],
        };
        FakeMemberBuilder {
            tls: Some(tls),
            ..Self::plain()
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// `http://127.0.0.1:PORT` or `https://…`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// Its connections so far.
    pub fn counts(&self) -> Counts {
        self.server.counts()
    }

    /// Every request so far, in the order of their heads.
    pub fn received(&self) -> Vec<Received> {
        self.log.requests()
    }

    /// Waits until `count` requests have come, and returns all that have.
    pub async fn wait_received(&self, count: usize) -> Vec<Received> {
        self.log.wait(|log| log.requests().len() >= count).await;
        self.received()
    }

    /// Waits until `count` upgraded connections have ended, and returns what came of each.
    pub async fn wait_upgraded(&self, count: usize) -> Vec<UpgradedRecord> {
        self.log.wait(|log| log.upgraded().len() >= count).await;
        self.log.upgraded()
    }

    /// Drops every open connection at once, whatever is going on in it, and goes on listening.
    pub fn cut_connections(&self) {
        self.server.cut_connections();
    }
}

// === impl FakeMemberBuilder ===

impl FakeMemberBuilder {
    /// Listens at `address` instead of a free port of 127.0.0.1, as a member that comes back does.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Offers `protocols` by ALPN.
    #[must_use]
    pub fn protocols(mut self, protocols: &[&str]) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.protocols = protocols
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect();
        }
        self
    }

    /// Speaks TLS 1.2 alone, as old members do.
    #[must_use]
    pub fn only_tls12(mut self) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.versions = vec![&TLS12];
        }
        self
    }

    /// Starts listening, and answers each request as `script` says once its head has come.
    pub async fn start<S>(self, script: S) -> FakeMember
    where
        S: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let log = Arc::new(Log::default());
        let scheme = self.tls.as_ref().map_or("http", |_| "https");
        let handler = {
            let (log, script) = (log.clone(), Arc::new(script));
            move |req| handle(log.clone(), script.clone(), req)
        };
        let tls = self.tls.map(|tls| Arc::new(tls.config()));
        let server = Server::start(self.address, tls, handler).await;
        FakeMember {
            server,
            scheme,
            log,
        }
    }

    /// Starts listening, and answers each request with what it was.
    pub async fn echo(self) -> FakeMember {
        self.start(|_| Answer::Echo).await
    }
}

async fn handle<S>(log: Arc<Log>, script: Arc<S>, mut req: Request<Incoming>) -> Response<Body>
where
    S: Fn(&Received) -> Answer + Send + Sync + 'static,
{
    let upgrade = hyper::upgrade::on(&mut req);
    let (head, body) = req.into_parts();
    let received = log.record(&head);
    let answer = script(&received);
    log.fill(&received, body);
    answer.respond(&log, received, upgrade).await
}

// === impl Tls ===

impl Tls {
    fn config(self) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.leaf.key_pem.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.leaf.der], key)
            .unwrap();
        config.alpn_protocols = self.protocols;
        config
    }
}

#[cfg(test)]
mod tests;
