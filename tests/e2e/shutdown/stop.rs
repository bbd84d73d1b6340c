//! SIGTERM: nobody new, what runs may finish, what lasts ends at the grace period, exit 0.

use std::time::Duration;

use fleetgate_testkit::{Answer, Chunks, FakeMember, UpgradeScript, certs};
use fleetgate_tests::{
    connection::chunk,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

const GRACE: Duration = Duration::from_secs(4);
/// What the end may take on a busy machine beyond what it waits for.
const SLACK: Duration = Duration::from_secs(10);

/// The test's ends of answers that come piece by piece.
type Open = Arc<Mutex<Vec<(String, Chunks)>>>;

/// A server whose grace period is short, and a member whose answers the test writes.
async fn set_up(name: &str) -> (Server, Registration, FakeMember, Open) {
    let spec = ServerSpec::default().flag("shutdown-grace-period", "4s");
    let server = spec.start().await;
    let ca = certs::Ca::new(name);
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let open = Open::default();
    let opened = Arc::clone(&open);
    let member = FakeMember::tls(&leaf).start(move |received| {
        if !received.header("upgrade").is_empty() {
            return Answer::Upgrade(UpgradeScript::EchoThen("bye".into()));
        }
        if received.path == "/version" {
            return Answer::Echo;
        }
        let (answer, chunks) = Answer::stream();
        opened.lock().push((received.path.clone(), chunks));
        answer
    });
    let member = member.await;
    let cluster = Registration {
        ca: ca.pem().to_owned(),
        ..Registration::new(name, &member.url())
    };
    server.join(&cluster).await;
    (server, cluster, member, open)
}

/// The test's end of the answer to `path`.
fn take(open: &Open, path: &str) -> Chunks {
    let mut open = open.lock();
    let at = open.iter().position(|(of, _)| of.starts_with(path));
    open.remove(at.expect("the member was asked")).1
}

#[tokio::test]
async fn a_request_under_way_is_answered_and_then_the_server_is_gone() {
    let (mut server, cluster, _member, open) = set_up("stop-request").await;
    let mut caller = server.admin().connect().await.unwrap();
    let path = proxy_path(&cluster.name) + "/api/v1/namespaces";
    let body = caller.watch(&path).await.unwrap();
    let answer = take(&open, "/api/v1/namespaces");

    let since = Instant::now();
    server.terminate();
    until_deaf(&server).await;
    assert!(answer.send("the whole "), "the caller still reads");
    assert!(answer.send("answer"));
    drop(answer);
    let body = timeout(SOON, body.collect()).await.expect("the end");
    let body = body.expect("it is whole").to_bytes();
    assert_eq!(body, "the whole answer");
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.process().output());
    assert!(since.elapsed() < GRACE + SLACK, "{:?}", since.elapsed());
    cluster.remove().await;
}

#[tokio::test]
async fn watches_and_upgrades_go_on_until_the_grace_period_ends_and_then_end_in_order() {
    let (mut server, cluster, member, open) = set_up("stop-watch").await;
    let mut watcher = server.admin().connect().await.unwrap();
    let path = proxy_path(&cluster.name) + "/api/v1/pods?watch=true";
    let mut watch = watcher.watch(&path).await.unwrap();
    let events = take(&open, "/api/v1/pods");
    let mut upgrader = server.admin().connect().await.unwrap();
    let exec = proxy_path(&cluster.name) + "/api/v1/namespaces/n/pods/p/exec";
    let mut stream = upgrader.upgrade(&exec, "SPDY/3.1").await.unwrap();

    let since = Instant::now();
    server.terminate();
    until_deaf(&server).await;
    assert!(events.send("event"), "the watch goes on");
    assert_eq!(chunk(&mut watch).await.unwrap().unwrap(), "event");
    stream.write_all(b"echo").await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"echo", "the upgrade goes on");

    let end = timeout(SOON, chunk(&mut watch)).await.expect("the end");
    assert_eq!(end.expect("it ends as watches do"), None);
    let after = since.elapsed();
    assert!(GRACE <= after && after < GRACE + SLACK, "{after:?}");
    let rest = timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
    // Cut off or closed: bytes in the middle of a stream have no other end.
    rest.expect("the end of the stream").unwrap_or_default();
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.process().output());
    member.wait_upgraded(1).await;
    cluster.remove().await;
}

/// Once upgraded, a connection is none of HTTP, so that what waits for those does not see it.
#[tokio::test]
async fn an_upgrade_alone_goes_on_until_the_grace_period_ends_and_is_then_cut() {
    let (mut server, cluster, member, _open) = set_up("stop-upgrade").await;
    let mut upgrader = server.admin().connect().await.unwrap();
    let forward = proxy_path(&cluster.name) + "/api/v1/namespaces/n/pods/p/portforward";
    let mut stream = upgrader.upgrade(&forward, "SPDY/3.1").await.unwrap();

    let since = Instant::now();
    server.terminate();
    until_deaf(&server).await;
    stream.write_all(b"echo").await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"echo", "the upgrade goes on");

    let rest = timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
    rest.expect("the end of the stream").unwrap_or_default();
    let after = since.elapsed();
    assert!(GRACE <= after && after < GRACE + SLACK, "{after:?}");
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.process().output());
    member.wait_upgraded(1).await;
    cluster.remove().await;
}

#[tokio::test]
async fn a_server_with_nothing_to_do_is_gone_at_once() {
    let mut server = ServerSpec::default().start().await;
    let mut idle = server.admin().connect().await.unwrap();
    assert_eq!(idle.get("/readyz").await.unwrap().status, 200);
    let since = Instant::now();
    server.terminate();
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{}", server.process().output());
    // The default grace period is 20 s.
    assert!(since.elapsed() < SLACK, "{:?}", since.elapsed());
}

/// Waits until nobody is told any more that the server is ready.
async fn until_deaf(server: &Server) {
    let caller = server.admin();
    until("the server is not ready", SOON, async || {
        match caller.get("/readyz").await {
            Ok(reply) => check(reply.status != 200, || reply.to_string()),
            Err(_) => Ok(()),
        }
    })
    .await;
}
