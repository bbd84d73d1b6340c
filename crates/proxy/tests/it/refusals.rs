//! What a caller is told instead of a member's answer, and what only the log is.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Once},
};

use fleetgate_model::{CredentialsError, Hop, SecretRef, UpstreamError};
use fleetgate_proxy::ERROR_SOURCE;
use fleetgate_testkit::FakeMember;
use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{World, request, text};

const EXPECTED: &str = include_str!("../../../../tests/golden/expected.json");

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A log apart for each thread, and so for each test.
#[derive(Clone, Copy)]
struct Log;

/// A world whose member always fails like `error`.
fn failing(error: impl Fn() -> UpstreamError + Clone + Send + Sync + 'static) -> World {
    World::of_fn(move |_| futures::future::ready(Err(error())).boxed())
}

fn failed(hop: Hop, detail: Option<&'static str>) -> World {
    failing(move || UpstreamError::Failed {
        hop,
        detail,
        source: "dial tcp 10.1.2.3:6443".into(),
    })
}

/// GETs `/api` as the caller of `token`, and checks status, message and `Retry-After`.
async fn check(world: &World, token: &str, want: (u16, &str, Option<u64>)) {
    let mut request = request(Method::GET, "/api");
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a value");
    request.headers_mut().insert("authorization", bearer);
    let answer = world.send(request).await;
    let code = answer.status().as_u16();
    let retry = answer.headers().get("retry-after");
    let retry = retry.map(|v| v.to_str().expect("text").parse().expect("seconds"));
    let body: Value = serde_json::from_str(&text(answer).await).expect("a Status");
    let message = body["message"].as_str().expect("a message");
    assert_eq!((code, message, retry), want);
    assert_eq!(body["code"], code);
    let address = |text: &str| text.contains("10.1.") || text.contains("member.test");
    assert!(!address(message), "{message}");
}

fn secret() -> SecretRef {
    SecretRef {
        namespace: "hidden".to_owned(),
        name: "hidden".to_owned(),
    }
}

