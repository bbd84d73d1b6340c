//! One request to one member: whose it is, how long it may take, and what comes back.

use fleetgate_model::{
    Attributes, Class, ClusterName, Credentials, Hop, LimitSettings, PeerAddress, ToMember,
    UpstreamError, User,
};
use fleetgate_stack::{Body, Full, GuardedBody, Tasks, asks_for_upgrade};
use futures::FutureExt;
use http::{
    Method, Request, Response, StatusCode, Uri, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, UPGRADE},
    uri::{InvalidUri, PathAndQuery},
};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::{
    Config, Error,
    ending::{EndingBody, Manner},
    extended_connect::ExtendedConnect,
    flowing::Progress,
    framing::reframe,
    generation::Generation,
    identity::{forwarded_for, present, strip_hop_by_hop},
    limits::{Entered, Limits},
    location::Locations,
    metrics::MemberMetrics,
    rescue::refusal,
    rescue_layer::ERROR_SOURCE,
    route::Routed,
    trailers::{MembersTrailers, OwnTrailers},
    upgrade,
};

/// The end of the stack of one member, in front of its connections.
pub(crate) struct Member<S> {
    name: ClusterName,
    upstream: S,
    locations: Locations,
    tasks: Tasks,
    request_timeout: std::time::Duration,
    upgrade_idle_timeout: Option<std::time::Duration>,
    metrics: MemberMetrics,
    lasting: Lasting,
}

/// What is known of requests that last.
pub(crate) struct Lasting {
    /// Ends watches and upgrades: when the server stops, the cluster is gone, or the grace period
    /// is over after a change of credentials.
    pub(crate) generation: Generation,
    /// Keeps count of upgrades.
    pub(crate) upgrades: TaskTracker,
    /// How many there may be at a time.
    pub(crate) limits: Limits,
}

/// The side of a caller who asks for an upgrade.
struct Caller {
    upgrade: OnUpgrade,
    /// It is a stream of HTTP/2, for which there is no 101.
    extended: Option<ExtendedConnect>,
}

// === impl Member ===

impl<S> Member<S> {
    /// The end of the stack of `member`.
    pub(crate) fn new(
        config: &Config,
        member: &fleetgate_model::Member,
        upstream: S,
        lasting: Lasting,
    ) -> Self {
        let settings = member.settings.as_ref().ok();
        let request_timeout = settings.and_then(|settings| settings.request_timeout);
        Self {
            locations: Locations::new(&member.name, &member.endpoint),
            tasks: config.tasks.clone(),
            request_timeout: request_timeout.unwrap_or(config.request_timeout),
            upgrade_idle_timeout: settings.and_then(|settings| settings.upgrade_idle_timeout),
            metrics: config.metrics.member(member.name.as_str()),
            name: member.name.clone(),
            upstream,
            lasting,
        }
    }

    /// What watches and upgrades are begun in.
    pub(crate) const fn generation(&self) -> &Generation {
        &self.lasting.generation
    }

    /// The limits of the member, if they are still these.
    pub(crate) fn limits(&self, settings: LimitSettings) -> Option<Limits> {
        let limits = &self.lasting.limits;
        limits.are(settings).then(|| limits.clone())
    }

    /// Ends what lasts of the cluster, also what was begun with earlier credentials.
    pub(crate) fn end(&self) {
        self.lasting.generation.end_all();
    }
}

