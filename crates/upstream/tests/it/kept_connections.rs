//! Connections are kept between requests, and a kept one that is gone is no failure.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{Class, Hop, Settings};
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, FakeMember};
use futures::future::join_all;
use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Accepted, Pki, RawServer, Setup, assert_failed, chunk, eventually, free_address, request, text,
};

const OPEN: &str = "upstream_connections{";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A head as it came, and nothing at the end of the connection.
async fn head(stream: &mut Accepted) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("text"))
}

/// A member whose first connections answer one request each and drop the second unanswered; all
/// later ones answer everything. Returns the heads that came.
async fn closes_upon_the_second(pki: &Pki, stale: usize) -> (RawServer, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&heads);
    let server = RawServer::tls(&pki.leaf, &["http/1.1"], move |number, mut stream| {
        let log = Arc::clone(&log);
        async move {
            let mut answered = 0;
            while let Some(head) = head(&mut stream).await {
                log.lock().push(head);
                if number < stale && answered == 1 {
                    return;
                }
                stream.write_all(OK).await.expect("sent");
                answered += 1;
            }
        }
    });
    (server.await, heads)
}

#[tokio::test]
async fn requests_one_after_another_share_one_handshake() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for _ in 0..20 {
        setup.get_text("/version", Class::Short).await;
    }
    assert_eq!(member.counts().handshakes, 1);
    assert_eq!(member.received().len(), 20);
}

#[tokio::test]
async fn forty_clients_make_few_handshakes() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    let client = || async {
        for _ in 0..10 {
            setup.get_text("/version", Class::Short).await;
        }
    };
    join_all((0..40).map(|_| client())).await;
    assert_eq!(member.received().len(), 400);
    assert!(member.counts().handshakes < 10, "{:?}", member.counts());
}

#[tokio::test]
async fn a_burst_without_a_connection_is_no_storm_of_handshakes() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    for class in [Class::Short, Class::LongRunning] {
        let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
        let before = member.counts().handshakes;
        join_all((0..200).map(|_| setup.get_text("/version", class))).await;
        let handshakes = member.counts().handshakes - before;
        assert!(handshakes < 10, "{class:?}: {handshakes}");
    }
}

#[tokio::test]
async fn a_hundred_clients_who_ask_at_once_again_and_again_make_do_with_eight_connections() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let mut setup = Setup::to(&member.url(), Some(&pki.ca));
    setup.config.prewarm = true;
    let setup = setup.build();
    for _ in 0..20 {
        join_all((0..100).map(|_| setup.get_text("/version", Class::Short))).await;
    }
    assert_eq!(setup.metric(OPEN), 8);
    assert_eq!(member.counts().handshakes, 8);
}

#[tokio::test]
async fn a_connection_that_closed_at_rest_fails_nothing() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in [Class::Short, Class::LongRunning] {
        for method in [Method::GET, Method::POST] {
            setup.get_text("/", class).await;
            member.cut_connections();
            eventually("closed", || setup.metric(OPEN) == 0).await;
            let post = request(method, "/", Body::full("x"));
            let answer = setup.send(post, class).await.expect("an answer");
            assert_eq!(answer.status(), 200);
            text(answer).await;
        }
    }
    assert_eq!(member.received().len(), 8);
}

#[tokio::test]
async fn a_new_connection_resumes_the_session_of_one_before() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    for class in [Class::Short, Class::LongRunning] {
        let mut setup = Setup::to(&member.url(), Some(&pki.ca)).build();
        let before = member.counts();
        setup.get_text("/", class).await;
        assert_eq!(member.counts().resumed, before.resumed, "{class:?}");
        member.cut_connections();
        eventually("closed", || setup.metric(OPEN) == 0).await;
        setup.get_text("/", class).await;
        assert_eq!(member.counts().resumed, before.resumed + 1, "{class:?}");
        // Another token is no reason to begin anew.
        setup.rotate();
        setup.get_text("/", class).await;
        let after = member.counts();
        assert_eq!(after.handshakes, before.handshakes + 3, "{class:?}");
        assert_eq!(after.resumed, before.resumed + 2, "{class:?}");
    }
}

