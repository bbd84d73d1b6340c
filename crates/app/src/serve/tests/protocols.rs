//! What travels is not ours to read: bodies, codings, queries and streams pass untouched.

use bytes::Bytes;
use fleetgate_testkit::{Answer, FakeMember, RawServer, Received};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use tokio::time::timeout;

use super::support::{End, Http2, PATIENCE, PROXY, Recording, World, member_leaf};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];
/// No text, no JSON, no whole gzip: whoever looks into it breaks it.
const BYTES: &[u8] = b"k8s\x00\n\x0f\x1f\x8b\x08\x00\xd9\xd9\xf7\xff\xfe\r\n0\r\n\r\n";

/// Each body is of a kind and a coding that somebody on the way could want to change.
const KINDS: [(&str, &str); 5] = [
    ("application/vnd.kubernetes.protobuf", ""),
    ("application/cbor", ""),
    ("application/json", "gzip"),
    ("application/apply-patch+yaml", ""),
    ("application/json;stream=watch", "zstd"),
];

async fn both_members(script: fn(&Received) -> Answer) -> [FakeMember; 2] {
    let leaf = member_leaf();
    [
        FakeMember::tls(&leaf).start(script).await,
        FakeMember::plain().start(script).await,
    ]
}

#[tokio::test]
async fn bodies_pass_untouched_both_ways() {
    let script = |received: &Received| {
        let copy = |name: &'static str| {
            let value = received.headers.get(name).cloned();
            value.map(|value| (HeaderName::from_static(name), value))
        };
        let headers = [copy("content-type"), copy("content-encoding")];
        Answer::Full {
            status: StatusCode::OK,
            headers: headers.into_iter().flatten().collect(),
            body: Bytes::from_static(BYTES),
        }
    };
    for member in both_members(script).await {
        let world = World::start(&member.url()).await;
        for version in VERSIONS {
            for (kind, coding) in KINDS {
                let before = member.received().len();
                let (seen_kind, seen_coding, body) = exchange(&world, version, kind, coding).await;
                assert_eq!((seen_kind.as_str(), seen_coding.as_str()), (kind, coding));
                assert_eq!(body, BYTES);
                let received = &member.wait_received(before + 1).await[before];
                assert_eq!(received.header("content-type"), kind);
                assert_eq!(received.header("content-encoding"), coding);
                assert_eq!(received.header("accept-encoding"), "gzip, br");
                assert_eq!(received.body(), BYTES);
            }
        }
    }
}

async fn exchange(
    world: &World,
    version: Version,
    kind: &str,
    coding: &str,
) -> (String, String, Vec<u8>) {
    let fields = match coding {
        "" => vec![("content-type", kind)],
        coding => vec![("content-type", kind), ("content-encoding", coding)],
    };
    let seen = if version == Version::HTTP_2 {
        let mut request = Http2::request("/x")
            .method("POST")
            .header("accept-encoding", "gzip, br");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request");
        world.http2().await.exchange(request, BYTES).await
    } else {
        let fields: String = fields
            .iter()
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        let mut caller = world.http1().await;
        let head = format!(
            "POST {PROXY}/x HTTP/1.1\r\nHost: server\r\n{fields}Accept-Encoding: gzip, br\r\n\
             Content-Length: {}\r\n\r\n",
            BYTES.len()
        );
        caller.write(&[head.as_bytes(), BYTES].concat()).await;
        caller.answer().await
    };
    let seen = seen.expect("an answer");
    assert_eq!((seen.code, seen.end), (200, End::Whole));
    let header = |name| seen.header(name).to_owned();
    (
        header("content-type"),
        header("content-encoding"),
        seen.body.clone(),
    )
}

#[tokio::test]
async fn a_query_belongs_to_the_member_byte_by_byte() {
    let queries = [
        "?timeout=1s&timeoutSeconds=5",
        "?dryRun=All&fieldManager=a%20b&fieldValidation=Strict&force",
        "?x=%2F&x=%2f&&=&x=1;y=2",
        "?labelSelector=a%3Db%2Cc+in+(d)&limit=500&continue=eyJ2IjoibWV0YS",
        "?",
    ];
    for member in both_members(|_| Answer::Echo).await {
        let world = World::start(&member.url()).await;
        for version in VERSIONS {
            for query in queries {
                let rest = format!("/api/v1//pods/a%2Fb/{query}");
                let seen = world.get(version, &rest).await.expect("an answer");
                assert_eq!(seen.code, 200, "{}", seen.text());
                let received = member.received();
                assert_eq!(received.last().expect("a request").path, rest);
            }
        }
    }
}

#[tokio::test]
async fn trailers_and_chunks_of_a_request_arrive() {
    for member in both_members(|_| Answer::Echo).await {
        let world = World::start(&member.url()).await;
        let mut caller = world.http1().await;
        let head = format!(
            "POST {PROXY}/x HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\
             Trailer: x-sum\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 42\r\n\r\n"
        );
        caller.write(head.as_bytes()).await;
        assert_eq!(caller.answer().await.expect("an answer").code, 200);
        let received = &member.received()[0];
        assert_eq!(received.body(), "onetwo");
        assert_eq!(received.trailers().expect("trailers")["x-sum"], "42");
    }
}

