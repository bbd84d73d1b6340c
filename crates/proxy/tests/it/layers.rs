//! Each stage and layer by itself, with closures for its port and for what it stands before.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

use fleetgate_model::{
    Attributes, AuthenticateError, AuthorizeError, Decision, Refusal, User, Verb,
};
use fleetgate_proxy::{
    Acting, Attributed, Attribution, Authentication, Authorization, Authorized,
    ConstrainedImpersonation, ERROR_SOURCE, Error, Impersonation, RescueLayer, Routed,
    RoutingLayer, Stage, StageLayer,
};
use fleetgate_stack::Body;
use http::{Request, Response, StatusCode, request::Parts};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::support::{PROXY, text};

fn get(path: &str) -> Request<Body> {
    let request = Request::get(path).header("authorization", "Bearer jane");
    request.body(Body::empty()).expect("a request")
}

/// Takes the token for the name of its owner.
fn by_token(parts: &mut Parts) -> Ready<Result<User, AuthenticateError>> {
    let token = parts.headers.remove("authorization");
    let name = token.and_then(|token| Some(token.to_str().ok()?.replace("Bearer ", "")));
    ready(Ok(User::named(name.unwrap_or_default())))
}

/// Lets everybody get, and nobody else do anything.
fn reading(_: &User, asked: &Attributes) -> Ready<Result<Decision, AuthorizeError>> {
    ready(Ok(match asked.verb == Verb::of("get") {
        true => Decision::allow(),
        false => Decision::Deny {
            reason: "reading alone".to_owned(),
        },
    }))
}

async fn attributed(request: Request<Body>) -> Result<Attributed, Error> {
    let stages = Authentication::new(by_token).then(Attribution);
    stages.pass(request).await
}

async fn acting(request: Request<Body>) -> Result<Acting, Error> {
    let disabled = ConstrainedImpersonation::Disabled;
    let impersonation = Impersonation::new(Arc::new(reading), disabled);
    impersonation.pass(attributed(request).await?).await
}

async fn authorized(request: Request<Body>) -> Result<Authorized, Error> {
    let authorization = Authorization::new(Arc::new(reading));
    authorization.pass(acting(request).await?).await
}

#[tokio::test]
async fn authentication_tells_who_calls_and_takes_the_credentials() {
    let known = Authentication::new(by_token).pass(get("/version")).await;
    let (request, user) = known.expect("known").into_parts();
    assert_eq!(user.name, "jane");
    assert!(!request.headers().contains_key("authorization"));

    let nobody = |_: &mut Parts| ready(Err::<User, _>(AuthenticateError::Invalid));
    let refused = Authentication::new(nobody).pass(get("/version")).await;
    assert!(
        matches!(refused, Err(Error::Authenticate(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn attribution_tells_what_is_asked_for() {
    let asked = attributed(get(&format!("{PROXY}/api/v1/pods"))).await;
    let (_, user, info) = asked.expect("a path").into_parts();
    assert_eq!(user.name, "jane");
    let resource = info.attributes.resource.expect("a resource");
    assert_eq!((resource.name.as_str(), info.proxy.is_some()), ("m", true));

    let refused = attributed(get("/api/../version")).await;
    assert!(matches!(refused, Err(Error::Path(_))), "{refused:?}");
}

#[tokio::test]
async fn impersonation_asks_whether_a_caller_may() {
    let own = acting(get("/version")).await.expect("nobody else");
    assert_eq!(own.user().name, "jane");
    let mut request = get("/version");
    let root = "root".parse().expect("a value");
    request.headers_mut().insert("impersonate-user", root);
    let refused = acting(request).await;
    assert!(
        matches!(refused, Err(Error::Forbidden { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn authorization_lets_through_what_is_allowed() {
    assert!(authorized(get("/version")).await.is_ok());
    let mut request = get("/version");
    *request.method_mut() = http::Method::POST;
    let refused = authorized(request).await;
    assert!(
        matches!(refused, Err(Error::Forbidden { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn routing_tells_members_from_what_is_served_here() {
    let answer = |text: String| ready(Ok::<_, Error>(Response::new(Body::full(text))));
    let local = service_fn(move |_: Authorized| answer("here".to_owned()));
    let members = move |routed: Routed| answer(format!("at {}", routed.cluster()));
    let routing = ServiceBuilder::new()
        .layer(RoutingLayer::new(local))
        .service_fn(members);
    for (path, want) in [
        ("/version".to_owned(), "here"),
        (format!("{PROXY}/version"), "at m"),
    ] {
        let authorized = authorized(get(&path)).await.expect("allowed");
        let answer = routing.clone().oneshot(authorized).await;
        assert_eq!(text(answer.expect("served")).await, want);
    }
}

#[tokio::test]
async fn a_stage_layer_stands_before_any_service() {
    let service = ServiceBuilder::new()
        .layer(StageLayer::new(Authentication::new(by_token)))
        .service_fn(|known: fleetgate_proxy::Authenticated| {
            let (_, user) = known.into_parts();
            ready(Ok::<_, Error>(Response::new(Body::full(user.name))))
        });
    let answer = service.oneshot(get("/version")).await.expect("served");
    assert_eq!(text(answer).await, "jane");
}

#[tokio::test]
async fn rescue_makes_an_answer_of_every_error() {
    let render = |_: &Request<Body>| {
        |refusal: &Refusal| {
            let mut answer = Response::new(Body::full(refusal.message.clone().into_owned()));
            *answer.status_mut() = refusal.code;
            answer
        }
    };
    let refuse = |_: Request<Body>| ready(Err(Error::TooManyRequests));
    let rescue = ServiceBuilder::new()
        .layer(RescueLayer::new(render))
        .service_fn(refuse);
    let answer: Result<_, Infallible> = rescue.oneshot(get("/version")).await;
    let Ok(answer) = answer;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[ERROR_SOURCE], "caller");
    assert!(answer.headers().contains_key("audit-id"));
}
