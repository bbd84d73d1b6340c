//! Heads of requests and answers: their limits, and what of them passes.

use fleetgate_testkit::{Answer, FakeMember, RawServer, Received};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use tokio::io::AsyncWriteExt;

use super::support::{End, Http2, PROXY, Recording, Seen, World, answering, frame, member_leaf};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

#[track_caller]
fn is_refusal(seen: &Seen, code: u16) {
    assert_eq!(seen.code, code, "{}", seen.text());
    assert_eq!(seen.header("content-type"), "application/json");
    seen.status();
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_a_status() {
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(2 << 20));
    let many: String = (0..1100).map(|n| format!("X-{n}: 1\r\n")).collect();
    // As the first request of a connection, and as a later one.
    for (fields, earlier) in [(&long, 0), (&many, 0), (&long, 1), (&many, 2)] {
        let mut caller = world.http1().await;
        for _ in 0..earlier {
            let head = format!("GET {PROXY}/version HTTP/1.1\r\nHost: server\r\n\r\n");
            caller.write(head.as_bytes()).await;
            assert_eq!(caller.answer().await.expect("an answer").text(), "ok");
        }
        let head = format!("GET {PROXY}/version HTTP/1.1\r\nHost: server\r\n{fields}\r\n");
        // The server may stop to listen before all was said.
        caller
            .stream
            .write_all(head.as_bytes())
            .await
            .unwrap_or_default();
        let seen = caller.answer().await.expect("an answer");
        is_refusal(&seen, 431);
        assert_eq!(seen.header("connection"), "close");
        assert!(caller.is_closed().await);
    }
    let mut caller = world.http1().await;
    let path = "x".repeat(70_000);
    let head = format!("GET {PROXY}/{path} HTTP/1.1\r\nHost: server\r\n\r\n");
    caller.write(head.as_bytes()).await;
    is_refusal(&caller.answer().await.expect("an answer"), 414);

    let mut caller = world.http2().await;
    let long = Http2::request("/version").header("x-long", "x".repeat(1_200_000));
    let mut many = Http2::request("/version");
    for n in 0..1100 {
        many = many.header(format!("x-{n}"), "1");
    }
    let (long, many) = [long, many]
        .map(|request| request.body(()).expect("a request"))
        .into();
    // No name more can be added to these.
    let mut full = Http2::request("/version").body(()).expect("a request");
    for n in 0.. {
        let name = HeaderName::try_from(format!("x{n:x}")).expect("a name");
        let headers = full.headers_mut();
        if headers
            .try_insert(name, HeaderValue::from_static(""))
            .is_err()
        {
            break;
        }
    }
    for request in [long, many, full] {
        let seen = caller.exchange(request, b"").await.expect("an answer");
        is_refusal(&seen, 431);
    }
    assert_eq!(member.requests().len(), 3);
    // Other streams of the connection go on.
    assert_eq!(
        caller.get("/version").await.expect("an answer").text(),
        "ok"
    );
}

#[tokio::test]
async fn a_member_whose_head_is_too_large_is_a_bad_gateway() {
    let long = || format!("x-long: {}\r\n", "x".repeat(2 << 20));
    let http1 = RawServer::tcp(move |_, mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok", long());
        stream.write_all(head.as_bytes()).await.unwrap_or_default();
        std::future::pending().await
    });
    let http1 = http1.await;
    // A HEADERS frame and its CONTINUATIONs, which never end.
    let leaf = member_leaf();
    let http2 = RawServer::tls(&leaf, &["h2"], |_, mut stream| async move {
        let settings = [frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat();
        stream.write_all(&settings).await.unwrap_or_default();
        super::support::read_request(&mut stream).await;
        // `:status 200`, and a field of 16,000 bytes that is not remembered, again and again.
        let field = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x7c][..], &[b'x'; 16_000]].concat();
        let mut block = vec![0x88];
        let mut sent = stream.write_all(&frame(1, 0, 1, &block)).await;
        block = field;
        while sent.is_ok() {
            sent = stream.write_all(&frame(9, 0, 1, &block)).await;
        }
    });
    let http2 = http2.await;
    for (url, rest) in [
        (format!("http://{}", http1.address), "/version"),
        (http2.https(), "/api/v1/namespaces/n/pods/p/log"),
    ] {
        let world = World::start(&url).await;
        for version in VERSIONS {
            let seen = world.get(version, rest).await.expect("an answer");
            is_refusal(&seen, 502);
            assert_eq!(seen.header("x-fleetgate-error"), "member");
        }
    }
}