#[tokio::test]
async fn a_caller_who_is_not_known_or_may_not_is_told_so() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let whoever = "the host cannot be asked who is calling";
    let whatever = "the host cannot be asked what the caller may do";
    check(&world, "bad", (401, "Unauthorized", None)).await;
    check(&world, "unasked", (503, whoever, Some(1))).await;
    check(&world, "unasked-about", (503, whatever, Some(1))).await;
    let rule = "clusters.cluster.karmada.io \"m\" is forbidden: User \"denied\" cannot get \
                resource \"clusters/proxy\" in API group \"cluster.karmada.io\" at the cluster scope";
    check(&world, "denied", (403, rule, None)).await;
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn a_refusal_says_whose_fault_it_is() {
    let member = FakeMember::plain().echo().await;
    let (world, away) = (World::of(&member), failed(Hop::Connect, None));
    for (world, token, want) in [
        (&world, "denied", "caller"),
        (&world, "unasked", "server"),
        (&away, "jane", "member"),
    ] {
        let mut request = request(Method::GET, "/api");
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).expect("a value");
        request.headers_mut().insert("authorization", bearer);
        let answer = world.send(request).await;
        assert_eq!(answer.headers()[ERROR_SOURCE], want);
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_used_is_told_so() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let without = |error| {
        let error = Arc::new(Err(error));
        world.ports.credentials.store(error);
    };
    without(CredentialsError::NotFound(secret()));
    let message = "cluster m: credentials: a secret is missing";
    check(&world, "jane", (503, message, Some(1))).await;
    without(CredentialsError::MissingKey {
        secret: secret(),
        key: "token",
    });
    let message = "failed to get impresonateToken for cluster m: \
                   the impresonate token of cluster m is empty";
    check(&world, "jane", (500, message, None)).await;
    without(CredentialsError::MissingKey {
        secret: secret(),
        key: "caBundle",
    });
    let message = "cluster m: credentials: the secret has no caBundle";
    check(&world, "jane", (503, message, None)).await;
    without(CredentialsError::NotOwned(secret()));
    let message = "cluster m: credentials: the impersonator secret belongs to another cluster";
    check(&world, "jane", (503, message, None)).await;
    without(CredentialsError::MalformedToken(secret()));
    let message = "cluster m: credentials: the token is malformed";
    check(&world, "jane", (503, message, None)).await;
    without(CredentialsError::Unavailable {
        secret: secret(),
        source: Arc::new(io::Error::other("10.1.1.1")),
    });
    let message = "cluster m: credentials: the host cannot be asked for a secret";
    check(&world, "jane", (503, message, Some(1))).await;
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn a_hop_that_failed_is_named() {
    let refused = Some("connection refused");
    let message = "cluster m: connect: connection refused";
    check(
        &failed(Hop::Connect, refused),
        "jane",
        (503, message, Some(1)),
    )
    .await;
    let message = "cluster m: dns: failed";
    check(&failed(Hop::Dns, None), "jane", (503, message, Some(1))).await;
    let message = "cluster m: proxy: failed";
    check(&failed(Hop::Proxy, None), "jane", (503, message, Some(1))).await;
    let reset = Some("connection reset");
    let message = "cluster m: tls: connection reset";
    check(&failed(Hop::Tls, reset), "jane", (503, message, Some(1))).await;
    let message = "cluster m: request: failed";
    check(&failed(Hop::Request, None), "jane", (502, message, None)).await;

    let untrusted = |hop, detail| {
        failing(move || UpstreamError::Untrusted {
            hop,
            detail,
            source: "the certificate of 10.1.2.3:6443".into(),
        })
    };
    let expired = Some("the certificate has expired");
    let message = "cluster m: tls: the certificate has expired";
    check(&untrusted(Hop::Tls, expired), "jane", (502, message, None)).await;
    let message = "cluster m: proxy: failed";
    check(&untrusted(Hop::Proxy, None), "jane", (502, message, None)).await;

    let given_up = failing(|| UpstreamError::GivenUp {
        hop: Hop::Tls,
        detail: Some("timed out"),
        retry_after: std::time::Duration::from_millis(300),
    });
    let message = "cluster m: tls: timed out";
    check(&given_up, "jane", (503, message, Some(1))).await;

    let refused = failing(|| UpstreamError::Refused {
        detail: Some("the stream was reset"),
        source: "REFUSED_STREAM".into(),
    });
    let message = "cluster m: request: the stream was reset";
    check(&refused, "jane", (503, message, Some(1))).await;

    let timed_out = |hop| failing(move || UpstreamError::TimedOut { hop });
    let message = "cluster m: connect: timed out";
    check(&timed_out(Hop::Connect), "jane", (504, message, Some(1))).await;
    let message = "cluster m: request: timed out";
    check(&timed_out(Hop::Request), "jane", (504, message, None)).await;
    let config = failing(|| UpstreamError::Config {
        field: "spec.proxyURL",
        source: "10.1.2.3".into(),
    });
    let message = "cluster m: its spec.proxyURL cannot be used";
    check(&config, "jane", (500, message, None)).await;
}

#[tokio::test]
async fn refusals_are_those_that_were_recorded() {
    let expected: Value = serde_json::from_str(EXPECTED).expect("JSON");
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let golden = async |case: &str, step: usize, method: Method, name: &str| {
        let mut request = request(method, "/api");
        let path = format!("/apis/cluster.karmada.io/v1alpha1/clusters/{name}/proxy/api");
        *request.uri_mut() = path.parse().expect("a path");
        let answer = world.send(request).await;
        let code = answer.status().as_u16();
        // Ours has the name of the test's cluster.
        let body = text(answer)
            .await
            .replace("cluster m ", &format!("cluster {case} "));
        let body: Value = serde_json::from_str(&body).expect("a Status");
        let want = &expected[case][step];
        assert_eq!(
            (json!(code), &body),
            (want["status"].clone(), &want["body"])
        );
    };
    golden("proxy/no-cluster", 0, Method::GET, "nope").await;
    golden("proxy/method", 0, Method::TRACE, "m").await;
    let none = Err(CredentialsError::NoImpersonator);
    world.ports.credentials.store(Arc::new(none));
    // The last words of the message are the name itself in one case, so no end is cut here.
    golden("proxy-no-impersonator", 1, Method::GET, "m").await;
    world.register(|member| member.endpoint.clear());
    golden("proxy-no-endpoint", 1, Method::GET, "m").await;
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn all_clusters_at_once_are_no_cluster_yet() {
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    for name in ["*", "%2A", "Not-A-Name"] {
        let mut request = request(Method::GET, "");
        let path = format!("/apis/cluster.karmada.io/v1alpha1/clusters/{name}/proxy/api");
        *request.uri_mut() = path.parse().expect("a path");
        assert_eq!(world.send(request).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_log_has_the_whole_chain_and_the_caller_has_not() {
    Log::start();
    let world = failed(Hop::Connect, Some("connection refused"));
    let body = text(world.get("/api").await).await;
    assert!(!body.contains("10.1.2.3"), "{body}");
    let logged = Log::text();
    let chain = "cannot reach cluster m: connect failed: dial tcp 10.1.2.3:6443";
    assert!(logged.contains(chain), "{logged}");
    assert!(
        logged.contains("\"WARN\"") && logged.contains("\"code\":503"),
        "{logged}"
    );
    assert!(!logged.contains("ours"), "{logged}");

    let mut denied = request(Method::GET, "/api");
    let bearer = HeaderValue::from_static("Bearer denied");
    denied.headers_mut().insert("authorization", bearer);
    world.send(denied).await;
    let logged = Log::text();
    assert!(
        logged.contains("\"INFO\"") && logged.contains("may not get"),
        "{logged}"
    );
}

#[tokio::test]
async fn the_log_knows_who_acts_for_whom_and_why_that_is_allowed() {
    Log::start();
    let member = FakeMember::plain().echo().await;
    let world = World::of(&member);
    let mut acting = request(Method::GET, "/api");
    let headers = acting.headers_mut();
    headers.insert("impersonate-user", HeaderValue::from_static("root"));
    headers.insert("audit-id", HeaderValue::from_static("a1"));
    assert_eq!(world.send(acting).await.status(), StatusCode::OK);
    let text = Log::text();
    let line = text
        .lines()
        .find(|line| line.contains("request authorized"));
    let line: Value = serde_json::from_str(line.expect("a line")).expect("JSON");
    let want = json!({
        "message": "request authorized",
        "audit.id": "\"a1\"",
        "user.name": "root",
        "impersonator.name": "jane",
        "impersonator.constraint": "impersonate:user-info",
        "request.verb": "get",
        "request.path": "/apis/cluster.karmada.io/v1alpha1/clusters/m/proxy/api",
        "authorization.decision": "allow",
        "authorization.reason": "of the test",
    });
    assert_eq!(line["fields"], want);
}

// === impl Log ===

impl Log {
    /// Starts the log, for all tests: what a thread logs may otherwise depend on what another did
    /// before.
    fn start() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_writer(Self).json();
            let subscriber = subscriber.with_max_level(tracing::Level::DEBUG);
            tracing::subscriber::set_global_default(subscriber.finish()).expect("the only one");
        });
    }

    fn text() -> String {
        LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).expect("text"))
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
