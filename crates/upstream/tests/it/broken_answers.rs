//! Answers that break: lengths that lie, and TLS that fails behind its handshake. None is taken for
//! a whole one.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use fleetgate_model::{Class, Hop};
use fleetgate_stack::Body;
use http::{HeaderMap, Method, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};

use crate::support::{
    Accepted, PATIENCE, Pki, RawServer, Setup, assert_failed, chain, chunk, request,
};

/// How the alert is called in the log.
const ALERT: &str = "received fatal alert: BadRecordMac";
/// Answers of which half is there.
const LONGER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
const UNTIL_THE_END: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf";
/// ":status: 200" from the static table with END_HEADERS, and DATA.
const STREAM: &[u8] = b"\0\0\x01\x01\x04\0\0\0\x01\x88\0\0\x04\0\0\0\0\0\x01half";

/// An answer over HTTP/2.
#[derive(Clone, Copy, Debug)]
struct Sent {
    status: StatusCode,
    /// Its `Content-Length`.
    announced: &'static str,
    pieces: &'static [&'static str],
    /// What its last frame is.
    end: End,
}

/// The frame that ends an answer.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The last of those that it has anyway.
    Last,
    /// An empty one of DATA.
    Empty,
    /// Trailers.
    Trailers,
}

/// A member that answers so over HTTP/2, to each request.
async fn answers(pki: &Pki, sent: Sent) -> RawServer {
    let server = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| async move {
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        // Requests that have not ended are not reset.
        let mut requests = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            requests.push(request);
            let is_head_alone = sent.pieces.is_empty() && matches!(sent.end, End::Last);
            let mut head = Response::new(());
            *head.status_mut() = sent.status;
            let announced = sent.announced.parse().expect("a value");
            head.headers_mut().insert(CONTENT_LENGTH, announced);
            let mut body = respond.send_response(head, is_head_alone).expect("sent");
            for (number, piece) in sent.pieces.iter().enumerate() {
                let is_last = number + 1 == sent.pieces.len() && matches!(sent.end, End::Last);
                body.send_data(Bytes::from_static(piece.as_bytes()), is_last)
                    .expect("sent");
            }
            match sent.end {
                End::Last => {}
                End::Empty => body.send_data(Bytes::new(), true).expect("sent"),
                End::Trailers => body.send_trailers(HeaderMap::new()).expect("sent"),
            }
        }
    });
    server.await
}

/// What came of the body of the answer to `method`, which is or is not at its end by then.
async fn body_of(setup: &Setup, method: Method, is_whole: bool) -> Result<Bytes, String> {
    let (sender, frames) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    let body = match is_whole {
        true => Body::empty(),
        false => Body::new(StreamBody::new(frames)),
    };
    let answer = setup.send(request(method, "/", body), Class::LongRunning);
    let answer = answer.await.expect("a head");
    let collected = timeout(PATIENCE, answer.into_body().collect()).await;
    drop(sender);
    let collected = collected.expect("in time");
    collected
        .map(|body| body.to_bytes())
        .map_err(|error| chain(&*error))
}

#[tokio::test]
async fn an_answer_over_http2_of_another_length_than_announced_is_an_error() {
    let pki = Pki::new();
    for (announced, pieces, end) in [
        ("15", &["sevenly"][..], End::Last),
        ("15", &["sevenly"], End::Empty),
        ("15", &["sevenly"], End::Trailers),
        ("15", &[], End::Empty),
        ("3", &["sevenly"], End::Last),
        ("0", &["sevenly"], End::Last),
        ("7", &["sevenly", "x"], End::Last),
    ] {
        let sent = Sent {
            status: StatusCode::OK,
            announced,
            pieces,
            end,
        };
        let member = answers(&pki, sent).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        for (method, is_whole) in [(Method::GET, true), (Method::POST, false)] {
            let body = body_of(&setup, method, is_whole).await;
            let error = body.expect_err("an error");
            assert!(error.contains("protocol error"), "{sent:?}: {error}");
        }
        assert_eq!(member.accepted(), 1, "the connection is kept");
    }
}

#[tokio::test]
async fn an_answer_over_http2_of_the_length_announced_is_whole() {
    let pki = Pki::new();
    let ok = StatusCode::OK;
    for (method, status, announced, pieces, end) in [
        (Method::GET, ok, "7", &["seven", "ly"][..], End::Last),
        (Method::GET, ok, "7", &["sevenly"], End::Empty),
        (Method::GET, ok, "7", &["sevenly"], End::Trailers),
        (Method::GET, ok, "0", &[], End::Last),
        // What there would be, were it asked for.
        (Method::HEAD, ok, "15", &[], End::Last),
        (Method::GET, StatusCode::NOT_MODIFIED, "15", &[], End::Last),
    ] {
        let sent = Sent {
            status,
            announced,
            pieces,
            end,
        };
        let member = answers(&pki, sent).await;
        let setup = Setup::to(&member.https(), Some(&pki.ca)).build();
        let body = body_of(&setup, method, true).await;
        assert_eq!(body.expect("a whole body"), pieces.concat(), "{sent:?}");
    }
}

