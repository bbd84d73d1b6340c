//! One cluster: the request stages in order, and the one table from error to Refusal.
//!
//! A request's type changes as it is proven: [`Authenticated`], [`Attributed`], [`Acting`],
//! [`Authorized`], [`Routed`]. Each type can be made only by the [`Stage`] that proves it, so a
//! stage out of order does not compile. Knows the ports of `fleetgate-model` and no adapter.
//!
//! ```text
//! Rescue → SoundHead → Authentication → Attribution → Impersonation → InFlight → Authorization → Routing ┬ Clusters → Upstream
//!                                                                                                        └ local
//! ```
//!
//! # Embedding
//!
//! [`one_cluster`] is the whole stack for one cluster; `examples/embed.rs` is a program around it,
//! with real connections. One with many clusters, or layers of its own, puts the stack together as
//! below: a [`StageLayer`] is one tower layer for any row of stages, so that layers of others can
//! stand in front of the stages, behind them and between them. The ports are closures here;
//! `fleetgate-authn`, `-authz`, `-registry`, `-credentials` and `-upstream` have others.
//!
//! ```
//! use std::{future::ready, sync::Arc, time::Duration};
//!
//! use fleetgate_model::{Attributes, ClusterName, Credentials, Decision, Member, Target, ToMember};
//! use fleetgate_model::{AuthenticateError, AuthorizeError, CredentialsError};
//! use fleetgate_model::{UpstreamError, User};
//! use fleetgate_proxy::*;
//! use fleetgate_stack::Body;
//! use http::{HeaderValue, Request, Response, request::Parts};
//! use http_body_util::BodyExt;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let member = Arc::new(Member::new(ClusterName::parse("member1")?, "https://10.0.0.1:6443"));
//! let credentials = Arc::new(Credentials {
//!     authorization: HeaderValue::from_static("bearer impersonator"),
//!     ca_bundle: None,
//! });
//! let authenticate = |parts: &mut Parts| {
//!     parts.headers.remove("authorization");
//!     ready(Ok::<_, AuthenticateError>(User::named("jane")))
//! };
//! let authorize = Arc::new(|_: &User, asked: &Attributes| {
//!     let Some(resource) = &asked.resource else { return ready(Ok(Decision::allow())) };
//!     let reason = format!("{} is not for you", resource.name);
//!     let allow = resource.name == "member1";
//!     ready(Ok::<_, AuthorizeError>(if allow { Decision::allow() } else { Decision::Deny { reason } }))
//! });
//! let resolve = move |name: &ClusterName| Some(Arc::clone(&member)).filter(|m| m.name == *name);
//! let present = move |_: &Arc<Member>| ready(Ok::<_, CredentialsError>(Arc::clone(&credentials)));
//! let connect = |_: Target| service_fn(async |sent: ToMember<Body>| {
//!     let who = &sent.request.headers()["impersonate-user"];
//!     let text = format!("{who:?} asked for {}", sent.request.uri());
//!     Ok::<_, UpstreamError>(Response::new(Body::full(text)))
//! });
//! let metrics = Metrics::register(&mut Default::default());
//! let limits = InFlightLimits { reading: 400, mutating: 200 };
//! let in_flight = InFlightLayer::new(limits, &metrics);
//! let config = Config::new(Duration::from_secs(60), metrics);
//! let who = SoundHead
//!     .then(Authentication::new(authenticate))
//!     .then(Attribution)
//!     .then(Impersonation::new(Arc::clone(&authorize), ConstrainedImpersonation::Enabled));
//! let server = ServiceBuilder::new()
//!     .layer(RescueLayer::new(|_: &Request<Body>| {
//!         |refusal: &fleetgate_model::Refusal| {
//!             let mut answer = Response::new(Body::full(refusal.message.clone().into_owned()));
//!             *answer.status_mut() = refusal.code;
//!             answer
//!         }
//!     }))
//!     .layer(StageLayer::new(who))
//!     .layer(in_flight)
//!     .layer(StageLayer::new(Authorization::new(authorize)))
//!     .layer(RoutingLayer::new(service_fn(async |_: Authorized| Ok(Response::new(Body::empty())))))
//!     .service(Clusters::new(config, resolve, present, connect));
//!
//! let ask = async |cluster: &str| {
//!     let clusters = "/apis/cluster.karmada.io/v1alpha1/clusters";
//!     let request = Request::get(format!("{clusters}/{cluster}/proxy/api?limit=1"));
//!     let request = request.header("host", "fleet");
//!     let answer = server.clone().oneshot(request.body(Body::empty())?).await?;
//!     let (code, body) = (answer.status(), answer.into_body().collect().await?.to_bytes());
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>((code.as_u16(), body))
//! };
//! assert_eq!(ask("member1").await?, (200, "\"jane\" asked for /api?limit=1".into()));
//! assert_eq!(ask("member2").await?.0, 403);
//! # Ok(())
//! # }
//! ```

mod attribute;
mod audit_id;
mod authenticate;
mod authorize;
mod cluster;
mod ending;
mod error;
mod extended_connect;
mod flowing;
mod framing;
mod generation;
mod head;
mod identity;
mod impersonate;
mod in_flight;
mod limits;
mod location;
mod member;
mod metrics;
mod one_cluster;
mod rescue;
mod rescue_layer;
mod route;
mod stage;
mod trailers;
mod upgrade;

use std::time::Duration;

use fleetgate_stack::Tasks;

pub use attribute::{Attributed, Attribution};
pub use authenticate::{Authenticated, Authentication};
pub use authorize::{Authorization, Authorized, allowed};
pub use cluster::{Clusters, Retain};
pub use error::Error;
pub use head::{HEAD_TOO_LARGE, HeadError, MAX_FIELDS, MAX_HEAD, SoundHead};
pub use identity::takes_trailers;
pub use impersonate::{Acting, ConstrainedImpersonation, Impersonation, Impersonator};
pub use in_flight::{InFlight, InFlightLayer, InFlightLimits};
pub use metrics::Metrics;
pub use one_cluster::one_cluster;
pub use rescue::refusal;
pub use rescue_layer::{ERROR_SOURCE, Rescue, RescueLayer};
pub use route::{Routed, Routing, RoutingLayer};
pub use stage::{Stage, StageLayer, Staged, Then};

/// What the member half of the stack is given.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a member may take until it begins to answer a request that does not last, where its
    /// own settings say nothing.
    pub request_timeout: Duration,
    /// Runs upgraded connections; watches and upgrades end when these tasks are stopped.
    pub tasks: Tasks,
    /// Counts requests.
    pub metrics: Metrics,
}

// === impl Config ===

impl Config {
    /// With tasks of its own.
    pub fn new(request_timeout: Duration, metrics: Metrics) -> Self {
        Self {
            request_timeout,
            tasks: Tasks::default(),
            metrics,
        }
    }
}
