//! Members that speak HTTP/1.1 alone, over TLS or in the clear.

use fleetgate_model::{Class, Settings, TlsVersion};
use fleetgate_testkit::{Answer, Chunks, FakeMember, Received};
use futures::future::join_all;
use http::Version;
use parking_lot::Mutex;
use std::sync::Arc;

use crate::support::{Pki, Setup, chunk};

/// Streams to watches, echoes to the rest.
fn watches() -> (
    impl Fn(&Received) -> Answer + Send + Sync + 'static,
    Arc<Mutex<Vec<Chunks>>>,
) {
    let streams = Arc::<Mutex<Vec<Chunks>>>::default();
    let opened = Arc::clone(&streams);
    let script = move |received: &Received| match received.path.as_str() {
        "/watch" => {
            let (answer, chunks) = Answer::stream();
            assert!(chunks.send("first"));
            opened.lock().push(chunks);
            answer
        }
        _ => Answer::Echo,
    };
    (script, streams)
}

async fn check(member: &FakeMember, setup: &Setup, streams: &Mutex<Vec<Chunks>>) {
    let watch = || async {
        let answer = setup.get("/watch", Class::LongRunning).await;
        let mut body = answer.expect("an answer").into_body();
        assert_eq!(chunk(&mut body).await.as_deref(), Some(&b"first"[..]));
        body
    };
    let mut bodies = join_all((0..6).map(|_| watch())).await;
    join_all((0..20).map(|_| setup.get_text("/version", Class::Short))).await;
    assert!(streams.lock().iter().all(|chunks| chunks.send("second")));
    for body in &mut bodies {
        assert_eq!(chunk(body).await.as_deref(), Some(&b"second"[..]));
    }
    let before = member.counts().accepted;
    setup.get_text("/version", Class::Short).await;
    assert_eq!(
        member.counts().accepted,
        before,
        "a kept connection is used"
    );
    assert!(
        member
            .received()
            .iter()
            .all(|r| r.version == Version::HTTP_11)
    );
}

#[tokio::test]
async fn a_member_that_knows_nothing_of_alpn_is_asked_over_http1() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).protocols(&[]);
    let member = member.start(|_: &Received| Answer::Echo).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in [Class::Short, Class::LongRunning, Class::Short] {
        setup.get_text("/version", class).await;
    }
    // One to see that it agrees to nothing, one that is kept.
    assert_eq!(member.counts().accepted, 2);
    let received = member.received();
    assert!(received.iter().all(|r| r.version == Version::HTTP_11));
}

#[tokio::test]
async fn a_member_without_http2_serves_watches_and_short_requests_at_once() {
    let pki = Pki::new();
    let (script, streams) = watches();
    let member = FakeMember::tls(&pki.leaf).protocols(&["http/1.1"]);
    let member = member.start(script).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    check(&member, &setup, &streams).await;
}

#[tokio::test]
async fn a_member_without_alpn_is_spoken_to_in_http1() {
    let pki = Pki::new();
    let (script, streams) = watches();
    let member = FakeMember::tls(&pki.leaf).protocols(&[]).only_tls12();
    let member = member.start(script).await;
    let settings = Settings {
        tls_min_version: TlsVersion::Tls12,
        ..Settings::default()
    };
    let setup = Setup::to(&member.url(), Some(&pki.ca));
    let setup = setup.settings(Ok(settings)).build();
    check(&member, &setup, &streams).await;
}

#[tokio::test]
async fn a_member_in_the_clear_serves_watches_and_short_requests_at_once() {
    let (script, streams) = watches();
    let member = FakeMember::plain().start(script).await;
    let setup = Setup::to(&member.url(), None).build();
    check(&member, &setup, &streams).await;
}
