//! A connection to one member: dial, forward proxies, TLS, HTTP/1.1 and HTTP/2 pools, upgrades.
//!
//! Knows neither who calls nor what is asked: it brings a request, whose headers are ready, to the
//! member and the answer back.

mod check;
mod detail;
mod dial;
mod endpoint;
mod forward_proxy;
mod health;
mod http1;
mod http2;
mod io;
mod metrics;
mod pace;
mod replay;
mod send;
mod tunnel;

use std::{
    error::Error,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use fleetgate_model::{Class, Settings, Target, TlsVersion, ToMember, UpstreamError};
use fleetgate_stack::{Body, NewService, Tasks};
use fleetgate_tls::{
    MinVersion,
    client::{ClientConfigs, ClientOptions, Trust},
};
use futures::future::BoxFuture;
use http::Response;
use tower::Service;

pub use crate::metrics::Metrics;
use crate::{
    dial::{Dialer, MemberTls, TlsConfigs},
    endpoint::Endpoint,
    forward_proxy::Via,
    health::Health,
    pace::Paces,
};

/// Time limits of connections. A member's own settings come first.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// For looking a name up, for TCP, and for a forward proxy's answer: each.
    pub connect_timeout: Duration,
    /// For a TLS handshake, and for HTTP/2's first words after it: each.
    pub tls_timeout: Duration,
    /// How long a connection may rest unused and still be used again: servers close theirs at 90 s
    /// or later.
    pub idle_timeout: Duration,
    /// Rest on a connection before TCP asks whether the other side is there (RFC 9293, 3.8.4).
    pub tcp_keepalive: Duration,
    /// Whether a member's first answer is the reason to connect for what lasts, before anybody asks
    /// for that.
    pub prewarm: bool,
}

/// Makes [`Upstream`]s: a [`NewService`] for a [`Target`].
#[derive(Clone, Debug)]
pub struct NewUpstream {
    config: Config,
    metrics: Metrics,
    tasks: Tasks,
    tls: Arc<ClientConfigs>,
    /// What is known of a member's host goes from one set of credentials to the next.
    paces: Arc<Paces>,
}

/// A service that brings requests to one member. Clones share the connections; they are closed
/// when the last clone and the last answer are gone.
#[derive(Clone)]
pub struct Upstream {
    /// What cannot be connected to says so to each request.
    inner: Result<Arc<Pools>, Unusable>,
}

/// A field of the cluster that cannot be used, and why.
#[derive(Clone)]
struct Unusable {
    field: &'static str,
    source: Arc<dyn Error + Send + Sync>,
}

struct Pools {
    endpoint: Endpoint,
    health: Arc<Health>,
    /// Connects just to see.
    dialer: Dialer,
    http1: http1::Pool,
    /// For short requests that find no connection of HTTP/1.1 free.
    short: http2::Pool,
    /// For what lasts: its unread bytes hold no short request up.
    lasting: http2::Pool,
    /// Drive upgraded connections.
    tasks: Tasks,
    /// The member was seen to speak no HTTP/2.
    http1_only: AtomicBool,
    /// It did not agree to HTTP/1.1: what it speaks is seen when a stream is asked for.
    no_http1: AtomicBool,
    /// A connection was made ahead for what lasts, or need not be.
    is_warm: AtomicBool,
}

// === impl Config ===

impl Config {
    /// These limits, but for what `settings` say.
    fn with(self, settings: &Settings) -> Self {
        Self {
            connect_timeout: settings.connect_timeout.unwrap_or(self.connect_timeout),
            tls_timeout: settings.tls_timeout.unwrap_or(self.tls_timeout),
            idle_timeout: settings.idle_timeout.unwrap_or(self.idle_timeout),
            ..self
        }
    }
}

