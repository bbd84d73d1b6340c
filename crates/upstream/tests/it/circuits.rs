//! A member that cannot be connected to is given up, and nobody waits for it; one that is slow, or
//! fails by itself, is not.

use std::{future::pending, net::SocketAddr, time::Duration};

use bytes::Bytes;
use fleetgate_model::{Class, Hop, UpstreamError};
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, FakeMember, Received};
use futures::future::join_all;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Pki, RawServer, Setup, eventually, free_address};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const OPEN: &str = "upstream_circuit_open{";
const OPENED: &str = "upstream_circuit_opened_total";
const CONNECTIONS: &str = "upstream_connections{";

/// Brings requests until one is told that the member is given up, and says why it is.
async fn given_up(setup: &Setup, class: Class) -> (Hop, Option<&'static str>) {
    for _ in 0..10 {
        if let Err(UpstreamError::GivenUp {
            hop,
            detail,
            retry_after,
        }) = setup.get("/", class).await
        {
            assert!(retry_after <= SECOND, "{retry_after:?}");
            assert_eq!(setup.metric(OPEN), 1);
            return (hop, detail);
        }
    }
    panic!("the member is asked over and over")
}

#[tokio::test]
async fn a_member_that_refuses_connections_is_given_up_until_it_is_back() {
    let pki = Pki::new();
    let address = free_address();
    let setup = Setup::to(&format!("https://{address}"), Some(&pki.ca)).build();
    let want = (Hop::Connect, Some("connection refused"));
    assert_eq!(given_up(&setup, Class::Short).await, want);

    let member = FakeMember::tls(&pki.leaf).at(address).echo().await;
    assert_eq!(given_up(&setup, Class::Upgrade).await, want);
    assert_eq!(member.counts().accepted, 0, "it was left alone");
    tokio::time::pause();
    tokio::time::advance(SECOND).await;
    tokio::time::resume();
    setup.get_text("/", Class::LongRunning).await;
    assert_eq!((setup.metric(OPEN), setup.metric(OPENED)), (0, 1));
}

#[tokio::test]
async fn a_trial_that_fails_leaves_the_member_alone_again() {
    let address = free_address();
    let setup = Setup::to(&format!("https://{address}"), None).build();
    given_up(&setup, Class::Short).await;
    for _ in 0..2 {
        tokio::time::pause();
        tokio::time::advance(SECOND).await;
        tokio::time::resume();
        let trial = setup.get("/", Class::Short).await.expect_err("a failure");
        assert!(matches!(trial, UpstreamError::Failed { .. }), "{trial:?}");
        let next = setup.get("/", Class::Short).await.expect_err("a failure");
        assert!(matches!(next, UpstreamError::GivenUp { .. }), "{next:?}");
    }
    assert_eq!(setup.metric(OPENED), 1);
}

/// What callers of each class get, who would wait for an hour.
async fn callers(setup: &Setup) -> Vec<Result<Response<Body>, UpstreamError>> {
    let classes = [Class::Short, Class::LongRunning, Class::Upgrade];
    let callers = classes.into_iter().cycle().take(12);
    join_all(callers.map(|class| setup.get("/", class))).await
}

/// They are let go.
async fn let_go(endpoint: &str, hop: Hop) {
    let setup = Setup::to(endpoint, None).insecure().timeouts(HOUR).build();
    for answer in callers(&setup).await {
        let Err(UpstreamError::GivenUp {
            hop: found, detail, ..
        }) = answer
        else {
            panic!("{answer:?}")
        };
        assert_eq!((found, detail), (hop, Some("timed out")));
    }
}

/// A member that accepts, and says nothing.
async fn silent() -> RawServer {
    let silent = RawServer::tcp(|_, stream| async move {
        pending::<()>().await;
        drop(stream);
    });
    silent.await
}

/// A member that drops what is sent to it, for as long as both are held.
async fn black_hole() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(0).expect("listens");
    let address = listener.local_addr().expect("an address");
    let mut queued = Vec::new();
    let moment = Duration::from_millis(200);
    while let Ok(stream) = timeout(moment, TcpStream::connect(address)).await {
        queued.push(stream.expect("queued"));
        assert!(queued.len() < 16, "the queue does not fill");
    }
    (listener, queued)
}