#[tokio::test]
async fn as_many_warnings_as_a_member_sends_arrive() {
    const WARNINGS: usize = 400;
    let warnings = "Warning: 299 - \"unknown field\"\r\n".repeat(WARNINGS);
    let answer = format!("HTTP/1.1 201 Created\r\n{warnings}Content-Length: 0\r\n\r\n");
    let member = answering(answer).await;
    for version in VERSIONS {
        // A connection of its own.
        let world = World::start(&format!("http://{}", member.address)).await;
        let seen = world.get(version, "/x").await.expect("an answer");
        let warnings = seen.headers.get_all("warning").iter().count();
        assert_eq!((seen.code, warnings), (201, WARNINGS), "{version:?}");
    }
}

/// What becomes of an answer of the member.
async fn answered(head: &'static str, method: &str, version: Version) -> Seen {
    let member = answering(head).await;
    let world = World::start(&format!("http://{}/base", member.address)).await;
    if version == Version::HTTP_2 {
        let request = Http2::request("/x")
            .method(method)
            .body(())
            .expect("a request");
        let mut caller = world.http2().await;
        return caller.exchange(request, b"").await.expect("an answer");
    }
    let mut caller = world.http1().await;
    let head = format!("{method} {PROXY}/x HTTP/1.1\r\nHost: server\r\n\r\n");
    caller.write(head.as_bytes()).await;
    caller.answer_to(method).await.expect("an answer")
}

#[tokio::test]
async fn what_has_no_body_has_none_here() {
    for version in VERSIONS {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\netag: \"e\"\r\n\r\n";
        let seen = answered(head, "HEAD", version).await;
        assert_eq!((seen.code, seen.header("content-length")), (200, "12"));
        assert_eq!(seen.text(), "");
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let seen = answered(head, "HEAD", version).await;
        assert_eq!((seen.code, seen.text()), (200, ""));
        for head in [
            "HTTP/1.1 204 No Content\r\netag: \"e\"\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\ncontent-length: 12\r\n\r\n",
        ] {
            let seen = answered(head, "GET", version).await;
            assert_eq!((seen.header("etag"), seen.text()), ("\"e\"", ""), "{head}");
            assert!(head.contains(&seen.code.to_string()));
        }
    }
}

/// A member of HTTP/1.1 that answers each request on one connection, as the end of its path says.
async fn bodiless() -> RawServer {
    RawServer::tcp(|_, mut stream| async move {
        loop {
            let request = super::support::read_request(&mut stream).await;
            let request = String::from_utf8_lossy(&request);
            let Some(path) = request.split(' ').nth(1) else {
                return;
            };
            let answer = match path.rsplit('/').next() {
                Some("head") => "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
                Some("chunked") => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                Some("204") => "HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n",
                Some("304") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext",
            };
            let sent = stream.write_all(answer.as_bytes()).await;
            sent.unwrap_or_default();
        }
    })
    .await
}

#[tokio::test]
async fn a_refusal_of_head_has_no_body() {
    let world = World::start("http://127.0.0.1:1").await;
    for version in VERSIONS {
        // Here, and on the way to the member.
        for (rest, code) in [("/../x", 400), ("/x", 503)] {
            let seen = match version {
                Version::HTTP_2 => {
                    let request = Http2::request(rest).method("HEAD").body(());
                    let request = request.expect("a request");
                    world.http2().await.exchange(request, b"").await
                }
                _ => {
                    let mut caller = world.http1().await;
                    let head = format!("HEAD {PROXY}{rest} HTTP/1.1\r\nHost: server\r\n\r\n");
                    caller.write(head.as_bytes()).await;
                    caller.answer_to("HEAD").await
                }
            };
            let seen = seen.expect("an answer");
            assert_eq!((seen.code, seen.end), (code, End::Whole), "{version:?}");
            assert_eq!(seen.text(), "");
            let length: usize = seen.header("content-length").parse().expect("a length");
            assert!(length > 100, "that of the Status");
        }
    }
}