#[tokio::test]
async fn no_trailer_names_an_identity_to_the_member() {
    let names = [
        "impersonate-user",
        "impersonate-group",
        "impersonate-extra-scopes",
        "x-remote-user",
        "x-remote-extra-scopes",
        "authorization",
        "proxy-authorization",
        "host",
        "x-forwarded-for",
    ];
    for member in both_members(|_| Answer::Echo).await {
        let world = World::start(&member.url()).await;
        for others in [&[][..], &["x-sum"]] {
            let all = || names.iter().chain(others);
            // To a member of HTTP/1.1 a field is sent on only where it is announced.
            let lines: String = all().map(|name| format!("{name}: 42\r\n")).collect();
            let announced = all().copied().collect::<Vec<_>>().join(", ");
            let head = format!(
                "POST {PROXY}/x HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\
                 Trailer: {announced}\r\n\r\n3\r\none\r\n0\r\n{lines}\r\n"
            );
            let mut caller = world.http1().await;
            caller.write(head.as_bytes()).await;
            assert_eq!(caller.answer().await.expect("an answer").code, 200);
            let mut trailers = HeaderMap::new();
            for name in all() {
                trailers.insert(*name, HeaderValue::from_static("42"));
            }
            world.http2().await.post_with(trailers).await;
            let received = member.received();
            for received in &received[received.len() - 2..] {
                assert_eq!(received.body(), "one");
                let trailers = received.trailers().unwrap_or_default();
                let found: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
                assert_eq!(found, others);
            }
        }
    }
}

#[tokio::test]
async fn cookies_of_http2_are_one_field_of_http1() {
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let mut request = Http2::request("/x");
    for cookie in ["a=1", "b=2; c=3", "d=4"] {
        request = request.header("cookie", cookie);
    }
    let request = request.body(()).expect("a request");
    let seen = world.http2().await.exchange(request, b"").await;
    assert_eq!(seen.expect("an answer").code, 200);
    let cookies = "a=1; b=2; c=3; d=4";
    assert_eq!(member.requests()[0].values("cookie"), [cookies]);
}

#[tokio::test]
async fn trailers_of_an_answer_arrive() {
    let leaf = member_leaf();
    let member = RawServer::tls(&leaf, &["http/1.1"], |_, mut stream| async move {
        use tokio::io::AsyncWriteExt;
        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                      2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n";
        while !super::support::read_request(&mut stream).await.is_empty() {
            stream
                .write_all(answer.as_bytes())
                .await
                .unwrap_or_default();
            stream.flush().await.unwrap_or_default();
        }
    });
    let member = member.await;
    let world = World::start(&member.https()).await;
    let mut caller = world.http1().await;
    let head = format!("GET {PROXY}/x HTTP/1.1\r\nHost: server\r\nTE: gzip, trailers\r\n\r\n");
    caller.write(head.as_bytes()).await;
    let http1 = caller.answer().await;
    let http2 = world.get(Version::HTTP_2, "/x").await;
    for seen in [http1, http2] {
        let seen = seen.expect("an answer");
        assert_eq!((seen.text(), seen.end), ("ok", End::Whole));
        assert_eq!(seen.header("trailer"), "x-sum");
        assert_eq!(seen.trailers["x-sum"], "42");
    }
    // To who does not say that it takes them, none are sent, nor announced.
    let seen = world.get(Version::HTTP_11, "/x").await.expect("an answer");
    assert_eq!((seen.text(), seen.end), ("ok", End::Whole));
    assert!(!seen.headers.contains_key("trailer"));
    assert!(seen.trailers.is_empty());
}

/// A member that speaks HTTP/2 alone and sends back each piece as it comes, and `x-sum` at the end.
async fn streaming_member() -> RawServer {
    let serve = |_, stream| async move {
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let streams = tokio_util::task::TaskTracker::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert_eq!(request.headers()["te"], "trailers");
            streams.spawn(async move {
                let answer = Response::builder().header("content-type", "application/grpc");
                let answer = answer.body(()).expect("an answer");
                let mut send = respond.send_response(answer, false).expect("sent");
                let mut body = request.into_body();
                while let Some(Ok(piece)) = body.data().await {
                    let count = piece.len();
                    body.flow_control()
                        .release_capacity(count)
                        .expect("was read");
                    send.send_data(piece, false).expect("sent");
                }
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                send.send_trailers(trailers).expect("sent");
            });
        }
    };
    RawServer::tls(&member_leaf(), &["h2"], serve).await
}

#[tokio::test]
async fn both_directions_of_a_stream_flow_at_once() {
    for kind in ["application/grpc+proto", "application/connect+proto"] {
        both_directions_of(kind).await;
    }
}

async fn both_directions_of(kind: &str) {
    let member = streaming_member().await;
    let world = World::start(&member.https()).await;
    let mut caller = world.http2().await;
    let request = Request::post(format!("https://server{PROXY}/grpc.Service/Method"))
        .header("content-type", kind)
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let (answer, mut send) = caller.sender.send_request(request, false).expect("sent");
    let answer = timeout(PATIENCE, answer)
        .await
        .expect("in time")
        .expect("an answer");
    let mut body = answer.into_body();
    for piece in ["one", "two", "three"] {
        send.send_data(Bytes::from_static(piece.as_bytes()), false)
            .expect("sent");
        let echo = timeout(PATIENCE, body.data()).await.expect("in time");
        let echo = echo.expect("a piece").expect("bytes");
        assert_eq!(echo, piece);
        body.flow_control()
            .release_capacity(echo.len())
            .expect("was read");
    }
    send.send_data(Bytes::new(), true).expect("sent");
    let end = timeout(PATIENCE, body.data()).await.expect("in time");
    assert!(end.is_none());
    let trailers = body.trailers().await.expect("trailers").expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(member.accepted(), 1, "no other protocol was tried");
}
