//! What callers see when a member, its secret or its registration fails: soon, in a Status that
//! names cluster and hop and tells no address, and only as long as the fault lasts.

mod member;
mod registration;
mod store;
mod under_load;

use std::time::Duration;

use fleetgate_tests::{
    http::Reply,
    member::Member,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};

/// Each time limit of the servers here; a fault that shows by silence shows after it.
const LIMIT: Duration = Duration::from_secs(1);
/// Within what time a fault that shows by itself is told, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A server with short time limits.
async fn server() -> Server {
    let spec = ServerSpec::default().flag("member-connect-timeout", "1s");
    spec.flag("member-request-timeout", "1s").start().await
}

/// The registration of member1 under another name, at `endpoint`.
fn registration(name: &str, member: &Member, endpoint: &str) -> Registration {
    Registration {
        token: member.token.clone(),
        ..Registration::new(name, endpoint)
    }
}

/// GET of the member's version through `server`, and how long the answer took.
async fn version(server: &Server, cluster: &str) -> (Reply, Duration) {
    let since = tokio::time::Instant::now();
    let path = proxy_path(cluster) + "/version";
    let reply = server.admin().get(&path).await.unwrap();
    (reply, since.elapsed())
}

/// Waits until requests to `cluster` are refused with `message`, and returns the refusal and the
/// time it took to come about.
async fn until_refused(server: &Server, cluster: &str, message: &str) -> (Reply, Duration) {
    until(message, SOON, async || {
        let (reply, _) = version(server, cluster).await;
        let said = reply.json()["message"] == message;
        check(said, || reply.to_string()).map(|()| reply)
    })
    .await
}

/// Panics unless `reply` is a Status with this code, reason and message, which tells nothing of
/// where the member is.
#[track_caller]
fn assert_refused(reply: &Reply, code: u16, reason: &str, message: &str) {
    let status = reply.json();
    assert_eq!(reply.status.as_u16(), code, "{reply}");
    assert_eq!(status["kind"], "Status", "{reply}");
    assert_eq!(status["code"], code, "{reply}");
    assert_eq!(status["reason"], reason, "{reply}");
    assert_eq!(status["message"], message, "{reply}");
    for told in ["127.0.0.1", "https://", "Bearer", "-impersonator"] {
        assert!(!reply.text().contains(told), "{told:?} in {reply}");
    }
}
