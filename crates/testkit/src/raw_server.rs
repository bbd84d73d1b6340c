//! Members and proxies that a test plays itself, connection by connection, byte by byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::Acceptor,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::certs::Leaf;

/// A listener whose every connection a closure serves.
#[derive(Debug)]
pub struct RawServer {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    stop: CancellationToken,
}

/// A connection that a [`RawServer`] accepted.
pub type Accepted = TlsStream<TcpStream>;

// === impl RawServer ===

impl RawServer {
    /// Accepts TLS with `leaf`, offering `protocols`, and hands each connection to `serve` with
    /// its number from 0.
    pub async fn tls<F, Fut>(leaf: &Leaf, protocols: &[&str], serve: F) -> Self
    where
        F: Fn(usize, Accepted) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(config(leaf, protocols));
        let serve = Arc::new(serve);
        Self::tcp(move |number, stream| {
            let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(number, stream).await;
                }
            }
        })
        .await
    }

    /// The same, but as a server of Go that speaks HTTP/2 alone: it agrees to nothing with a caller
    /// that offers HTTP/1.1 alone, and lets it in.
    pub async fn tls_like_go<F, Fut>(leaf: &Leaf, serve: F) -> Self
    where
        F: Fn(usize, Accepted) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (http2, nothing) = (config(leaf, &["h2"]), config(leaf, &[]));
        let serve = Arc::new(serve);
        Self::tcp(move |number, stream| {
            let (http2, nothing) = (Arc::clone(&http2), Arc::clone(&nothing));
            let serve = Arc::clone(&serve);
            async move {
                let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
                let hello = hello.unwrap();
                let offered = hello.client_hello().alpn();
                let is_http2 = offered.is_some_and(|mut all| all.any(|one| one == b"h2"));
                let config = if is_http2 { http2 } else { nothing };
                if let Ok(stream) = hello.into_stream(config).await {
                    serve(number, stream).await;
                }
            }
        })
        .await
    }

    /// Hands each TCP connection to `serve` with its number from 0.
    pub async fn tcp<F, Fut>(serve: F) -> Self
    where
        F: Fn(usize, TcpStream) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, stop) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
        let (count, stopped, tasks) = (accepted.clone(), stop.clone(), TaskTracker::new());
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let serve = serve(number, stream);
                connections.spawn(stopped.clone().run_until_cancelled_owned(serve));
            }
        });
        Self {
            address,
            accepted,
            stop,
        }
    }

    /// TCP connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// `https://127.0.0.1:PORT`.
    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }
}

fn config(leaf: &Leaf, protocols: &[&str]) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der.clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
