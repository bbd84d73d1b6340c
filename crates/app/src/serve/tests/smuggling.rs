//! Requests made to be read in two ways: each is refused, or reaches the member in one way only.

use http::{HeaderName, HeaderValue, Method, Request};

use super::support::{Http2, PROXY, Recording, World};

/// What a member may see of a request.
enum Want {
    /// One request with this body.
    Once(&'static str),
    /// One request with this body, and then the one that was sent behind it.
    AndNext(&'static str),
    /// Nothing.
    Refused,
}
use Want::{AndNext, Once, Refused};

/// What is sent behind each case on the same connection. A member that sees it twice, or sees the
/// smuggled path, was made to see more than was authorized.
const NEXT: &str = "/next";
const SMUGGLED: &str = "/smuggled";

/// Sends `fields` and `body`, and a second request on the same connection.
#[track_caller]
fn h1(fields: &str, body: &str) -> Vec<u8> {
    let fields = fields.replace('\n', "\r\n");
    format!(
        "POST {PROXY}/first HTTP/1.1\r\nHost: server\r\n{fields}\r\n\r\n{body}\
         GET {PROXY}{NEXT} HTTP/1.1\r\nHost: server\r\n\r\n"
    )
    .into_bytes()
}

async fn check_h1(name: &str, bytes: &[u8], want: Want) {
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http1().await;
    caller.write(bytes).await;
    let mut codes = Vec::new();
    while codes.len() < 2
        && let Some(answer) = caller.answer().await
    {
        if answer.code >= 400 {
            assert_eq!(answer.code, 400, "{name}: {}", answer.text());
            answer.status();
        }
        codes.push(answer.code);
    }
    let seen = member.requests();
    let paths: Vec<_> = seen
        .iter()
        .map(|r| r.head.split(' ').nth(1).unwrap_or(""))
        .collect();
    let first = seen
        .first()
        .map(|r| String::from_utf8_lossy(&r.body).into_owned());
    assert!(!paths.contains(&SMUGGLED), "{name}: {seen:?}");
    match want {
        Refused => {
            assert!(!paths.contains(&"/first"), "{name}: {seen:?}");
            assert!(codes.is_empty() || codes[0] == 400, "{name}: {codes:?}");
        }
        Once(body) => {
            assert_eq!(
                (paths, first.as_deref()),
                (vec!["/first"], Some(body)),
                "{name}"
            );
        }
        AndNext(body) => {
            assert_eq!(
                (paths, first.as_deref()),
                (vec!["/first", NEXT], Some(body)),
                "{name}"
            );
            assert_eq!(codes, [200, 200], "{name}");
        }
    }
    for request in seen {
        assert_eq!(request.values("host").len(), 1, "{name}: {}", request.head);
    }
}

/// What hides behind the end that one of two readers sees.
fn hidden() -> String {
    format!("GET {PROXY}{SMUGGLED} HTTP/1.1\r\nHost: server\r\n\r\n")
}

#[tokio::test]
async fn lengths_that_do_not_agree_are_refused() {
    let hidden = hidden();
    for (fields, want) in [
        ("Content-Length: 5", AndNext("12345")),
        ("Content-Length: 5\nContent-Length: 5", AndNext("12345")),
        ("Content-Length: 5\nContent-Length: 6", Refused),
        ("Content-Length: 5, 5", Refused),
        ("Content-Length: 5, 6", Refused),
        ("Content-Length: +5", Refused),
        ("Content-Length: -5", Refused),
        ("Content-Length: 0x5", Refused),
        ("Content-Length: 5 5", Refused),
        ("Content-Length:", Refused),
        ("Content-Length: 99999999999999999999", Refused),
        ("Content-Length : 5", Refused),
        ("Content-Length\t: 5", Refused),
        (" Content-Length: 5", Refused),
        ("X: 1\n Content-Length: 5", Refused),
        ("Content-Length: 5\nX\0: 1", Refused),
    ] {
        let body = match want {
            Refused => hidden.as_str(),
            Once(_) | AndNext(_) => "12345",
        };
        check_h1(fields, &h1(fields, body), want).await;
    }
}

#[tokio::test]
async fn codings_that_do_not_agree_are_refused_or_lose_to_chunked() {
    let hidden = hidden();
    let chunked = format!("5\r\n12345\r\n0\r\n\r\n{hidden}");
    let whole = "5\r\n12345\r\n0\r\n\r\n";
    let both = "Content-Length: 5\nTransfer-Encoding: chunked";
    // Behind a request with both, the connection is closed: what follows is read by nobody.
    check_h1(both, &h1(both, &chunked), Once("12345")).await;
    let turned = "Transfer-Encoding: chunked\nContent-Length: 5";
    check_h1(turned, &h1(turned, &chunked), Once("12345")).await;
    check_h1(
        "chunked",
        &h1("Transfer-Encoding: chunked", whole),
        AndNext("12345"),
    )
    .await;
    check_h1(
        "Chunked",
        &h1("transfer-encoding: Chunked", whole),
        AndNext("12345"),
    )
    .await;
    for fields in [
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\n : chunked",
        "Transfer-Encoding: identity\nTransfer-Encoding: chunked",
        "Content-Length: 5\nTransfer-Encoding: xchunked",
        "Content-Length: 5\nTransfer-Encoding:",
    ] {
        check_h1(fields, &h1(fields, &chunked), Refused).await;
    }
    let old = format!(
        "POST {PROXY}/first HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunked}"
    );
    check_h1("HTTP/1.0 has no chunks", old.as_bytes(), Refused).await;
}

#[tokio::test]
async fn chunks_that_cannot_be_measured_end_the_request() {
    for body in ["5;x=\r\n12345\r\n0\r\n\r\n", "05\r\n12345\r\n0\r\n\r\n"] {
        check_h1(
            body,
            &h1("Transfer-Encoding: chunked", body),
            AndNext("12345"),
        )
        .await;
    }
    let hidden = hidden();
    for size in [
        "0x5",
        "-5",
        "+5",
        "5 5",
        "",
        "g",
        "fffffffffffffffff",
        "5\n",
    ] {
        // The head has passed by then; the body never comes to its end.
        let body = format!("{size}\r\n12345\r\n0\r\n\r\n{hidden}");
        let member = Recording::start().await;
        let world = World::start(&member.url()).await;
        let mut caller = world.http1().await;
        caller.write(&h1("Transfer-Encoding: chunked", &body)).await;
        if let Some(answer) = caller.answer().await {
            assert!(answer.code >= 400, "{size}: {}", answer.code);
        }
        assert!(caller.is_closed().await, "{size}");
        assert_eq!(member.requests(), [], "{size}");
    }
}

#[tokio::test]
async fn hosts_and_lines_are_read_in_one_way() {
    let raw = |line: &str, fields: &str| format!("{line}\r\n{fields}\r\n\r\n").into_bytes();
    let get = format!("GET {PROXY}/first HTTP/1.1");
    for (line, fields, want) in [
        (get.as_str(), "X: 1", Refused),
        (&get, "Host: u@server", Refused),
        (&get, "Host: server/x", Refused),
        (&get, "Host:", Once("")),
        (&get.replace("GET /", "GET http://evil/"), "X: 1", Refused),
        (&get.replace("HTTP/1.1", "HTTP/1.0"), "X: 1", Once("")),
        (&get, "Host: server\r\nHost: server", Refused),
        (&get, "Host: server\r\nHost: evil", Refused),
        (&get, "Host: server\r\n Host: evil", Refused),
        (&get, "Host: evil", Once("")),
        (&get, "Host: server\r\nX: a\rb", Refused),
        (&get, "Host: server\r\nX: a\0b", Refused),
        (&get, "Host: server\r\nX: a\nX-Forwarded-For: b", Once("")),
        (&get.replace("GET", "GET "), "Host: server", Refused),
        (
            &get.replace("HTTP/1.1", "HTTP/1.1 x"),
            "Host: server",
            Refused,
        ),
        (
            &get.replace("/first", "/first\u{a0}x y"),
            "Host: server",
            Refused,
        ),
        (
            &get.replace("GET /", "GET http://evil/"),
            "Host: server",
            Once(""),
        ),
        (
            &get.replace("HTTP/1.1", "HTTP/3.0"),
            "Host: server",
            Refused,
        ),
    ] {
        let name = format!("{line:?} {fields:?}");
        check_h1(
            &name,
            &raw(line, &format!("{fields}\r\nConnection: close")),
            want,
        )
        .await;
    }
}

#[tokio::test]
async fn what_http2_carries_cannot_become_more_than_one_request() {
    let hidden = "GET /smuggled HTTP/1.1\r\n\r\n";
    let cases: &[(&'static str, &'static str, Option<&str>)] = &[
        ("content-length", "5", Some("12345")),
        ("content-length", "4", None),
        ("content-length", "6", None),
        ("content-length", "+5", None),
        ("content-length", "5, 5", None),
        ("transfer-encoding", "chunked", None),
        ("connection", "close", None),
        ("upgrade", "websocket", None),
        ("te", "chunked", None),
        ("te", "trailers", Some("12345")),
        ("expect", "100-continue", Some("12345")),
        ("host", "evil", Some("12345")),
    ];
    for (name, value, want) in cases {
        let member = Recording::start().await;
        let world = World::start(&member.url()).await;
        let mut caller = world.http2().await;
        let request = Http2::request("/first").method(Method::POST);
        let request = request.header(*name, *value).body(()).expect("a request");
        let answer = caller.exchange(request, b"12345").await;
        let seen: Vec<_> = member.requests();
        let bodies: Vec<_> = seen
            .iter()
            .map(|r| String::from_utf8_lossy(&r.body).into_owned())
            .collect();
        match want {
            Some(body) => assert_eq!(bodies, [*body], "{name}: {value}"),
            None => {
                assert_eq!(bodies, [""; 0], "{name}: {value}");
                assert!(answer.is_none_or(|a| a.code == 400), "{name}: {value}");
            }
        }
        assert!(seen.iter().all(|r| !r.head.contains(hidden)));
    }
}

#[tokio::test]
async fn a_length_that_http2_repeats_is_refused() {
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let mut caller = world.http2().await;
    let mut request = Request::post(format!("https://server{PROXY}/first"))
        .body(())
        .expect("fits");
    let length = HeaderName::from_static("content-length");
    for _ in 0..2 {
        request
            .headers_mut()
            .append(&length, HeaderValue::from_static("5"));
    }
    let answer = caller.exchange(request, b"12345").await.expect("an answer");
    assert_eq!(answer.code, 400);
    assert!(
        answer.text().contains("more than one Content-Length"),
        "{}",
        answer.text()
    );
    assert_eq!(member.requests(), []);
}

#[tokio::test]
async fn bytes_that_http1_would_read_as_its_own_do_not_pass_http2() {
    // As frames, since no client library sends them: :path and a value with line ends.
    for (path, value) in [
        (
            format!("{PROXY}/first HTTP/1.1\r\nHost: evil\r\n\r\nGET /smuggled"),
            "1",
        ),
        (format!("{PROXY}/first"), "1\r\nX-Evil: 2"),
        (format!("{PROXY}/first"), "1\n"),
        (format!("{PROXY}/first"), "1\0"),
        (format!("{PROXY}/fi rst"), "1"),
    ] {
        let member = Recording::start().await;
        let world = World::start(&member.url()).await;
        let mut stream = super::support::RawHttp2::start(&world).await;
        stream.get(&path, &[("x-field", value)]).await;
        assert!(stream.is_refused().await, "{path:?} {value:?}");
        assert_eq!(member.requests(), [], "{path:?} {value:?}");
    }
    // The same way lets a clean request pass.
    let member = Recording::start().await;
    let world = World::start(&member.url()).await;
    let mut stream = super::support::RawHttp2::start(&world).await;
    stream
        .get(&format!("{PROXY}/first"), &[("x-field", "1")])
        .await;
    assert!(!stream.is_refused().await);
    assert_eq!(member.wait(1).await[0].values("x-field"), ["1"]);
}