#[tokio::test]
async fn what_has_no_body_takes_nothing_of_the_next_answer() {
    let cases = [
        ("HEAD", "head", 200),
        ("HEAD", "chunked", 200),
        ("HEAD", "304", 304),
        ("GET", "304", 304),
        ("GET", "204", 204),
        ("DELETE", "204", 204),
    ];
    for version in VERSIONS {
        let member = bodiless().await;
        let world = World::start(&format!("http://{}", member.address)).await;
        let (mut http1, mut http2) = (world.http1().await, world.http2().await);
        let mut ask = async |method: &str, rest: &str| {
            if version == Version::HTTP_2 {
                let request = Http2::request(rest).method(method).body(());
                let request = request.expect("a request");
                return http2.exchange(request, b"").await.expect("an answer");
            }
            let head = format!("{method} {PROXY}{rest} HTTP/1.1\r\nHost: server\r\n\r\n");
            http1.write(head.as_bytes()).await;
            http1.answer_to(method).await.expect("an answer")
        };
        for (method, what, code) in cases {
            let seen = ask(method, &format!("/{what}")).await;
            assert_eq!((seen.code, seen.text()), (code, ""), "{method} {what}");
            let next = ask("GET", "/next").await;
            assert_eq!((next.code, next.text()), (200, "next"), "{method} {what}");
        }
        assert_eq!(member.accepted(), 1, "the connection is kept");
    }
}

#[tokio::test]
async fn what_is_meant_for_the_caller_cannot_be_named_away() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncache-control: no-store\r\n\
                warning: 299 - \"one\"\r\nwarning: 299 - \"two\"\r\naudit-id: a1\r\n\
                connection: warning, audit-id, cache-control, content-length, x-mine\r\n\
                x-mine: 1\r\nproxy-authenticate: Basic\r\n\r\nok";
    for version in VERSIONS {
        let seen = answered(head, "GET", version).await;
        assert_eq!((seen.text(), seen.header("content-length")), ("ok", "2"));
        let warnings: Vec<_> = seen.headers.get_all("warning").iter().collect();
        assert_eq!(warnings, ["299 - \"one\"", "299 - \"two\""]);
        assert_eq!(seen.header("audit-id"), "a1");
        assert_eq!(seen.header("cache-control"), "no-store");
        assert_eq!(seen.header("x-mine"), "");
        assert_eq!(seen.header("proxy-authenticate"), "");
    }
}

#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let head = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for version in VERSIONS {
        let seen = answered(head, "GET", version).await;
        assert_eq!(
            (seen.code, seen.text(), seen.header("link")),
            (200, "ok", "")
        );
    }
}

#[tokio::test]
async fn a_place_on_the_member_is_told_as_one_below_the_proxy_path() {
    for version in VERSIONS {
        for (head, want) in [
            (
                "HTTP/1.1 302 Found\r\nlocation: /base/a?b\r\ncontent-length: 0\r\n\r\n",
                "/a?b",
            ),
            (
                "HTTP/1.1 201 Created\r\nlocation: /base/a\r\ncontent-length: 0\r\n\r\n",
                "/a",
            ),
            (
                "HTTP/1.1 307 Moved\r\nlocation: /a/\r\ncontent-length: 0\r\n\r\n",
                "/a/",
            ),
        ] {
            let seen = answered(head, "GET", version).await;
            assert_eq!(seen.header("location"), format!("{PROXY}{want}"), "{head}");
        }
        let head =
            "HTTP/1.1 302 Found\r\nlocation: https://login.test/a\r\ncontent-length: 0\r\n\r\n";
        let seen = answered(head, "GET", version).await;
        assert_eq!(seen.header("location"), "https://login.test/a");
    }
}

#[tokio::test]
async fn who_expects_to_be_told_to_go_on_is_told() {
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http1().await;
    let expect = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: server\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
    };
    caller.write(expect(&format!("{PROXY}/x")).as_bytes()).await;
    let seen = caller.answer().await.expect("an answer");
    assert_eq!(seen.code, 100);
    caller.write(b"12345").await;
    assert_eq!(caller.answer().await.expect("an answer").text(), "ok");
    assert_eq!(member.wait(1).await[0].body, b"12345");

    // Who is refused is not told to send a body.
    caller
        .write(expect(&format!("{PROXY}/../x")).as_bytes())
        .await;
    let seen = caller.answer().await.expect("an answer");
    is_refusal(&seen, 400);
    assert_eq!(member.requests().len(), 1);
}