impl Default for Config {
    /// 10 s to connect and for TLS, 60 s at rest, TCP asks after 30 s, connections are made ahead.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            tls_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            tcp_keepalive: Duration::from_secs(30),
            prewarm: true,
        }
    }
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
            paces: Arc::default(),
        }
    }

    fn pools(&self, target: &Target) -> Result<Pools, Unusable> {
        let member = &target.member;
        let settings = member.settings.as_ref();
        let settings = settings.map_err(|error| Unusable::new(error.field, error.clone()))?;
        let endpoint = Endpoint::parse(&member.endpoint);
        let endpoint = endpoint.map_err(|source| Unusable::new("spec.apiEndpoint", source))?;
        let via = member.forward_proxy.as_ref().map(Via::parse).transpose();
        let via = via.map_err(|source| Unusable::new("spec.proxyURL", source))?;
        let is_https = endpoint.is_https();
        let metrics = self.metrics.member(member.name.as_str());
        let pace = self.paces.of(&member.name, endpoint.host());
        let health = Arc::new(Health::new(metrics.clone(), pace));
        let dialer = Dialer {
            tls: self.tls(target, settings, is_https, via.as_ref())?,
            endpoint: endpoint.clone(),
            via,
            config: self.config.with(settings),
            metrics,
            health: Arc::clone(&health),
            at: None,
        };
        let tasks = &self.tasks;
        Ok(Pools {
            http1: http1::Pool::new(dialer.clone(), tasks.clone()),
            short: http2::Pool::new(dialer.clone(), tasks.clone()),
            lasting: http2::Pool::new(dialer.clone(), tasks.clone()),
            tasks: tasks.clone(),
            endpoint,
            http1_only: AtomicBool::new(!is_https),
            no_http1: AtomicBool::new(false),
            is_warm: AtomicBool::new(!self.config.prewarm),
            health,
            dialer,
        })
    }

    fn tls(
        &self,
        target: &Target,
        settings: &Settings,
        is_https: bool,
        via: Option<&Via>,
    ) -> Result<TlsConfigs, Unusable> {
        let trust = match &target.credentials.ca_bundle {
            _ if target.member.insecure_skip_tls_verification => Trust::Anyone,
            Some(bundle) => Trust::Bundle(Arc::clone(bundle)),
            None => Trust::System,
        };
        let config = |min_version, protocols: &[&str]| {
            let options = ClientOptions {
                trust: trust.clone(),
                identity: None,
                min_version,
                protocols: protocols.iter().map(|p| p.as_bytes().to_vec()).collect(),
            };
            let config = self.tls.config(&options);
            config.map_err(|source| Unusable::new("caBundle", source))
        };
        let min_version = match settings.tls_min_version {
            TlsVersion::Tls12 => MinVersion::Tls12,
            TlsVersion::Tls13 => MinVersion::Tls13,
        };
        let member = || {
            Ok(MemberTls {
                http1: config(min_version, &["http/1.1"])?,
                http2: config(min_version, &["h2", "http/1.1"])?,
            })
        };
        let proxy = || config(MinVersion::Tls12, &["http/1.1"]);
        let via_tls = via.is_some_and(|via| via.tls);
        Ok(TlsConfigs {
            member: is_https.then(member).transpose()?,
            proxy: via_tls.then(proxy).transpose()?,
        })
    }
}

impl NewService<Target> for NewUpstream {
    type Service = Upstream;

    fn new_service(&self, target: Target) -> Upstream {
        Upstream {
            inner: self.pools(&target).map(Arc::new),
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
            Err(Unusable { field, source }) => {
                let (field, source) = (*field, Box::new(Arc::clone(source)));
                Box::pin(ready(Err(UpstreamError::Config { field, source })))
            }
        }
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

// === impl Unusable ===

impl Unusable {
    fn new(field: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        let source = Arc::new(source);
        Self { field, source }
    }
}

// === impl Pools ===

impl Pools {
    async fn send(&self, to_member: ToMember<Body>) -> Result<Response<Body>, UpstreamError> {
        let ToMember { mut request, class } = to_member;
        self.locate(&mut request)?;
        self.health.admit(&self.dialer, &self.tasks).await?;
        let _waiting = self.health.wait(&self.dialer, &self.tasks);
        let answer = match class {
            Class::Upgrade => self.upgrade(request).await,
            Class::Short if self.speaks_both() => self.send_short(request).await,
            Class::Short => self.send_shared(&self.short, request).await,
            Class::LongRunning => self.send_shared(&self.lasting, request).await,
        };
        if answer.is_ok() {
            self.health.heard();
            self.warm();
        }
        answer
    }

    /// At the first answer, connects for what lasts: a watch follows the list, a log or an exec the
    /// object, and need not wait for a handshake then.
    fn warm(&self) {
        if !self.is_warm.load(Ordering::Relaxed)
            && !self.is_warm.swap(true, Ordering::Relaxed)
            && !self.http1_only.load(Ordering::Relaxed)
        {
            self.lasting.warm();
        }
    }

    /// Whether the member may speak HTTP/1.1 as well as HTTP/2.
    fn speaks_both(&self) -> bool {
        let seen = [&self.http1_only, &self.no_http1];
        !seen.into_iter().any(|only| only.load(Ordering::Relaxed))
    }
}
