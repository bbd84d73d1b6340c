//! When connections end, and how they are counted until then.

use std::sync::Arc;

use bytes::Bytes;
use fleetgate_model::Class;
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received, UpgradeScript};
use futures::future::join_all;
use http::{Method, header};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Pki, Setup, chunk, eventually, request};

const OPEN: &str = "upstream_connections{";
const OPENED: &str = "upstream_connections_opened_total{";

/// Streams to `/watch`, upgrades `/exec`, echoes to the rest.
async fn member(pki: &Pki) -> (FakeMember, Arc<Mutex<Vec<Chunks>>>) {
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let member =
        FakeMember::tls(&pki.leaf).start(move |received: &Received| match received.path.as_str() {
            "/exec" => Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new())),
            "/watch" => {
                let (answer, chunks) = Answer::stream();
                assert!(chunks.send("first"));
                opened.lock().push(chunks);
                answer
            }
            _ => Answer::Echo,
        });
    (member.await, streams)
}

#[tokio::test]
async fn connections_close_when_the_upstream_is_gone() {
    let pki = Pki::new();
    let (member, _streams) = member(&pki).await;
    let mut setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    join_all((0..20).map(|_| setup.get_text("/", Class::Short))).await;
    setup.get_text("/", Class::LongRunning).await;
    assert!(setup.metric(OPEN) > 1);
    let unconnected = Setup::to(&member.url(), Some(&pki.ca)).build();
    setup.upstream = unconnected.upstream;
    eventually("closed", || setup.metric(OPEN) == 0).await;
}

#[tokio::test]
async fn an_answer_under_way_outlives_its_upstream() {
    let pki = Pki::new();
    let (member, streams) = member(&pki).await;
    let mut setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in [Class::Short, Class::LongRunning] {
        let answer = setup.get("/watch", class).await.expect("an answer");
        let mut body = answer.into_body();
        assert!(chunk(&mut body).await.is_some());
        let unconnected = Setup::to(&member.url(), Some(&pki.ca)).build();
        let before = setup.metric(OPEN);
        assert_eq!(before, 1);
        setup.upstream = unconnected.upstream;
        let chunks = streams.lock().pop().expect("a stream");
        for _ in 0..3 {
            assert!(chunks.send("late"));
            assert_eq!(chunk(&mut body).await.as_deref(), Some(&b"late"[..]));
        }
        drop(chunks);
        assert_eq!(chunk(&mut body).await, None);
        drop(body);
        eventually("closed", || setup.metric(OPEN) == 0).await;
        setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    }
}

#[tokio::test]
async fn answers_under_way_run_on_until_the_tasks_are_stopped() {
    let pki = Pki::new();
    let (member, streams) = member(&pki).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    let answer = setup.get("/watch", Class::LongRunning).await;
    let mut body = answer.expect("an answer").into_body();
    assert!(chunk(&mut body).await.is_some());
    assert!(streams.lock()[0].send("late"));
    assert_eq!(chunk(&mut body).await.as_deref(), Some(&b"late"[..]));
    drop(body);
    // Idle connections hold up nothing.
    setup.get_text("/", Class::Short).await;
    let stopped = tokio::time::timeout(crate::support::PATIENCE, setup.tasks.stop());
    stopped.await.expect("stops");
    drop(setup.upstream.clone());
}

#[tokio::test]
async fn connections_are_counted_as_made_and_as_open() {
    let pki = Pki::new();
    let (member, _streams) = member(&pki).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    assert_eq!((setup.metric(OPENED), setup.metric(OPEN)), (0, 0));
    setup.get_text("/", Class::Short).await;
    setup.get_text("/", Class::Short).await;
    assert_eq!((setup.metric(OPENED), setup.metric(OPEN)), (1, 1));
    setup.get_text("/", Class::LongRunning).await;
    assert_eq!((setup.metric(OPENED), setup.metric(OPEN)), (2, 2));

    let mut exec = request(Method::POST, "/exec", Body::empty());
    let headers = exec.headers_mut();
    headers.insert(header::UPGRADE, "SPDY/3.1".parse().expect("a value"));
    headers.insert(header::CONNECTION, "Upgrade".parse().expect("a value"));
    let answer = setup.send(exec, Class::Upgrade).await.expect("an answer");
    let upgraded = hyper::upgrade::on(answer).await.expect("a stream");
    let mut stream = TokioIo::new(upgraded);
    stream.write_all(b"x").await.expect("sent");
    assert_eq!(stream.read_u8().await.expect("an echo"), b'x');
    assert_eq!((setup.metric(OPENED), setup.metric(OPEN)), (3, 3));
    drop(stream);
    assert_eq!((setup.metric(OPENED), setup.metric(OPEN)), (3, 2));
    assert_eq!(member.counts().handshakes, 3);

    member.cut_connections();
    eventually("closed", || setup.metric(OPEN) == 0).await;
    assert_eq!(setup.metric(OPENED), 3);
}
