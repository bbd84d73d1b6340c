//! Tests of the fake itself, over its own sockets.

use bytes::Bytes;
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Answer, FakeMember, UpgradeScript};
use crate::server::PATIENCE;

async fn exchange(member: &FakeMember, text: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(member.address()).await.expect("listens");
    stream.write_all(text.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    (stream, String::from_utf8(head).expect("text"))
}

async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    read.expect("in time").expect("an end");
    rest
}

#[tokio::test]
async fn an_echo_shows_the_request_as_it_came() {
    let member = FakeMember::plain().echo().await;
    let request = "POST /a%2Fb//c/?x=1&x=2 HTTP/1.1\r\nHost: m\r\nX-A: 1\r\nX-A: 2\r\n\
                   Content-Length: 2\r\nConnection: close\r\n\r\nhi";
    let (stream, head) = exchange(&member, request).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let body: serde_json::Value = serde_json::from_slice(&rest(stream).await).expect("JSON");
    assert_eq!(body["path"], "/a%2Fb//c/?x=1&x=2");
    assert_eq!(body["body"], "hi");
    let received = &member.received()[0];
    assert_eq!((received.host.as_str(), received.header("x-a")), ("m", "1"));
    assert_eq!(member.counts().accepted, 1);
}

#[tokio::test]
async fn a_body_can_end_too_early() {
    let script = |_: &super::Received| Answer::CloseMidBody(Bytes::from_static(b"half"));
    let member = FakeMember::plain().start(script).await;
    let (stream, head) = exchange(&member, "GET / HTTP/1.1\r\nHost: m\r\n\r\n").await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let body = rest(stream).await;
    assert!(!body.ends_with(b"0\r\n\r\n"), "{body:?}");
}

#[tokio::test]
async fn an_upgraded_connection_closes_one_side_after_the_other() {
    let script = UpgradeScript::EchoThen(Bytes::from_static(b"bye"));
    let member = FakeMember::plain()
        .start(move |_| Answer::Upgrade(script.clone()))
        .await;
    let request = "GET / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
    let (mut stream, head) = exchange(&member, request).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream.write_all(b"hello").await.expect("sent");
    stream.shutdown().await.expect("closed");
    assert_eq!(rest(stream).await, b"hellobye");
    let record = &member.wait_upgraded(1).await[0];
    assert_eq!(record.received, "hello");
    assert!(record.caller_closed && record.all_sent);
}

#[tokio::test]
async fn connections_can_be_cut_and_made_anew() {
    let member = FakeMember::plain()
        .start(|_| Answer::StallBeforeHeaders)
        .await;
    let mut stream = TcpStream::connect(member.address()).await.expect("listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: m\r\n\r\n")
        .await
        .expect("sent");
    member.wait_received(1).await;
    member.cut_connections();
    assert_eq!(rest(stream).await, b"");

    let mut again = TcpStream::connect(member.address()).await.expect("listens");
    again
        .write_all(b"GET / HTTP/1.1\r\nHost: m\r\n\r\n")
        .await
        .expect("sent");
    member.wait_received(2).await;
}

#[tokio::test]
async fn a_stream_comes_as_the_test_sends_it() {
    let (answer, chunks) = Answer::stream();
    let answer = parking_lot::Mutex::new(Some(answer));
    let script = move |_: &super::Received| answer.lock().take().expect("one request");
    let member = FakeMember::plain().start(script).await;
    let request = "GET / HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n";
    assert!(chunks.send("one"));
    let (stream, head) = exchange(&member, request).await;
    assert!(
        head.starts_with(&format!("HTTP/1.1 {}", StatusCode::OK)),
        "{head}"
    );
    assert!(chunks.send("two"));
    drop(chunks);
    assert_eq!(rest(stream).await, b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}