/// Sends a fatal alert, as one does who finds a record broken (RFC 8446, section 6.2), and the end.
async fn alert(mut stream: Accepted) {
    let (tcp, tls) = stream.get_mut();
    let broken = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    tls.read_tls(&mut &broken[..]).expect("a record");
    tls.process_new_packets().expect_err("a broken record");
    let mut alert = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut alert).expect("an alert");
    }
    tcp.write_all(&alert).await.expect("sent");
    tcp.shutdown().await.expect("closed");
    while tcp.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
}

/// A member that alerts each caller that has sent a request, which it counts.
struct Alerting {
    server: RawServer,
    requests: Arc<AtomicUsize>,
    /// What it said before that was read.
    begun_read: Arc<Notify>,
}

impl Alerting {
    /// A member that speaks `protocol` and says `begun` before, if that is anything.
    async fn start(pki: &Pki, protocol: &'static str, begun: &'static [u8]) -> Self {
        let (requests, begun_read) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let (count, is_read) = (Arc::clone(&requests), Arc::clone(&begun_read));
        let protocols = [protocol];
        let server = RawServer::tls(&pki.leaf, &protocols, move |_, mut stream| {
            let (count, is_read) = (Arc::clone(&count), Arc::clone(&is_read));
            async move {
                if !has_read_request(&mut stream, protocol).await {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                if !begun.is_empty() {
                    stream.write_all(begun).await.expect("sent");
                    stream.flush().await.expect("sent");
                    is_read.notified().await;
                }
                alert(stream).await;
            }
        });
        Self {
            server: server.await,
            requests,
            begun_read,
        }
    }
}

/// Reads the head of a request. Whether there was one.
async fn has_read_request(stream: &mut Accepted, protocol: &str) -> bool {
    if protocol == "h2" {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(&settings).await.expect("sent");
    }
    let mut request = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        request.push(byte);
        let is_whole = match protocol {
            "h2" => has_headers(&request),
            _ => request.ends_with(b"\r\n\r\n"),
        };
        if is_whole {
            return true;
        }
    }
    false
}

/// Whether a whole frame of HEADERS is in what a client of HTTP/2 sent.
fn has_headers(sent: &[u8]) -> bool {
    let mut rest = sent.get(24..).unwrap_or_default();
    while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(behind) = payload.get(length..) else {
            return false;
        };
        if *kind == 1 {
            return true;
        }
        rest = behind;
    }
    false
}

#[tokio::test]
async fn a_fatal_alert_before_an_answer_is_told_and_repeats_no_change() {
    let pki = Pki::new();
    let told = "TLS was ended with an alert";
    for (protocol, class, told) in [
        ("http/1.1", Class::Short, told),
        ("http/1.1", Class::LongRunning, told),
        ("http/1.1", Class::Upgrade, told),
        ("h2", Class::Short, "TLS failed"),
        ("h2", Class::LongRunning, "TLS failed"),
    ] {
        let member = Alerting::start(&pki, protocol, b"").await;
        let setup = Setup::to(&member.server.https(), Some(&pki.ca)).build();
        let post = request(Method::POST, "/", Body::empty());
        let answer = setup.send(post, class).await;
        let logged = assert_failed(answer, (Hop::Request, Some(told)));
        assert!(logged.contains(ALERT), "{logged}");
        let sent = member.requests.load(Ordering::SeqCst);
        assert_eq!(sent, 1, "{protocol} {class:?}");
    }
}

#[tokio::test]
async fn a_fatal_alert_in_an_answer_is_no_end() {
    let pki = Pki::new();
    for (protocol, begun) in [
        ("http/1.1", LONGER),
        ("http/1.1", CHUNKED),
        ("http/1.1", UNTIL_THE_END),
        ("h2", STREAM),
    ] {
        let member = Alerting::start(&pki, protocol, begun).await;
        for class in [Class::Short, Class::LongRunning] {
            let setup = Setup::to(&member.server.https(), Some(&pki.ca)).build();
            let answer = setup.get("/", class).await;
            let mut body = answer.expect("a head").into_body();
            assert_eq!(chunk(&mut body).await.as_deref(), Some(&b"half"[..]));
            member.begun_read.notify_one();
            let end = timeout(PATIENCE, body.frame()).await.expect("in time");
            let error = end.expect("no end").expect_err("an error");
            let named = chain(&*error);
            assert!(named.contains(ALERT), "{protocol} {class:?}: {named}");
        }
    }
}