fn url(listener: &TcpListener) -> String {
    let address = listener.local_addr().expect("an address");
    format!("https://{address}")
}

#[tokio::test]
async fn a_member_that_accepts_and_says_nothing_holds_nobody() {
    let_go(&silent().await.https(), Hop::Tls).await;
}

#[tokio::test]
async fn a_member_that_never_accepts_holds_nobody() {
    let (listener, _queued) = black_hole().await;
    let_go(&url(&listener), Hop::Connect).await;
}

/// All who call the member at `endpoint` are let go within a second, by tokio's clock.
async fn check_within_a_second(endpoint: &str) {
    let setup = Setup::to(endpoint, None).insecure().timeouts(HOUR).build();
    let since = Instant::now();
    assert!(callers(&setup).await.iter().all(Result::is_err));
    assert!(
        since.elapsed() <= SECOND,
        "{endpoint}: {:?}",
        since.elapsed()
    );
    assert_eq!((setup.metric(OPEN), setup.metric(OPENED)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_member_is_given_up_within_a_second() {
    check_within_a_second(&format!("https://{}", free_address())).await;
    check_within_a_second(&silent().await.https()).await;
    let (listener, _queued) = black_hole().await;
    check_within_a_second(&url(&listener)).await;
}

/// A relay to `member` that keeps each connection waiting for `delay` first. It sends at once: what
/// waits for the other side's acknowledgement waits by the kernel's clock, which does not stand
/// still.
async fn slow_relay(member: SocketAddr, delay: Duration) -> RawServer {
    RawServer::tcp(move |_, mut caller| async move {
        sleep(delay).await;
        let mut member = TcpStream::connect(member).await.expect("the member");
        for stream in [&caller, &member] {
            stream.set_nodelay(true).expect("a socket");
        }
        tokio::io::copy_bidirectional(&mut caller, &mut member)
            .await
            .unwrap_or_default();
    })
    .await
}

/// A member whose connections take `delay` is reached by `class` at the `tries`th try.
async fn check_reached(class: Class, delay: Duration, tries: usize) {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let relay = slow_relay(member.address(), delay).await;
    let mut setup = Setup::to(&relay.https(), Some(&pki.ca)).build();
    // As whoever is told to come back a second later does.
    let mut tried = 1;
    while setup.get("/", class).await.is_err() {
        tried += 1;
        assert!(tried <= tries, "{class:?}, {delay:?}: it is never reached");
        sleep(SECOND).await;
    }
    // From then on it is known to be slow: nobody is let go while a new connection is made.
    for _ in 0..5 {
        member.cut_connections();
        eventually("closed", || setup.metric(CONNECTIONS) == 0).await;
        setup.get("/", class).await.expect("an answer");
    }
    // New credentials do not make the way shorter.
    for _ in 0..2 {
        setup.rotate();
        setup.get("/", class).await.expect("an answer");
    }
    assert!(setup.metric(OPENED) <= 1, "{class:?}, {delay:?}");
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_handshake_is_slow_is_not_shut_out() {
    for class in [Class::Short, Class::LongRunning, Class::Upgrade] {
        check_reached(class, Duration::from_millis(1500), 5).await;
        // Less than the time limit of TLS.
        check_reached(class, Duration::from_secs(8), 10).await;
    }
}

/// A relay to `member`, until `frozen`: then nothing moves any more, and nothing is closed.
async fn freezer(member: SocketAddr, frozen: CancellationToken) -> RawServer {
    RawServer::tcp(move |_, mut caller| {
        let frozen = frozen.clone();
        async move {
            let relayed = async {
                let mut member = TcpStream::connect(member).await.expect("the member");
                tokio::io::copy_bidirectional(&mut caller, &mut member)
                    .await
                    .unwrap_or_default();
            };
            if frozen.run_until_cancelled(relayed).await.is_none() {
                pending::<()>().await;
            }
        }
    })
    .await
}

/// What `work` comes to while the clock stands still: tokio lets it stand as long as a thread works.
async fn without_time<T>(work: impl Future<Output = T>) -> T {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = tokio::task::spawn_blocking(move || wait.recv());
    let worked = work.await;
    drop(done);
    assert!(thread.await.expect("a thread").is_err());
    worked
}

#[tokio::test(start_paused = true)]
async fn a_member_that_freezes_is_given_up_though_its_connections_stand() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let frozen = CancellationToken::new();
    let relay = freezer(member.address(), frozen.clone()).await;
    let setup = Setup::to(&relay.https(), Some(&pki.ca));
    let setup = setup.timeouts(HOUR).build();
    // A connection that took long is waited for longer.
    without_time(setup.get_text("/", Class::Short)).await;
    without_time(setup.get_text("/", Class::LongRunning)).await;
    frozen.cancel();
    let since = Instant::now();
    let waits = setup.get("/", Class::Short);
    let told = eventually("given up", || setup.metric(OPEN) == 1);
    tokio::select! {
        answer = waits => panic!("{answer:?}"),
        () = told => {}
    }
    assert!(since.elapsed() <= SECOND, "{:?}", since.elapsed());
    tokio::time::resume();
    assert_eq!(given_up(&setup, Class::Short).await.0, Hop::Tls);
}

#[tokio::test]
async fn a_member_that_is_slow_or_fails_by_itself_is_not_given_up() {
    let pki = Pki::new();
    let script = |received: &Received| match received.path.as_str() {
        "/slow" => Answer::StallBeforeHeaders,
        _ => Answer::Full {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: Vec::new(),
            body: Bytes::new(),
        },
    };
    let member = FakeMember::tls(&pki.leaf).start(script).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    let slow = timeout(PATIENCE, setup.get("/slow", Class::LongRunning));
    let looked = async {
        // One connection for the request, and then one just to see.
        eventually("a look", || member.counts().handshakes >= 2).await;
        for _ in 0..10 {
            let answer = setup.get("/", Class::Short).await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    tokio::select! {
        answer = slow => panic!("{answer:?}"),
        () = looked => {}
    }
    assert_eq!(setup.metric(OPENED), 0);
}

#[tokio::test]
async fn what_breaks_off_in_an_answer_says_nothing_of_connections() {
    let pki = Pki::new();
    let cut = |_: &Received| Answer::CloseMidBody(Bytes::from_static(b"x"));
    let member = FakeMember::tls(&pki.leaf).start(cut).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca)).build();
    for class in [Class::Short, Class::LongRunning, Class::Upgrade] {
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.push(setup.get("/", class).await.expect("a head"));
        }
        // In a row, with nothing heard of the member between them.
        for answer in answers {
            let body = timeout(PATIENCE, answer.into_body().collect()).await;
            body.expect("in time").expect_err("it breaks off");
        }
        assert_eq!(setup.metric(OPENED), 0, "{class:?}");
    }
}

#[tokio::test]
async fn one_dead_member_leaves_another_alone() {
    let pki = Pki::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    let dead = Setup::to(&format!("https://{address}"), None);
    let dead = dead.insecure().timeouts(HOUR).build();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let alive = Setup::to(&member.url(), Some(&pki.ca)).build();
    let waiting = join_all((0..200).map(|_| dead.get("/", Class::Short)));
    let served = async {
        for _ in 0..100 {
            alive.get_text("/", Class::Short).await;
        }
    };
    let (waited, ()) = tokio::join!(waiting, served);
    assert!(waited.iter().all(Result::is_err));
    assert_eq!((alive.metric(OPENED), member.counts().handshakes), (0, 1));
}

#[tokio::test]
async fn a_member_that_is_back_with_another_certificate_is_there() {
    let (trusted, other) = (Pki::new(), Pki::new());
    let address = free_address();
    let setup = Setup::to(&format!("https://{address}"), Some(&trusted.ca)).build();
    given_up(&setup, Class::Short).await;
    let _member = FakeMember::tls(&other.leaf).at(address).echo().await;
    tokio::time::pause();
    tokio::time::advance(SECOND).await;
    tokio::time::resume();
    for _ in 0..2 {
        let refused = setup.get("/", Class::Short).await.expect_err("a failure");
        assert!(
            matches!(refused, UpstreamError::Untrusted { .. }),
            "{refused:?}"
        );
    }
}