#[tokio::test]
async fn a_get_on_a_stale_connection_is_sent_again_as_it_was() {
    let pki = Pki::new();
    let (member, heads) = closes_upon_the_second(&pki, 1).await;
    let setup = Setup::to(&format!("{}/base", member.https()), Some(&pki.ca)).build();
    setup.get_text("/first", Class::Short).await;
    for _ in 0..2 {
        let mut again = request(Method::GET, "/a%2Fb//c/?x=1&x=2", Body::empty());
        again
            .headers_mut()
            .append("x-a", "1".parse().expect("a value"));
        again
            .headers_mut()
            .append("x-a", "2".parse().expect("a value"));
        let answer = setup.send(again, Class::Short).await.expect("an answer");
        assert_eq!(text(answer).await, "ok");
    }
    let heads = heads.lock();
    assert_eq!(heads.len(), 4);
    assert!(heads[1].starts_with("GET /base/a%2Fb//c/?x=1&x=2 HTTP/1.1\r\n"));
    assert_eq!(heads[1], heads[2]);
    assert_eq!(member.accepted(), 2);
}

#[tokio::test]
async fn a_post_that_a_member_may_have_seen_is_not_repeated() {
    let pki = Pki::new();
    for body in ["", "{}"] {
        let (member, heads) = closes_upon_the_second(&pki, 1).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        setup.get_text("/", Class::Short).await;
        let post = request(Method::POST, "/", Body::full(body));
        let answer = setup.send(post, Class::Short).await;
        assert_failed(answer, (Hop::Request, Some("the connection was closed")));
        let heads = heads.lock();
        let posts = heads.iter().filter(|head| head.starts_with("POST"));
        assert_eq!(posts.count(), 1, "{heads:?}");
    }
}

#[tokio::test]
async fn any_number_of_stale_connections_fails_nothing() {
    let pki = Pki::new();
    let (member, _heads) = closes_upon_the_second(&pki, 10).await;
    let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
    // More at once than there may be HTTP/1.1 connections for short requests, so that the pool
    // learns that there is nothing else.
    join_all((0..10).map(|_| setup.get_text("/", Class::LongRunning))).await;
    assert_eq!(member.accepted(), 10);
    for class in [Class::Short, Class::LongRunning] {
        assert_eq!(setup.get_text("/", class).await, "ok");
    }
}

#[tokio::test]
async fn a_connection_whose_answer_was_not_read_is_closed() {
    let pki = Pki::new();
    let stall = |received: &fleetgate_testkit::Received| match received.path.as_str() {
        "/stall" => Answer::StallAfterHeaders(Bytes::from_static(b"first")),
        _ => Answer::Echo,
    };
    let member = FakeMember::tls(&pki.leaf).start(stall).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    // More often than there may be connections: each must make room for the next.
    for round in 1..=6 {
        let answer = setup.get("/stall", Class::Short).await.expect("an answer");
        let mut body = answer.into_body();
        assert_eq!(chunk(&mut body).await.as_deref(), Some(&b"first"[..]));
        drop(body);
        eventually("closed", || setup.metric(OPEN) == 0).await;
        assert_eq!(member.counts().handshakes, round);
    }
    setup.get_text("/", Class::Short).await;
    let received = member.received();
    assert!(received.iter().all(|r| r.version == Version::HTTP_11));
}

#[tokio::test]
async fn connections_that_die_make_room_for_others() {
    let pki = Pki::new();
    let answer = |received: &fleetgate_testkit::Received| match received.path.as_str() {
        "/stall" => Answer::StallBeforeHeaders,
        _ => Answer::Echo,
    };
    let member = FakeMember::tls(&pki.leaf).start(answer).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for round in 1..=3 {
        let stalled = join_all((0..4).map(|_| setup.get("/stall", Class::Short)));
        let cut = async {
            member.wait_received(4 * round).await;
            member.cut_connections();
        };
        let (answers, ()) = tokio::join!(stalled, cut);
        for answer in answers {
            assert_failed(answer, (Hop::Request, Some("the connection was closed")));
        }
    }
    setup.get_text("/", Class::Short).await;
    assert!(
        member
            .received()
            .iter()
            .all(|r| r.version == Version::HTTP_11)
    );
}