#[tokio::test]
async fn a_member_that_wants_no_body_says_so_before_it_comes() {
    let member = RawServer::tcp(|_, mut stream| async move {
        super::support::read_request(&mut stream).await;
        let head = "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        stream.write_all(head.as_bytes()).await.unwrap_or_default();
    });
    let member = member.await;
    let world = World::start(&format!("http://{}", member.address)).await;
    let mut caller = world.http1().await;
    let head = format!("POST {PROXY}/x HTTP/1.1\r\nHost: server\r\nContent-Length: 5\r\n\r\n");
    caller.write(head.as_bytes()).await;
    let seen = caller.answer().await.expect("an answer");
    assert_eq!((seen.code, seen.text()), (413, "no"));
}

#[tokio::test]
async fn what_a_caller_says_of_its_way_grows_by_the_caller() {
    let member = FakeMember::tls(&member_leaf())
        .start(|_: &Received| Answer::Echo)
        .await;
    let world = World::start(&member.url()).await;
    let field = |name: &'static str, value: &'static str| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let mut request = Http2::request("/x").body(()).expect("a request");
    *request.method_mut() = Method::GET;
    request.headers_mut().extend([
        field("x-forwarded-for", "10.0.0.1"),
        field("x-forwarded-host", "front.test"),
        field("x-forwarded-proto", "https"),
        field("forwarded", "for=10.0.0.1"),
    ]);
    let mut caller = world.http2().await;
    let request: Request<()> = request;
    let seen = caller.exchange(request, b"").await.expect("an answer");
    assert_eq!(seen.code, StatusCode::OK);
    let received = &member.received()[0];
    assert_eq!(received.header("x-forwarded-for"), "10.0.0.1, 127.0.0.1");
    assert_eq!(received.header("x-forwarded-host"), "front.test");
    assert_eq!(received.header("x-forwarded-proto"), "https");
    assert_eq!(received.header("forwarded"), "for=10.0.0.1");
    assert_eq!(received.host, member.address().to_string());
}

#[tokio::test]
async fn an_answer_is_framed_anew_for_each_version() {
    let twice = "content-length: 2\r\ncontent-length: 2\r\n";
    let answers = [
        ("HTTP/1.1", twice, "2"),
        ("HTTP/1.1", "content-length: 2, 2\r\n", "2"),
        ("HTTP/1.0", "content-length: 2\r\n", "2"),
        // Its end is that of the connection, which is not that of ours.
        ("HTTP/1.0", "", ""),
    ];
    for (version, fields, length) in answers {
        let answer = format!("{version} 200 OK\r\n{fields}\r\nok");
        let member = RawServer::tcp(move |_, mut stream| {
            let answer = answer.clone();
            async move {
                super::support::read_request(&mut stream).await;
                let sent = stream.write_all(answer.as_bytes()).await;
                sent.unwrap_or_default();
            }
        });
        let member = member.await;
        let world = World::start(&format!("http://{}", member.address)).await;
        for version in VERSIONS {
            let seen = world.get(version, "/x").await.expect("an answer");
            assert_eq!((seen.version, seen.end), (version, End::Whole), "{fields}");
            assert_eq!((seen.text(), seen.header("content-length")), ("ok", length));
            let has = |name| seen.headers.get_all(name).iter().count();
            let frames = has("content-length") + has("transfer-encoding");
            assert_eq!(
                frames,
                usize::from(!length.is_empty() || version < Version::HTTP_2)
            );
        }
    }
}

#[tokio::test]
async fn a_caller_of_http10_learns_whether_its_connection_is_kept() {
    let leaf = member_leaf();
    let http2 = FakeMember::tls(&leaf).echo().await;
    let http1 = FakeMember::plain().echo().await;
    for member in [http1, http2] {
        let world = World::start(&member.url()).await;
        let mut caller = world.http1().await;
        // What lasts goes over HTTP/2 where the member speaks it.
        let head = |connection: &str| {
            format!(
                "GET {PROXY}/api/v1/pods?watch=1 HTTP/1.0\r\nHost: server\r\nConnection: {connection}\r\n\r\n"
            )
        };
        for _ in 0..2 {
            caller.write(head("keep-alive").as_bytes()).await;
            let seen = caller.answer().await.expect("an answer");
            assert_eq!((seen.version, seen.code), (Version::HTTP_10, 200));
            assert_eq!(seen.header("connection"), "keep-alive");
        }
        caller.write(head("close").as_bytes()).await;
        let seen = caller.answer().await.expect("an answer");
        assert_ne!(seen.header("connection"), "keep-alive");
        assert!(caller.is_closed().await);
    }
}
