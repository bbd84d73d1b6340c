//! WebSockets through HTTP/2 (RFC 8441), and what an upgrade may hold in memory.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_testkit::{Answer, FakeMember, RawServer, UpgradeScript};
use h2::{RecvStream, SendStream, ext::Protocol};
use http::{Method, Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::timeout,
};

use super::support::{Http2, PATIENCE, PROXY, World, member_leaf, read_request};

const EXEC: &str = "/api/v1/namespaces/n/pods/p/exec?command=cat&command=-&stdin=true";

/// The answer to a CONNECT, for `protocol` if it is an extended one, and the way to send more.
async fn answered(
    caller: &mut Http2,
    protocol: Option<&str>,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let uri = match protocol {
        Some(_) => format!("https://server{PROXY}{EXEC}"),
        None => "server:443".to_owned(),
    };
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(uri)
        .header("sec-websocket-protocol", "v5.channel.k8s.io")
        .header("sec-websocket-version", "13")
        .body(())
        .expect("a request");
    if let Some(protocol) = protocol {
        request.extensions_mut().insert(Protocol::from(protocol));
    }
    let (answer, send) = caller.sender.send_request(request, false).expect("sent");
    let answer = timeout(PATIENCE, answer).await.expect("in time");
    (answer.expect("an answer"), send)
}

async fn piece(body: &mut RecvStream) -> Option<Bytes> {
    loop {
        let piece = timeout(PATIENCE, body.data()).await.expect("in time")?;
        let piece = piece.expect("bytes");
        body.flow_control()
            .release_capacity(piece.len())
            .expect("was read");
        // An empty one may stand at the end.
        if !piece.is_empty() {
            return Some(piece);
        }
    }
}

async fn member(script: UpgradeScript) -> FakeMember {
    FakeMember::tls(&member_leaf())
        .start(move |_| Answer::Upgrade(script.clone()))
        .await
}

#[tokio::test]
async fn a_websocket_of_http2_is_an_upgrade_at_the_member() {
    let member = member(UpgradeScript::EchoThen(Bytes::from_static(b"bye"))).await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http2().await;
    let (answer, mut send) = answered(&mut caller, Some("websocket")).await;
    assert!(caller.sender.is_extended_connect_protocol_enabled());
    assert_eq!(answer.status(), StatusCode::OK);
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let mut body = answer.into_body();
    for _ in 0..3 {
        send.send_data(Bytes::from_static(b"ping"), false)
            .expect("sent");
        assert_eq!(piece(&mut body).await.expect("an echo"), "ping");
    }
    // The end of stdin does not end stdout.
    send.send_data(Bytes::new(), true).expect("sent");
    assert_eq!(piece(&mut body).await.expect("last words"), "bye");
    assert_eq!(piece(&mut body).await, None);
    let record = &member.wait_upgraded(1).await[0];
    assert_eq!(record.received, "pingpingping");
    assert!(record.caller_closed && record.all_sent);

    let received = &member.received()[0];
    assert_eq!(
        (&received.method, received.path.as_str()),
        (&Method::GET, EXEC)
    );
    assert_eq!(received.header("upgrade"), "websocket");
    assert_eq!(
        received.header("sec-websocket-protocol"),
        "v5.channel.k8s.io"
    );
    assert_eq!(received.header("sec-websocket-version"), "13");
    assert_eq!(received.header("impersonate-user"), "jane");
    assert_eq!(received.header("authorization"), "bearer ours");
}

#[tokio::test]
async fn the_end_of_stdout_does_not_end_stdin_through_http2() {
    let member = member(UpgradeScript::CloseFirst(Bytes::from_static(b"done"))).await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http2().await;
    let (answer, mut send) = answered(&mut caller, Some("websocket")).await;
    let mut body = answer.into_body();
    assert_eq!(piece(&mut body).await.expect("words"), "done");
    assert_eq!(piece(&mut body).await, None);
    send.send_data(Bytes::from_static(b"late words"), true)
        .expect("sent");
    let record = &member.wait_upgraded(1).await[0];
    assert_eq!(record.received, "late words");
    assert!(record.caller_closed);
}

#[tokio::test]
async fn a_members_refusal_of_a_websocket_passes_through_http2() {
    let body = serde_json::json!({"kind": "Status", "code": 403});
    let answer = move |_: &fleetgate_testkit::Received| Answer::json(StatusCode::FORBIDDEN, &body);
    let member = FakeMember::tls(&member_leaf()).start(answer).await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http2().await;
    let (answer, _send) = answered(&mut caller, Some("websocket")).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let mut body = answer.into_body();
    assert!(piece(&mut body).await.expect("a body").starts_with(b"{"));
    // The connection goes on.
    assert_eq!(caller.get("/x").await.expect("an answer").code, 403);
}