impl<S> Member<S>
where
    S: Service<ToMember<Body>, Response = Response<Body>, Error = UpstreamError> + Clone,
{
    /// Brings `routed` to the member, and its answer back.
    pub(crate) async fn send(
        &self,
        routed: Routed,
        credentials: &Credentials,
    ) -> Result<Response<Body>, Error> {
        let since = Instant::now();
        let (request, user, inner) = routed.into_parts();
        let answer = self.exchange(request, &user, &inner, credentials).await;
        let code = match &answer {
            Ok(response) => response.status(),
            Err(error) => refusal(error).code,
        };
        self.metrics.observe(code, since.elapsed());
        answer
    }

    async fn exchange(
        &self,
        mut request: Request<Body>,
        user: &User,
        inner: &Attributes,
        credentials: &Credentials,
    ) -> Result<Response<Body>, Error> {
        let class = class(&request, inner);
        let caller = (class == Class::Upgrade).then(|| Caller::of(&mut request));
        let protocol = caller
            .as_ref()
            .and_then(|_| request.headers().get(UPGRADE).cloned());
        let peer = request.extensions().get::<PeerAddress>().copied();
        *request.uri_mut() = uri(&request, &inner.path).map_err(|source| {
            let source = source.into();
            self.failed(UpstreamError::Failed {
                hop: Hop::Request,
                detail: Some("the path cannot be sent"),
                source,
            })
        })?;
        request.extensions_mut().clear();
        let version = request.version();
        let (parts, body) = request.into_parts();
        let (body, broken) = OwnTrailers::of(body, version);
        let mut request = Request::from_parts(parts, body);
        let headers = request.headers_mut();
        strip_hop_by_hop(headers, protocol);
        present(headers, user, credentials).map_err(|source| {
            self.failed(UpstreamError::Failed {
                hop: Hop::Request,
                detail: Some("the caller's name cannot be put into a header"),
                source: source.into(),
            })
        })?;
        if let Some(PeerAddress(address)) = peer {
            forwarded_for(headers, address.ip());
        }
        let limits = &self.lasting.limits;
        let place = limits.enter(class, &user.name, self.request_timeout).await;
        let place = place.map_err(|Full| Error::ClusterBusy(self.name.as_str().to_owned()))?;
        let answer = self.call(ToMember { request, class }).await;
        let response = answer.map_err(|source| {
            if broken.get() && matches!(source, UpstreamError::Failed { .. }) {
                let cluster = self.name.as_str().to_owned();
                return Error::Body { cluster, source };
            }
            self.failed(source)
        })?;
        match caller {
            Some(caller) => self.switch(response, caller, place),
            None if response.status().is_informational() => Err(self.no_upgrade(&response)),
            None => {
                let response = holding(response, place);
                Ok(match class {
                    Class::Short => self.relay(response),
                    Class::LongRunning | Class::Upgrade => {
                        self.relay_lasting(response, Manner::of(&inner.verb))
                    }
                })
            }
        }
    }

    async fn call(&self, to_member: ToMember<Body>) -> Result<Response<Body>, UpstreamError> {
        let ToMember { request, class } = to_member;
        let upstream = self.upstream.clone();
        match class {
            Class::LongRunning | Class::Upgrade => {
                upstream.oneshot(ToMember { request, class }).await
            }
            Class::Short => {
                let (progress, request) = Progress::of(request);
                let answer = upstream.oneshot(ToMember { request, class });
                match progress.within(self.request_timeout, answer).await {
                    Ok(answer) => answer,
                    Err(_) => Err(UpstreamError::TimedOut { hop: Hop::Request }),
                }
            }
        }
    }

    fn relay(&self, mut response: Response<Body>) -> Response<Body> {
        reframe(&mut response);
        strip_hop_by_hop(response.headers_mut(), None);
        // What no member may claim.
        response.headers_mut().remove(ERROR_SOURCE);
        let code = response.status();
        let may_lead_elsewhere = code.is_redirection() || code.is_success();
        if may_lead_elsewhere
            && code != StatusCode::OK
            && let Some(location) = response.headers_mut().get_mut(LOCATION)
            && let Some(here) = self.locations.here(location)
        {
            *location = here;
        }
        response
    }

    /// An answer that can be told to end.
    fn relay_lasting(&self, response: Response<Body>, manner: Manner) -> Response<Body> {
        let generation = &self.lasting.generation;
        self.relay(response)
            .map(|body| Body::new(EndingBody::new(body, generation, manner)))
    }

    /// The answer to an upgrade: the switch and the bytes of both sides, or the member's own
    /// refusal.
    fn switch(
        &self,
        mut response: Response<Body>,
        caller: Caller,
        place: Entered,
    ) -> Result<Response<Body>, Error> {
        let code = response.status();
        if code.is_client_error() || code.is_server_error() {
            let response = holding(response, place);
            return Ok(self.relay_lasting(response, Manner::BreakOff));
        }
        let member = hyper::upgrade::on(&mut response);
        let switched = match &caller.extended {
            _ if code != StatusCode::SWITCHING_PROTOCOLS => false,
            None => {
                let protocol = response.headers().get(UPGRADE).cloned();
                strip_hop_by_hop(response.headers_mut(), protocol);
                true
            }
            Some(extended) => extended.accept(&mut response),
        };
        if !switched {
            return Err(self.no_upgrade(&response));
        }
        response.headers_mut().remove(ERROR_SOURCE);
        let generation = self.lasting.generation.clone();
        let ending = generation.ending().clone();
        let splice = upgrade::splice(caller.upgrade, member, ending, self.upgrade_idle_timeout);
        let splice = splice.map(move |()| drop((place, generation)));
        self.tasks.spawn(self.lasting.upgrades.track_future(splice));
        Ok(response)
    }

    fn no_upgrade(&self, response: &Response<Body>) -> Error {
        Error::UpgradeAnswer {
            cluster: self.name.as_str().to_owned(),
            code: response.status(),
        }
    }

    fn failed(&self, source: UpstreamError) -> Error {
        Error::Upstream {
            cluster: self.name.as_str().to_owned(),
            source,
        }
    }
}

// === impl Caller ===

impl Caller {
    fn of(request: &mut Request<Body>) -> Self {
        Self {
            upgrade: hyper::upgrade::on(&mut *request),
            extended: request.extensions_mut().remove(),
        }
    }
}

/// A member's answer that holds `place` until its end, with trailers that may pass.
fn holding(response: Response<Body>, place: Entered) -> Response<Body> {
    response.map(|body| Body::new(MembersTrailers::of(GuardedBody::new(body, place))))
}

fn class(request: &Request<Body>, inner: &Attributes) -> Class {
    if asks_for_upgrade(request.headers()) {
        Class::Upgrade
    } else if inner.long_running || flows_both_ways(request) {
        Class::LongRunning
    } else {
        Class::Short
    }
}

/// Whether the request is a call of gRPC, or another whose body has no length, over HTTP/2: both
/// directions may flow at once for any time, and only a stream carries that.
fn flows_both_ways(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let is_grpc = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let is_endless = !request.body().is_end_stream() && !headers.contains_key(CONTENT_LENGTH);
    request.version() == Version::HTTP_2
        && *request.method() == Method::POST
        && (is_grpc || is_endless)
}

/// `rest` and the query, as sent. `/proxy` without a slash is the member's root.
fn uri(request: &Request<Body>, rest: &str) -> Result<Uri, InvalidUri> {
    let rest = if rest.is_empty() { "/" } else { rest };
    let target = match request.uri().query() {
        None => PathAndQuery::try_from(rest),
        Some(query) => PathAndQuery::try_from(format!("{rest}?{query}")),
    };
    target.map(Uri::from)
}
