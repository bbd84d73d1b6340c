//! Connections that become something else: exec, attach, port-forward.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use fleetgate_testkit::{Answer, Received, UpgradeScript};
use fleetgate_tests::{Credential, fleet, http::Call, recorder::Recorder};
use http::Method;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{ADMIN, CLAIMS, SOON, callers, check_identity};

/// A member that echoes what comes, and says "end" when its caller has closed.
async fn echo(name: &str) -> Recorder {
    let echo = |_: &Received| Answer::Upgrade(UpgradeScript::EchoThen("end".into()));
    Recorder::start(name, echo).await
}

fn as_spdy(call: Call) -> Call {
    call.header("Connection", "Upgrade")
        .header("Upgrade", "SPDY/3.1")
}

#[tokio::test]
async fn an_upgrade_carries_the_same_identity() {
    let recorder = echo("identity-upgraded").await;
    let callers = callers("identity-upgraded", "identity-upgrader").await;
    for (number, caller) in callers.iter().enumerate() {
        let path = format!("/api/v1/namespaces/n/pods/{number}/exec?command=sh");
        let mut call = caller.client.call(Method::GET, &recorder.path(&path));
        for (name, value) in CLAIMS {
            call = call.header(name, value);
        }
        let (answer, _connection) = as_spdy(call).open().await.unwrap();
        assert_eq!(answer.status(), 101, "{}: {answer:?}", caller.at);
        let received = recorder.only(&path);
        check_identity(&received, &recorder, caller.name, caller.groups);
        assert_eq!(received.header("upgrade"), "SPDY/3.1", "{}", caller.at);
    }
    recorder.remove().await;
}

/// The end of one direction is told to the other side, and the other direction goes on.
#[tokio::test]
async fn each_direction_of_an_upgrade_is_closed_on_its_own() {
    let recorder = echo("identity-halves").await;
    let server = fleet().at_server(&fleet().admin());
    let call = server.call(Method::GET, &recorder.path("/halves"));
    let (mut answer, _connection) = as_spdy(call).open().await.unwrap();
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    stream.write_all(b"begin ").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut received = String::new();
    let end = timeout(SOON, stream.read_to_string(&mut received));
    end.await.unwrap().unwrap();
    assert_eq!(received, "begin end");
    let record = recorder.member().wait_upgraded(1).await.remove(0);
    assert!(record.caller_closed, "{record:?}");
    assert!(record.all_sent, "{record:?}");
    recorder.remove().await;
}

/// Browsers cannot set headers: they show their token as a protocol that they offer.
#[tokio::test]
async fn a_token_among_websocket_protocols_is_taken_out() {
    let recorder = echo("identity-browser").await;
    let token = BASE64_URL_SAFE_NO_PAD.encode(&fleet().admin_token);
    let offered = format!("base64url.bearer.authorization.k8s.io.{token}, v5.channel.k8s.io");
    let server = fleet().at_server(&Credential::Anonymous);
    let (answer, _connection) = server
        .call(Method::GET, &recorder.path("/browser"))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Protocol", &offered)
        .open()
        .await
        .unwrap();
    assert_eq!(answer.status(), 101, "{answer:?}");
    let received = recorder.only("/browser");
    let groups = ["system:serviceaccounts", "system:serviceaccounts:default"];
    check_identity(&received, &recorder, ADMIN, &groups);
    let protocols = received.header("sec-websocket-protocol");
    assert_eq!(protocols, "v5.channel.k8s.io");
    recorder.remove().await;
}
