//! A connection to one member: dial, forward proxies, TLS, HTTP/1.1 and HTTP/2 pools, upgrades.
//!
//! Knows neither who calls nor what is asked: it brings a request, whose headers are ready, to the
//! member and the answer back.

mod detail;
mod dial;
mod endpoint;
mod forward_proxy;
mod http1;
mod http2;
mod io;
mod metrics;
mod send;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use fleetgate_model::{Class, Target, ToMember, UpstreamError};
use fleetgate_stack::{Body, BoxError, NewService, Tasks};
use fleetgate_tls::{
    MinVersion,
    client::{ClientConfigs, ClientOptions, Trust},
};
use futures::future::BoxFuture;
use http::Response;
use rustls::ClientConfig;
use tower::Service;

pub use crate::metrics::Metrics;
use crate::{
    dial::{Dialer, TlsConfigs},
    endpoint::Endpoint,
    forward_proxy::Via,
};

/// How many HTTP/1.1 connections a member that speaks HTTP/2 is given for short requests: they
/// cost the member less than streams do (docs/performance.md). Beyond, streams are used.
const SHORT_CONNECTIONS: usize = 4;

/// Time limits of connecting.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// For looking a name up, for TCP, and for a forward proxy's answer: each.
    pub connect_timeout: Duration,
    /// For a TLS handshake.
    pub tls_timeout: Duration,
    /// Rest on a connection before TCP asks whether the other side is there (RFC 9293, 3.8.4).
    pub tcp_keepalive: Duration,
}

/// Makes [`Upstream`]s: a [`NewService`] for a [`Target`].
#[derive(Clone, Debug)]
pub struct NewUpstream {
    config: Config,
    metrics: Metrics,
    tasks: Tasks,
    tls: Arc<ClientConfigs>,
}

/// A service that brings requests to one member. Clones share the connections; they are closed
/// when the last clone and the last answer are gone.
#[derive(Clone)]
pub struct Upstream {
    /// What cannot be connected to says so to each request.
    inner: Result<Arc<Pools>, (&'static str, Arc<BoxError>)>,
}

struct Pools {
    endpoint: Endpoint,
    http1: http1::Pool,
    http2: http2::Pool,
    /// The member was seen to speak no HTTP/2.
    http1_only: AtomicBool,
}

// === impl NewUpstream ===

impl NewUpstream {
    /// A factory whose connections are driven by `tasks`.
    pub fn new(config: Config, metrics: Metrics, tasks: Tasks) -> Self {
        Self {
            config,
            metrics,
            tasks,
            tls: Arc::default(),
        }
    }

    fn pools(&self, target: &Target) -> Result<Pools, (&'static str, BoxError)> {
        let member = &target.member;
        let endpoint = Endpoint::parse(&member.endpoint);
        let endpoint = endpoint.map_err(|source| ("spec.apiEndpoint", source.into()))?;
        let via = member.forward_proxy.as_ref().map(Via::parse).transpose();
        let via = via.map_err(|source| ("spec.proxyURL", source.into()))?;
        let trust = match &target.credentials.ca_bundle {
            _ if member.insecure_skip_tls_verification => Trust::Anyone,
            Some(bundle) => Trust::Bundle(Arc::clone(bundle)),
            None => Trust::System,
        };
        let http1 = vec![b"http/1.1".to_vec()];
        let both = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsConfigs {
            proxy: match &via {
                Some(via) if via.tls => Some(self.tls(Trust::System, http1.clone())?),
                Some(_) | None => None,
            },
            http1: self.tls(trust.clone(), http1)?,
            http2: self.tls(trust, both)?,
        };
        let plain = !endpoint.is_https();
        let dialer = Dialer {
            endpoint: endpoint.clone(),
            via,
            tls,
            config: self.config,
        };
        let (tasks, metrics) = (&self.tasks, self.metrics.member(member.name.as_str()));
        let bound = SHORT_CONNECTIONS;
        Ok(Pools {
            http1: http1::Pool::new(dialer.clone(), tasks.clone(), metrics.clone(), bound),
            http2: http2::Pool::new(dialer, tasks.clone(), metrics),
            endpoint,
            http1_only: AtomicBool::new(plain),
        })
    }
}

impl NewUpstream {
    fn tls(
        &self,
        trust: Trust,
        protocols: Vec<Vec<u8>>,
    ) -> Result<Arc<ClientConfig>, (&'static str, BoxError)> {
        let options = ClientOptions {
            trust,
            identity: None,
            min_version: MinVersion::Tls12,
            protocols,
        };
        let config = self.tls.config(&options);
        config.map_err(|source| ("caBundle", source.into()))
    }
}

impl NewService<Target> for NewUpstream {
    type Service = Upstream;

    fn new_service(&self, target: Target) -> Upstream {
        let pools = self.pools(&target);
        Upstream {
            inner: pools
                .map(Arc::new)
                .map_err(|(field, source)| (field, Arc::new(source))),
        }
    }
}

// === impl Upstream ===

impl Service<ToMember<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = UpstreamError;
    type Future = BoxFuture<'static, Result<Response<Body>, UpstreamError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ToMember<Body>) -> Self::Future {
        match &self.inner {
            Ok(pools) => {
                let pools = Arc::clone(pools);
                Box::pin(async move { pools.send(request).await })
            }
            Err((field, source)) => {
                let (field, source) = (*field, Arc::clone(source));
                let source = source.to_string().into();
                Box::pin(async move { Err(UpstreamError::Config { field, source }) })
            }
        }
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

// === impl Pools ===

impl Pools {
    async fn send(&self, to_member: ToMember<Body>) -> Result<Response<Body>, UpstreamError> {
        let ToMember { mut request, class } = to_member;
        self.locate(&mut request)?;
        match class {
            Class::Upgrade => self.upgrade(request).await,
            Class::Short if !self.http1_only.load(Ordering::Relaxed) => {
                self.send_short(request).await
            }
            Class::LongRunning | Class::Short => self.send_shared(request).await,
        }
    }
}
