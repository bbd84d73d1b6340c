//! The stack under test, with closures as ports, and what is asked of them.

mod served;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use fleetgate_model::{
    Attributes, AuthenticateError, AuthorizeError, ClusterName, Credentials, CredentialsError,
    Decision, LimitSettings, Member, Refusal, Settings, Target, ToMember, UpstreamError, User,
};
use fleetgate_proxy::{
    Attribution, Authentication, Authorization, Authorized, Clusters, Config,
    ConstrainedImpersonation, Impersonation, InFlightLayer, InFlightLimits, Metrics, RescueLayer,
    Retain, RoutingLayer, Stage, StageLayer,
};
use fleetgate_stack::{Body, NewService, Tasks};
use fleetgate_testkit::FakeMember;
use fleetgate_upstream::NewUpstream;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, header, request::Parts};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};

pub(crate) use served::{Served, chunk};

/// How long a test waits for what should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The way to the member in every test.
pub(crate) const PROXY: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy";

/// The extra that names the node of a service account; `n1` in every test.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

/// The stack, and what its ports answer.
pub(crate) struct World {
    pub(crate) stack: BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>,
    pub(crate) retain: Arc<dyn Retain>,
    /// Makes a future that compares the stacks with what the ports answer now.
    review: Box<dyn Fn() -> BoxFuture<'static, ()>>,
    /// Makes a future that is done when no connection is upgraded.
    pub(crate) upgrades_ended: Box<dyn Fn() -> BoxFuture<'static, ()>>,
    pub(crate) ports: Arc<Ports>,
    pub(crate) tasks: Tasks,
    registry: Registry,
}

/// What the ports know and were asked.
pub(crate) struct Ports {
    /// Who may do what; a user called `denied` may nothing.
    pub(crate) allow: ArcSwap<fn(&User, &Attributes) -> bool>,
    /// The cluster `m`, if it is registered.
    pub(crate) member: ArcSwap<Option<Arc<Member>>>,
    pub(crate) credentials: ArcSwap<Result<Arc<Credentials>, CredentialsError>>,
    /// Deletes the cluster while its credentials are looked up.
    pub(crate) deletes_meanwhile: AtomicBool,
    /// Each question to the authorizer, as `user verb group/resource/subresource name`.
    pub(crate) asked: Mutex<Vec<String>>,
}

/// What differs between worlds.
struct Rules {
    limits: InFlightLimits,
    constrained: ConstrainedImpersonation,
    /// Serves what is not for a member.
    local: BoxCloneSyncService<Authorized, Response<Body>, fleetgate_proxy::Error>,
}

// === impl Rules ===

impl Default for Rules {
    fn default() -> Self {
        Self {
            limits: InFlightLimits {
                reading: 400,
                mutating: 200,
            },
            constrained: ConstrainedImpersonation::Enabled,
            local: BoxCloneSyncService::new(service_fn(local)),
        }
    }
}

// === impl World ===

impl World {
    /// The stack in front of `member`.
    pub(crate) fn of(member: &FakeMember) -> Self {
        let tasks = Tasks::default();
        let config = fleetgate_upstream::Config {
            connect_timeout: PATIENCE,
            tls_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            tcp_keepalive: PATIENCE,
            prewarm: true,
        };
        let metrics = fleetgate_upstream::Metrics::register(&mut Registry::default());
        let new_upstream = NewUpstream::new(config, metrics, tasks.clone());
        Self::new(&member.url(), tasks, new_upstream)
    }