#[tokio::test]
async fn no_other_connect_is_served() {
    let member = member(UpgradeScript::EchoThen(Bytes::new())).await;
    let world = World::start(&member.url()).await;
    for protocol in [None, Some("connect-udp")] {
        let mut caller = world.http2().await;
        let (answer, _send) = answered(&mut caller, protocol).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(member.received().is_empty());
}

#[tokio::test]
async fn a_member_that_answers_another_key_is_a_bad_gateway() {
    let leaf = member_leaf();
    let member = RawServer::tls(&leaf, &["http/1.1"], |_, mut stream| async move {
        read_request(&mut stream).await;
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap_or_default();
        std::future::pending().await
    });
    let member = member.await;
    let world = World::start(&member.https()).await;
    let mut caller = world.http2().await;
    let (answer, _send) = answered(&mut caller, Some("websocket")).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
}

/// The most that may be on its way between a member that floods and a caller that does not read:
/// our two buffers, those of TLS and HTTP/2, and the kernel's of four sockets.
const ON_ITS_WAY: usize = 24 << 20;
/// A member that may send does so within this.
const STILL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_member_that_floods_waits_for_a_caller_that_does_not_read() {
    for http2 in [false, true] {
        let (counted, mut sent) = watch::channel(0);
        let counted = Arc::new(counted);
        let leaf = member_leaf();
        let member = RawServer::tls(&leaf, &["http/1.1"], move |_, mut stream| {
            let counted = Arc::clone(&counted);
            async move {
                let request = read_request(&mut stream).await;
                let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
                            upgrade: websocket\r\nsec-websocket-accept: ";
                let accept = accept_of(&String::from_utf8_lossy(&request));
                let head = format!("{head}{accept}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap_or_default();
                while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {
                    counted.send_modify(|sent| *sent += 16 << 10);
                }
            }
        });
        let member = member.await;
        let world = World::start(&member.https()).await;
        let open: Box<dyn std::any::Any> = match http2 {
            true => {
                let mut caller = world.http2().await;
                let upgraded = answered(&mut caller, Some("websocket")).await;
                Box::new((upgraded, caller))
            }
            false => {
                let mut caller = world.http1().await;
                let head = format!(
                    "GET {PROXY}{EXEC} HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\n\
                     Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                );
                caller.write(head.as_bytes()).await;
                Box::new(caller)
            }
        };
        let first = sent.wait_for(|sent| *sent > 0);
        let first = timeout(PATIENCE, first).await.expect("in time");
        drop(first.expect("a member that floods"));
        // It is still when it could send nothing more for a while.
        while timeout(STILL, sent.changed()).await.is_ok() {
            let sent = *sent.borrow_and_update();
            assert!(sent < ON_ITS_WAY, "{sent} bytes were taken");
        }
        drop(open);
    }
}

/// The answer to the key in `request`: an upgrade of HTTP/1.1 has the key of RFC 6455's example.
fn accept_of(request: &str) -> String {
    let key = request.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value)
    });
    fleetgate_testkit::websocket_accept(key.expect("a key").as_bytes())
}

#[tokio::test]
async fn what_reads_like_a_refusal_passes_through_an_upgrade() {
    let member = member(UpgradeScript::EchoThen(Bytes::new())).await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http1().await;
    let head = format!(
        "GET {PROXY}{EXEC} HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\n\
         Upgrade: SPDY/3.1\r\n\r\n"
    );
    caller.write(head.as_bytes()).await;
    assert_eq!(caller.answer().await.expect("an answer").code, 101);
    let sent = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    caller.write(sent).await;
    let mut echo = vec![0; sent.len()];
    let read = caller.stream.read_exact(&mut echo);
    let read = timeout(PATIENCE, read).await.expect("in time");
    read.expect("an echo");
    assert_eq!(echo, sent);
}

#[tokio::test]
async fn an_upgrade_of_any_path_passes_through_http1() {
    let member = member(UpgradeScript::EchoThen(Bytes::new())).await;
    let world = World::start(&member.url()).await;
    for rest in [
        EXEC,
        "/apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/v/console",
        "/api/v1/namespaces/n/services/s/proxy/socket",
        "/anything",
    ] {
        let mut caller = world.http1().await;
        let head = format!(
            "GET {PROXY}{rest} HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\n\
             Upgrade: SPDY/3.1\r\n\r\nhello"
        );
        caller.write(head.as_bytes()).await;
        assert_eq!(
            caller.answer().await.expect("an answer").code,
            101,
            "{rest}"
        );
        // What was sent at once with the request belongs to the stream.
        let mut echo = [0; 5];
        let read = caller.stream.read_exact(&mut echo);
        timeout(PATIENCE, read)
            .await
            .expect("in time")
            .expect("an echo");
        assert_eq!(&echo, b"hello", "{rest}");
    }
}
