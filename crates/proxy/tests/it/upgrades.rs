//! exec, attach and port-forward, through the whole stack and over real connections.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{LimitSettings, Settings};
use fleetgate_stack::Body;
use fleetgate_testkit::{
    Answer, FakeMember, Received, UpgradeScript,
    certs::{self, Ca},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{PATIENCE, Served, World, credentials, request};

const EXEC: &str = "/api/v1/namespaces/n/pods/p/exec?command=cat&command=-&stdin=true";

async fn member(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> FakeMember {
    let leaf = Ca::new("members").sign(&certs::server(&["127.0.0.1"]));
    FakeMember::tls(&leaf).start(script).await
}

fn upgrade(method: Method, protocol: &'static str) -> Request<Body> {
    let mut request = request(method, EXEC);
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("server"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(protocol));
    request
}

async fn switched(answer: Response<Incoming>) -> TokioIo<Upgraded> {
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let upgraded = hyper::upgrade::on(answer).await;
    TokioIo::new(upgraded.expect("a stream"))
}

/// Everything that still comes.
async fn rest(stream: &mut TokioIo<Upgraded>) -> String {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // A stream that is cut ends in an error or in its end, as the system likes.
    read.expect("in time").unwrap_or_default();
    String::from_utf8(rest).expect("text")
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_end_of_stdin_does_not_end_stdout() {
    let bye = UpgradeScript::EchoThen(Bytes::from_static(b"bye"));
    let member = member(move |_| Answer::Upgrade(bye.clone())).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let mut exec = upgrade(Method::POST, "SPDY/3.1");
    for version in ["v4.channel.k8s.io", "v3.channel.k8s.io"] {
        let version = HeaderValue::from_static(version);
        exec.headers_mut()
            .append("x-stream-protocol-version", version);
    }
    let answer = client.send(exec).await;
    assert_eq!(answer.headers()[header::UPGRADE], "SPDY/3.1");
    assert_eq!(answer.headers()[header::CONNECTION], "Upgrade");
    let mut stream = switched(answer).await;
    for _ in 0..3 {
        stream.write_all(b"ping").await.expect("sent");
        let mut echo = [0; 4];
        stream.read_exact(&mut echo).await.expect("an echo");
        assert_eq!(&echo, b"ping");
    }
    stream.shutdown().await.expect("closed");
    assert_eq!(rest(&mut stream).await, "bye");
    let record = &member.wait_upgraded(1).await[0];
    assert_eq!(record.received, "pingpingping");
    assert!(record.caller_closed && record.all_sent);

    let received = &member.received()[0];
    assert_eq!(received.path, EXEC);
    assert_eq!(received.version, Version::HTTP_11);
    assert_eq!(received.header("authorization"), "bearer ours");
    assert_eq!(received.header("impersonate-user"), "jane");
    let versions = received.headers.get_all("x-stream-protocol-version");
    assert_eq!(versions.iter().count(), 2);
    assert_eq!(received.header("x-forwarded-for"), "127.0.0.1");
}

#[tokio::test]
async fn the_end_of_stdout_does_not_end_stdin() {
    let done = UpgradeScript::CloseFirst(Bytes::from_static(b"done"));
    let member = member(move |_| Answer::Upgrade(done.clone())).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    let mut stream = switched(answer).await;
    assert_eq!(rest(&mut stream).await, "done");
    stream.write_all(b"late words").await.expect("sent");
    stream.shutdown().await.expect("closed");
    let record = &member.wait_upgraded(1).await[0];
    assert_eq!(record.received, "late words");
    assert!(record.caller_closed);
}

#[tokio::test]
async fn upgrades_have_places_of_their_own_until_they_end() {
    let member = member(|received: &Received| match received.path.as_str() {
        EXEC => Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new())),
        _ => Answer::Echo,
    });
    let member = member.await;
    let world = World::of(&member);
    world.limit(LimitSettings {
        upgrades: Some(2),
        requests: Some(1),
        watches: Some(1),
        ..LimitSettings::default()
    });
    let served = Served::start(&world).await;
    let exec = async || {
        let mut client = served.client(Version::HTTP_11).await;
        client.send(upgrade(Method::POST, "SPDY/3.1")).await
    };
    let mut open = vec![switched(exec().await).await, switched(exec().await).await];
    let taken = "proxy_current_inflight_requests{cluster=\"m\",class=\"upgrade\"}";
    assert_eq!(world.metric(taken), format!("{taken} 2"));
    let refused = exec().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    // Neither a short request nor a watch wants a place of theirs.
    for rest in ["/api", "/api/v1/pods?watch=1"] {
        assert_eq!(world.get(rest).await.status(), StatusCode::OK, "{rest}");
    }
    assert_eq!(member.received().len(), 4);
    // One that ends makes room for one.
    let mut ended = open.pop().expect("an upgrade");
    ended.shutdown().await.expect("closed");
    assert_eq!(rest(&mut ended).await, "");
    member.wait_upgraded(1).await;
    let free = async {
        while world.metric(taken) != format!("{taken} 1") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.expect("its place is free");
    open.push(switched(exec().await).await);
    assert_eq!(exec().await.status(), StatusCode::TOO_MANY_REQUESTS);
}

/// A world whose `member` is brought one upgrade at a time.
fn world_of_one_upgrade(member: &FakeMember) -> World {
    let world = World::of(member);
    world.limit(LimitSettings {
        upgrades: Some(1),
        ..LimitSettings::default()
    });
    world
}

#[tokio::test]
async fn an_upgrade_that_a_member_refuses_keeps_no_place() {
    let refuse = |_: &Received| Answer::json(StatusCode::FORBIDDEN, &serde_json::json!({}));
    let member = member(refuse).await;
    let world = world_of_one_upgrade(&member);
    let served = Served::start(&world).await;
    for _ in 0..3 {
        let mut client = served.client(Version::HTTP_11).await;
        let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_refusal_of_an_upgrade_has_its_place_until_its_end_and_ends_with_its_cluster() {
    let refuse = |_: &Received| {
        let (mut answer, chunks) = Answer::stream();
        if let Answer::Stream { status, .. } = &mut answer {
            *status = StatusCode::FORBIDDEN;
        }
        assert!(chunks.send("no"));
        // Its end never comes.
        std::mem::forget(chunks);
        answer
    };
    let member = member(refuse).await;
    let world = world_of_one_upgrade(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let refused = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let mut another = served.client(Version::HTTP_11).await;
    let busy = another.send(upgrade(Method::POST, "SPDY/3.1")).await;
    assert_eq!(busy.status(), StatusCode::TOO_MANY_REQUESTS);
    world.delete();
    let rest = timeout(PATIENCE, refused.into_body().collect()).await;
    assert!(rest.expect("an end").is_err(), "it broke off");
}

#[tokio::test]
async fn a_websocket_keeps_its_headers() {
    let script = |received: &Received| {
        assert_eq!(
            received.header("sec-websocket-key"),
            "dGhlIHNhbXBsZSBub25jZQ=="
        );
        assert_eq!(
            received.header("sec-websocket-protocol"),
            "v5.channel.k8s.io"
        );
        Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))
    };
    let member = member(script).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let mut exec = upgrade(Method::GET, "websocket");
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    exec.headers_mut().insert("sec-websocket-key", key);
    let protocol = HeaderValue::from_static("v5.channel.k8s.io");
    exec.headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let mut stream = switched(client.send(exec).await).await;
    let large = vec![b'x'; 1 << 20];
    let (mut read, mut write) = tokio::io::split(&mut stream);
    let write = async {
        write.write_all(&large).await.expect("sent");
        write.shutdown().await.expect("closed");
    };
    let mut back = Vec::new();
    let (_, read) = tokio::join!(write, read.read_to_end(&mut back));
    read.expect("an end");
    assert!(back == large);
}

#[tokio::test]
async fn a_members_refusal_is_handed_on_and_the_connection_stays_http() {
    let member = member(|_| Answer::json(StatusCode::FORBIDDEN, &serde_json::json!({"no": 1})));
    let member = member.await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    for _ in 0..2 {
        let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(!answer.headers().contains_key(header::UPGRADE));
        let body = answer.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "{\"no\":1}");
    }
}

#[tokio::test]
async fn an_answer_that_is_neither_is_a_bad_gateway() {
    for code in [StatusCode::OK, StatusCode::FOUND] {
        let member = member(move |_| Answer::json(code, &serde_json::json!({}))).await;
        let world = World::of(&member);
        let served = Served::start(&world).await;
        let mut client = served.client(Version::HTTP_11).await;
        let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        let body = answer.into_body().collect().await.expect("a body");
        let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
        let want = format!(
            "cluster m: request: invalid upgrade response: status code {}",
            code.as_u16()
        );
        assert!(body.contains(&want), "{body}");
    }
}

#[tokio::test]
async fn who_may_not_upgrades_nothing() {
    let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let mut exec = upgrade(Method::POST, "SPDY/3.1");
    let denied = HeaderValue::from_static("Bearer denied");
    exec.headers_mut().insert(header::AUTHORIZATION, denied);
    let answer = client.send(exec).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let want = ["denied create cluster.karmada.io/clusters/proxy m"];
    assert_eq!(world.asked(), want);
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn an_upgrade_ends_with_its_cluster_and_with_the_server() {
    for deleted in [true, false] {
        let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
        let world = World::of(&member);
        let served = Served::start(&world).await;
        let mut client = served.client(Version::HTTP_11).await;
        let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
        let mut stream = switched(answer).await;
        stream.write_all(b"x").await.expect("sent");
        assert_eq!(stream.read_u8().await.expect("an echo"), b'x');
        match deleted {
            true => world.delete(),
            false => world.tasks.stop().await,
        }
        assert_eq!(rest(&mut stream).await, "");
        member.wait_upgraded(1).await;
    }
}

#[tokio::test]
async fn an_upgrade_ends_when_the_grace_period_of_its_credentials_is_over() {
    let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    let mut stream = switched(answer).await;
    let new = Ok(Arc::new(credentials("new")));
    world.ports.credentials.store(Arc::new(new));
    world.review().await;
    stream.write_all(b"x").await.expect("sent");
    assert_eq!(stream.read_u8().await.expect("an echo"), b'x');
    let grace = Duration::from_mins(10);
    tokio::time::pause();
    tokio::time::advance(grace + Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(rest(&mut stream).await, "");
    member.wait_upgraded(1).await;
}

#[tokio::test]
async fn an_upgrade_in_which_nobody_speaks_ends_where_its_cluster_says_so() {
    let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
    let world = World::of(&member);
    world.register(|member| {
        member.settings = Ok(Settings {
            upgrade_idle_timeout: Some(Duration::from_millis(300)),
            ..Settings::default()
        });
    });
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    let mut stream = switched(answer).await;
    stream.write_all(b"x").await.expect("sent");
    assert_eq!(stream.read_u8().await.expect("an echo"), b'x');
    assert_eq!(rest(&mut stream).await, "");
    member.wait_upgraded(1).await;
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_upgrade_at_the_member() {
    let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
    let world = World::of(&member);
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    let stream = switched(answer).await;
    drop(stream);
    assert!(member.wait_upgraded(1).await[0].caller_closed);
}

#[tokio::test]
async fn a_server_that_drains_can_wait_for_upgrades() {
    let member = member(|_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()))).await;
    let world = World::of(&member);
    (world.upgrades_ended)().await;
    let served = Served::start(&world).await;
    let mut client = served.client(Version::HTTP_11).await;
    let answer = client.send(upgrade(Method::POST, "SPDY/3.1")).await;
    let mut stream = switched(answer).await;
    let mut ended = (world.upgrades_ended)();
    for _ in 0..3 {
        stream.write_all(b"x").await.expect("sent");
        assert_eq!(stream.read_u8().await.expect("an echo"), b'x');
        assert!(futures::poll!(&mut ended).is_pending());
    }
    stream.shutdown().await.expect("closed");
    timeout(PATIENCE, ended).await.expect("ends");
}