    /// The stack in front of an upstream that is a function.
    pub(crate) fn of_fn<F>(answer: F) -> Self
    where
        F: Fn(ToMember<Body>) -> BoxFuture<'static, Result<Response<Body>, UpstreamError>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let new_upstream = move |_: Target| service_fn(answer.clone());
        Self::new("https://member.test", Tasks::default(), new_upstream)
    }

    /// The same without the narrow ways to act as another.
    pub(crate) fn plain<F>(answer: F) -> Self
    where
        F: Fn(ToMember<Body>) -> BoxFuture<'static, Result<Response<Body>, UpstreamError>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let new_upstream = move |_: Target| service_fn(answer.clone());
        let rules = Rules {
            constrained: ConstrainedImpersonation::Disabled,
            ..Rules::default()
        };
        Self::with(rules, "https://member.test", Tasks::default(), new_upstream)
    }

    /// The stack with these limits; `local` serves what is not for a member, which answers at once.
    pub(crate) fn limited<F>(limits: InFlightLimits, local: F) -> Self
    where
        F: Fn(Authorized) -> BoxFuture<'static, Result<Response<Body>, fleetgate_proxy::Error>>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let answer = async |_: ToMember<Body>| Ok(Response::new(Body::full("done")));
        let new_upstream = move |_: Target| service_fn(answer);
        let rules = Rules {
            limits,
            local: BoxCloneSyncService::new(service_fn(local)),
            ..Rules::default()
        };
        Self::with(rules, "https://member.test", Tasks::default(), new_upstream)
    }

    pub(crate) fn new<N, S>(endpoint: &str, tasks: Tasks, new_upstream: N) -> Self
    where
        N: NewService<Target, Service = S> + Send + Sync + 'static,
        S: Service<ToMember<Body>, Response = Response<Body>, Error = UpstreamError>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        Self::with(Rules::default(), endpoint, tasks, new_upstream)
    }

    fn with<N, S>(rules: Rules, endpoint: &str, tasks: Tasks, new_upstream: N) -> Self
    where
        N: NewService<Target, Service = S> + Send + Sync + 'static,
        S: Service<ToMember<Body>, Response = Response<Body>, Error = UpstreamError>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let config = Config {
            request_timeout: Duration::from_secs(60),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
        };
        let ports = Arc::new(Ports {
            allow: ArcSwap::from_pointee((|_, _| true) as fn(&User, &Attributes) -> bool),
            member: ArcSwap::from_pointee(Some(Arc::new(member(endpoint, "1")))),
            credentials: ArcSwap::from_pointee(Ok(Arc::new(credentials("ours")))),
            deletes_meanwhile: AtomicBool::new(false),
            asked: Mutex::default(),
        });
        let clusters = clusters(config, &ports, new_upstream);
        let who = Authentication::new(authenticate)
            .then(Attribution)
            .then(Impersonation::new(authorizer(&ports), rules.constrained));
        let stack = ServiceBuilder::new()
            .layer(RescueLayer::new(|_: &Request<Body>| render))
            .layer(StageLayer::new(who))
            .layer(InFlightLayer::new(rules.limits, &metrics))
            .layer(StageLayer::new(Authorization::new(authorizer(&ports))))
            .layer(RoutingLayer::new(rules.local))
            .service(clusters.clone());
        let (ended, reviewed) = (clusters.clone(), clusters.clone());
        Self {
            stack: BoxCloneSyncService::new(stack),
            retain: Arc::new(clusters),
            review: Box::new(move || {
                let reviewed = reviewed.clone();
                Box::pin(async move { reviewed.review().await })
            }),
            upgrades_ended: Box::new(move || {
                let ended = ended.clone();
                Box::pin(async move { ended.upgrades_ended().await })
            }),
            ports,
            tasks,
            registry,
        }
    }

    /// Sends `request` through the stack.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.stack.clone().oneshot(request);
        let answer = tokio::time::timeout(PATIENCE * 1000, answer).await;
        answer.expect("in time").expect("never fails")
    }

    /// A GET of what follows `/proxy`, as `jane`.
    pub(crate) async fn get(&self, rest: &str) -> Response<Body> {
        self.send(request(Method::GET, rest)).await
    }

    /// Registers the cluster, changed by `change`, in place of what it was.
    pub(crate) fn register(&self, change: impl FnOnce(&mut Member)) {
        let before = self.ports.member.load();
        let mut member = before.as_deref().expect("was registered").clone();
        change(&mut member);
        self.ports.member.store(Arc::new(Some(Arc::new(member))));
    }

    /// Registers the cluster with these limits, in place of what it was.
    pub(crate) fn limit(&self, limits: LimitSettings) {
        self.register(|member| {
            member.settings = Ok(Settings {
                limits,
                ..Settings::default()
            });
        });
    }

    /// Deletes the cluster, and lets the stack know.
    pub(crate) fn delete(&self) {
        self.ports.member.store(Arc::new(None));
        self.retain.retain(&|_| false);
    }

    /// Lets the stack see what changed.
    pub(crate) async fn review(&self) {
        (self.review)().await;
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.ports.asked.lock().clone()
    }

    /// The line of `metrics` that starts with `start`.
    pub(crate) fn metric(&self, start: &str) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("encodes");
        let line = text.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {text}"))
            .to_owned()
    }
}

fn clusters<N, S>(
    config: Config,
    ports: &Arc<Ports>,
    new_upstream: N,
) -> Clusters<
    impl Fn(&ClusterName) -> Option<Arc<Member>> + Send + Sync + 'static,
    impl Fn(&Arc<Member>) -> futures::future::Ready<Result<Arc<Credentials>, CredentialsError>>
    + Send
    + Sync
    + 'static,
    N,
    S,