#[tokio::test]
async fn failed_dials_take_no_room() {
    let pki = Pki::new();
    let address = free_address();
    let setup = Setup::to(&format!("https://{address}"), Some(&pki.ca)).build();
    let refused = join_all((0..10).map(|_| setup.get("/", Class::Short))).await;
    assert!(refused.iter().all(Result::is_err));
    // The member is given up for a moment.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let member = FakeMember::tls(&pki.leaf).at(address).echo().await;
    setup.get_text("/", Class::Short).await;
    assert_eq!(member.received()[0].version, Version::HTTP_11);
}

#[tokio::test]
async fn a_request_that_is_given_up_while_connecting_takes_no_room() {
    let pki = Pki::new();
    let silent = RawServer::tcp(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let silent = silent.await;
    let url = format!("https://{}", silent.address);
    let setup = Setup::to(&url, Some(&pki.ca)).build();
    for round in 1..=6 {
        let mut waiting = Box::pin(setup.get("/", Class::Short));
        let mut started = || silent.accepted() == round;
        tokio::select! {
            biased;
            answer = &mut waiting => panic!("{answer:?}"),
            () = eventually("connecting", &mut started) => {}
        }
    }
}

#[tokio::test]
async fn a_connection_long_at_rest_is_not_used_again() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    setup.get_text("/", Class::Short).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    setup.get_text("/", Class::Short).await;
    assert_eq!(member.counts().handshakes, 2);
    eventually("the old one closed", || setup.metric(OPEN) == 1).await;
}

#[tokio::test]
async fn a_connection_that_nobody_asks_for_any_more_is_closed() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for _ in 0..2 {
        setup.get_text("/", Class::Short).await;
        assert_eq!(setup.metric(OPEN), 1);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        eventually("closed", || setup.metric(OPEN) == 0).await;
    }
}

#[tokio::test]
async fn a_cluster_says_how_long_its_connections_may_rest() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let settings = Settings {
        idle_timeout: Some(Duration::from_secs(20)),
        ..Settings::default()
    };
    let setup = Setup::to(&member.url(), Some(&pki.ca));
    let setup = setup.settings(Ok(settings)).build();
    for (rest, handshakes) in [(0, 1), (19, 1), (21, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(rest)).await;
        tokio::time::resume();
        setup.get_text("/", Class::Short).await;
        assert_eq!(member.counts().handshakes, handshakes, "after {rest} s");
    }
}

#[tokio::test]
async fn connections_that_a_burst_left_behind_are_closed() {
    let pki = Pki::new();
    let member = FakeMember::plain().echo().await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    join_all((0..8).map(|_| setup.get_text("/", Class::Short))).await;
    assert_eq!(setup.metric(OPEN), 8);
    for _ in 0..3 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(40)).await;
        tokio::time::resume();
        setup.get_text("/", Class::Short).await;
    }
    eventually("one is left", || setup.metric(OPEN) == 1).await;
    assert_eq!(member.counts().accepted, 8);
}

#[tokio::test]
async fn an_answer_without_a_body_gives_its_connection_back() {
    let pki = Pki::new();
    let empty = |_: &fleetgate_testkit::Received| Answer::Full {
        status: StatusCode::NO_CONTENT,
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let member = FakeMember::tls(&pki.leaf).start(empty).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for method in [Method::HEAD, Method::DELETE, Method::GET] {
        let request = request(method, "/", Body::empty());
        let answer = setup.send(request, Class::Short).await.expect("an answer");
        drop(answer);
    }
    assert_eq!(member.counts().handshakes, 1);
}