>
where
    N: NewService<Target, Service = S>,
{
    let (registered, secrets) = (Arc::clone(ports), Arc::clone(ports));
    let resolve = move |name: &ClusterName| {
        let member = registered.member.load();
        member.as_ref().clone().filter(|m| m.name == *name)
    };
    let resolve_credentials = move |_: &Arc<Member>| {
        if secrets.deletes_meanwhile.load(Ordering::Relaxed) {
            secrets.member.store(Arc::new(None));
        }
        futures::future::ready(secrets.credentials.load().as_ref().clone())
    };
    Clusters::new(config, resolve, resolve_credentials, new_upstream)
}

pub(crate) fn member(endpoint: &str, uid: &str) -> Member {
    Member {
        uid: uid.to_owned(),
        insecure_skip_tls_verification: true,
        ..Member::new(ClusterName::parse("m").expect("a name"), endpoint)
    }
}

pub(crate) fn credentials(token: &str) -> Credentials {
    Credentials {
        authorization: HeaderValue::try_from(format!("bearer {token}")).expect("a token"),
        ca_bundle: None,
    }
}

/// A request of `jane` for what follows `/proxy`.
pub(crate) fn request(method: Method, rest: &str) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{PROXY}{rest}"))
        .header(header::AUTHORIZATION, "Bearer jane");
    request.body(Body::empty()).expect("a request")
}

pub(crate) async fn text(answer: Response<Body>) -> String {
    let body = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await;
    let body = body.expect("in time").expect("a whole body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

/// The token is the name. Careless: it leaves claims of an identity in the request.
fn authenticate(parts: &mut Parts) -> futures::future::Ready<Result<User, AuthenticateError>> {
    let bearer = parts.headers.remove(header::AUTHORIZATION);
    let token = bearer.and_then(|value| {
        let text = value.to_str().ok()?;
        Some(text.strip_prefix("Bearer ")?.to_owned())
    });
    futures::future::ready(match token.as_deref() {
        None => Ok(User::anonymous()),
        Some("bad") => Err(AuthenticateError::Invalid),
        Some("unasked") => Err(AuthenticateError::Unavailable("host 10.1.1.1".into())),
        Some(name) => Ok(User {
            name: name.to_owned(),
            uid: "u1".to_owned(),
            groups: vec!["dev".to_owned(), "system:authenticated".to_owned()],
            extra: vec![match name.starts_with("system:serviceaccount:") {
                true => (NODE_NAME.to_owned(), vec!["n1".to_owned()]),
                false => ("scopes".to_owned(), vec!["all".to_owned()]),
            }],
        }),
    })
}

fn authorizer(
    ports: &Arc<Ports>,
) -> Arc<
    impl Fn(&User, &Attributes) -> futures::future::Ready<Result<Decision, AuthorizeError>>
    + Send
    + Sync
    + 'static,
> {
    let ports = Arc::clone(ports);
    Arc::new(move |user: &User, asked: &Attributes| {
        let what = asked.resource.as_ref().map_or_else(
            || asked.path.clone(),
            |r| format!("{}/{}/{} {}", r.group, r.resource, r.subresource, r.name),
        );
        let question = format!("{} {} {what}", user.name, asked.verb);
        ports.asked.lock().push(question);
        let reason = String::new();
        futures::future::ready(match user.name.as_str() {
            "unasked-about" => Err(AuthorizeError("host 10.1.1.1".into())),
            "denied" => Ok(Decision::Deny { reason }),
            _ if (**ports.allow.load())(user, asked) => Ok(Decision::Allow {
                reason: "of the test".to_owned(),
            }),
            _ => Ok(Decision::Deny { reason }),
        })
    })
}

async fn local(authorized: Authorized) -> Result<Response<Body>, fleetgate_proxy::Error> {
    let path = authorized.info().attributes.path.clone();
    Ok(Response::new(Body::full(format!("local {path}"))))
}

/// A refusal as a Status, as the API server would render it.
fn render(refusal: &Refusal) -> Response<Body> {
    let mut status = serde_json::json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refusal.message,
        "code": refusal.code.as_u16(),
    });
    if !refusal.reason.as_str().is_empty() {
        status["reason"] = refusal.reason.as_str().into();
    }
    if let Some(details) = &refusal.details {
        let fields = [
            ("name", &details.name),
            ("group", &details.group),
            ("kind", &details.resource),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        status["details"] = fields
            .map(|(key, value)| (key.to_owned(), value.clone().into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    let mut answer = Response::new(Body::full(status.to_string()));
    *answer.status_mut() = refusal.code;
    if let Some(after) = refusal.retry_after {
        let after = HeaderValue::from(after.as_secs());
        answer.headers_mut().insert(header::RETRY_AFTER, after);
    }
    answer
}
