//! Whatever a member does, its caller gets the member's bytes, a Status, or sees that the rest is
//! missing: never a part that looks whole.

use std::{sync::Arc, time::Duration};

use fleetgate_testkit::RawServer;
use http::Version;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{
    End, Ends, HEADERS, Limits, PATIENCE, RST_STREAM, Seen, World, answering, end, frame,
    member_leaf, read_request,
};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];
const BODY: &str = "{\"kind\":\"List\"}";
/// A request that travels on a stream wherever the member speaks HTTP/2.
const LOG: &str = "/api/v1/namespaces/n/pods/p/log";
const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"kind\":\"List\"}";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       7\r\n{\"kind\"\r\n8\r\n:\"List\"}\r\n0\r\n\r\n";

/// What holds of any answer: the member's own and whole, a part that is seen to be one, or a Status.
#[track_caller]
fn check(seen: Option<&Seen>, whole: bool, case: &str) {
    let Some(seen) = seen else {
        assert!(!whole, "{case}: no answer");
        return;
    };
    match (seen.code, seen.end) {
        (200, End::Whole) => assert!(whole && seen.text() == BODY, "{case}: {}", seen.text()),
        (200, End::Cut) => {
            assert!(
                !whole && BODY.starts_with(seen.text()),
                "{case}: {}",
                seen.text()
            );
        }
        (502..=504, _) => {
            assert!(!whole, "{case}: {}", seen.text());
            seen.status();
        }
        (code, _) => panic!("{case}: {code} {}", seen.text()),
    }
}

/// A member of HTTP/1.1 that ends its answer behind `cut` bytes, the length of the path it is asked.
async fn cutting(answer: &'static str, ends: Ends) -> RawServer {
    RawServer::tcp(move |_, mut stream| async move {
        let request = read_request(&mut stream).await;
        if request.is_empty() {
            return;
        }
        let cut = cut_of(&request);
        let bytes = answer.as_bytes().get(..cut).unwrap_or_default();
        stream.write_all(bytes).await.unwrap_or_default();
        // What comes with a reset may be lost; then less came, and that is a part as well.
        end(stream, ends);
    })
    .await
}

/// The number behind the last `/` of the request's path.
fn cut_of(request: &[u8]) -> usize {
    let text = String::from_utf8_lossy(request);
    let path = text.split(' ').nth(1).expect("a path");
    path.rsplit('/')
        .next()
        .expect("a part")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn an_answer_of_http1_that_is_cut_anywhere_never_looks_whole() {
    for answer in [LENGTH, CHUNKED] {
        for ends in [Ends::InOrder, Ends::Abruptly] {
            let member = cutting(answer, ends).await;
            let world = World::start(&format!("http://{}", member.address)).await;
            let mut http2 = world.http2().await;
            for cut in 0..answer.len() {
                let case = format!("{answer:?} cut at {cut} {ends:?}");
                let seen = http2.get(&format!("/{cut}")).await;
                check(seen.as_ref(), false, &case);
                let seen = world.get(Version::HTTP_11, &format!("/{cut}")).await;
                check(seen.as_ref(), false, &case);
            }
            for version in VERSIONS {
                let seen = world.get(version, &format!("/{}", answer.len())).await;
                // A reset may overtake the end.
                let whole = matches!(ends, Ends::InOrder);
                if whole || seen.as_ref().is_none_or(|seen| seen.end == End::Cut) {
                    check(seen.as_ref(), whole, answer);
                }
            }
        }
    }
}

/// SETTINGS, and that the caller's were read.
fn http2_settings() -> Vec<u8> {
    [frame(4, 0, 0, &[]), frame(4, 1, 0, &[])].concat()
}

/// The frames of an answer on stream 1.
fn http2_answer() -> [Vec<u8>; 3] {
    let (one, two) = BODY.split_at(7);
    [
        frame(HEADERS, 4, 1, &[0x88]),
        frame(0, 0, 1, one.as_bytes()),
        frame(0, 1, 1, two.as_bytes()),
    ]
}

#[tokio::test]
async fn an_answer_of_http2_that_is_reset_never_looks_whole() {
    // NO_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM.
    for code in [0_u32, 2, 8, 11] {
        for sent in 0..=3 {
            let reset = frame(RST_STREAM, 0, 1, &code.to_be_bytes());
            let mut frames = http2_answer()[..sent].concat();
            frames.extend(reset);
            let leaf = member_leaf();
            let member = RawServer::tls(&leaf, &["h2"], move |_, mut stream| {
                let frames = frames.clone();
                async move {
                    let settings = http2_settings();
                    stream.write_all(&settings).await.unwrap_or_default();
                    stream.flush().await.unwrap_or_default();
                    read_request(&mut stream).await;
                    stream.write_all(&frames).await.unwrap_or_default();
                    stream.flush().await.unwrap_or_default();
                    std::future::pending::<()>().await;
                }
            });
            let member = member.await;
            for version in VERSIONS {
                // A connection of its own, whose first stream it is.
                let world = World::start(&member.https()).await;
                let seen = world.get(version, LOG).await;
                let case = format!("{code} behind {sent} frames, {version:?}");
                // What was whole may have been thrown away by the reset.
                if sent < 3 || seen.as_ref().is_some_and(|seen| seen.end == End::Whole) {
                    check(seen.as_ref(), sent == 3, &case);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_answer_of_http2_that_is_cut_anywhere_never_looks_whole() {
    for ends in [Ends::InOrder, Ends::Abruptly] {
        cut_http2_anywhere(ends).await;
    }
}

async fn cut_http2_anywhere(ends: Ends) {
    let answer = [http2_settings(), http2_answer().concat()].concat();
    let settings = http2_settings().len();
    let cut = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (script, at) = (answer.clone(), Arc::clone(&cut));
    let leaf = member_leaf();
    let member = RawServer::tls(&leaf, &["h2"], move |_, mut stream| {
        let (script, cut) = (script.clone(), at.load(std::sync::atomic::Ordering::SeqCst));
        async move {
            let first = script.get(..cut.min(settings)).unwrap_or_default();
            stream.write_all(first).await.unwrap_or_default();
            stream.flush().await.unwrap_or_default();
            if cut >= settings {
                read_request(&mut stream).await;
                let rest = script.get(settings..cut).unwrap_or_default();
                stream.write_all(rest).await.unwrap_or_default();
                stream.flush().await.unwrap_or_default();
            }
            match ends {
                Ends::InOrder => stream.shutdown().await.unwrap_or_default(),
                Ends::Abruptly => end(stream.into_inner().0, ends),
            }
        }
    });
    let member = member.await;
    let world = World::start(&member.https()).await;
    let mut http2 = world.http2().await;
    for at in 0..=answer.len() {
        cut.store(at, std::sync::atomic::Ordering::SeqCst);
        let case = format!("cut at {at} {ends:?}");
        let http1 = world.get(Version::HTTP_11, LOG).await;
        for seen in [http2.get(LOG).await, http1] {
            // A reset may overtake the end.
            let whole = at == answer.len();
            let certain = !whole || matches!(ends, Ends::InOrder);
            if certain || seen.as_ref().is_some_and(|seen| seen.end == End::Whole) {
                check(seen.as_ref(), whole, &case);
            }
        }
    }
}

#[tokio::test]
async fn what_tls_does_not_end_is_not_whole() {
    // No length and no chunks: the end of the connection ends the body, and TLS says which end.
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let answer = format!("{head}{BODY}");
    for says_so in [true, false] {
        let answer = answer.clone();
        let leaf = member_leaf();
        let member = RawServer::tls(&leaf, &["http/1.1"], move |_, mut stream| {
            let answer = answer.clone();
            async move {
                read_request(&mut stream).await;
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .unwrap_or_default();
                stream.flush().await.unwrap_or_default();
                match says_so {
                    true => stream.shutdown().await.unwrap_or_default(),
                    false => end(stream.into_inner().0, Ends::InOrder),
                }
            }
        });
        let member = member.await;
        let world = World::start(&member.https()).await;
        for version in VERSIONS {
            let seen = world.get(version, "/x").await;
            check(seen.as_ref(), says_so, &format!("close_notify: {says_so}"));
        }
    }
}

/// What callers are told of a member that answers with `bytes`.
async fn is_a_bad_gateway(bytes: String) {
    let case = bytes.clone();
    let member = RawServer::tcp(move |_, mut stream| {
        let bytes = bytes.clone();
        async move {
            read_request(&mut stream).await;
            let sent = stream.write_all(bytes.as_bytes()).await;
            sent.unwrap_or_default();
        }
    });
    let member = member.await;
    let world = World::start(&format!("http://{}", member.address)).await;
    for version in VERSIONS {
        let seen = world.get(version, "/x").await.expect("an answer");
        assert_eq!(seen.code, 502, "{case:?}: {}", seen.text());
        seen.status();
    }
}

#[tokio::test]
async fn a_length_that_lies_deceives_nobody() {
    let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let more = format!("{LENGTH}{forged}");
    let member = RawServer::tcp(move |_, mut stream| {
        let more = more.clone();
        async move {
            while !read_request(&mut stream).await.is_empty() {
                stream.write_all(more.as_bytes()).await.unwrap_or_default();
            }
        }
    });
    let member = member.await;
    let world = World::start(&format!("http://{}", member.address)).await;
    let mut http2 = world.http2().await;
    for n in 0..50 {
        // Nobody gets what the member said before it was asked.
        check(
            http2.get("/x").await.as_ref(),
            true,
            &format!("request {n}"),
        );
    }
    // What is too long for what there is, is a part.
    let less = LENGTH.replace("15", "16");
    let member = RawServer::tcp(move |_, mut stream| {
        let less = less.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(less.as_bytes()).await.unwrap_or_default();
            end(stream, Ends::InOrder);
        }
    });
    let member = member.await;
    let world = World::start(&format!("http://{}", member.address)).await;
    for version in VERSIONS {
        let seen = world.get(version, "/x").await;
        check(seen.as_ref(), false, "one byte too few");
    }
    // Two lengths are none, and nobody asked for another coding than that of the way.
    for lengths in [
        "Content-Length: 15\r\nContent-Length: 7",
        "Content-Length: 7, 15",
        "Content-Length: x",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    ] {
        is_a_bad_gateway(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n{BODY}")).await;
    }
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_count() {
    let answer = CHUNKED.replace("\r\n\r\n7", "\r\nContent-Length: 3\r\n\r\n7");
    let member = answering(answer).await;
    for version in VERSIONS {
        // A connection of its own.
        let world = World::start(&format!("http://{}", member.address)).await;
        let seen = world.get(version, "/x").await;
        check(seen.as_ref(), true, "both");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_bad_gateway() {
    for nonsense in [
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ] {
        is_a_bad_gateway(nonsense.to_owned()).await;
    }
}

/// What of a connection a member lets come about before it says nothing more.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Tls,
    Settings,
    Head,
    HalfAHead,
}

#[tokio::test]
async fn a_member_that_stops_at_any_phase_is_given_up_with_a_status() {
    let limits = Limits {
        connect: Duration::from_millis(500),
        answer: Duration::from_millis(1500),
    };
    let silent = |stream: TcpStream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    };
    for phase in [Phase::Tls, Phase::Settings, Phase::Head, Phase::HalfAHead] {
        let leaf = member_leaf();
        let (member, rest) = match phase {
            Phase::Tls => (RawServer::tcp(move |_, stream| silent(stream)).await, "/x"),
            Phase::Settings => {
                let serve = move |_, stream: fleetgate_testkit::Accepted| async move {
                    let _open = stream;
                    std::future::pending::<()>().await;
                };
                (RawServer::tls(&leaf, &["h2"], serve).await, LOG)
            }
            Phase::Head => {
                let serve = |_, stream| stalled(stream, b"");
                (RawServer::tls(&leaf, &["http/1.1"], serve).await, "/x")
            }
            Phase::HalfAHead => {
                let serve = |_, stream| stalled(stream, b"HTTP/1.1 200 OK\r\nContent-Le");
                (RawServer::tls(&leaf, &["http/1.1"], serve).await, "/x")
            }
        };
        let world = World::limited(&member.https(), limits).await;
        for version in VERSIONS {
            let seen = world.get(version, rest).await.expect("an answer");
            let codes: &[u16] = match phase {
                // The member may be given up before the request's own attempt is.
                Phase::Tls | Phase::Settings => &[503, 504],
                Phase::Head | Phase::HalfAHead => &[504],
            };
            assert!(codes.contains(&seen.code), "{phase:?}: {}", seen.text());
            seen.status();
        }
    }
}

async fn stalled(mut stream: impl tokio::io::AsyncRead + AsyncWrite + Unpin, bytes: &'static [u8]) {
    read_request(&mut stream).await;
    stream.write_all(bytes).await.unwrap_or_default();
    stream.flush().await.unwrap_or_default();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_body_that_stops_is_waited_for_and_its_bytes_are_not_held_back() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"kind\"";
    let member = RawServer::tcp(move |_, stream| stalled(stream, half.as_bytes())).await;
    let world = World::start(&format!("http://{}", member.address)).await;
    let mut caller = world.http2().await;
    let request = super::support::Http2::request("/x")
        .body(())
        .expect("a request");
    let (answer, _) = caller.sender.send_request(request, true).expect("sent");
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .expect("in time");
    let mut body = answer.expect("an answer").into_body();
    let piece = tokio::time::timeout(PATIENCE, body.data())
        .await
        .expect("in time");
    assert_eq!(piece.expect("a piece").expect("bytes"), "{\"kind\"");
    assert!(futures::poll!(Box::pin(body.data())).is_pending());
}

#[tokio::test]
async fn alerts_of_tls_are_told_as_such() {
    for alert in [
        // handshake_failure, protocol_version, internal_error, unrecognized_name.
        40_u8, 70, 80, 112,
    ] {
        let member = RawServer::tcp(move |_, mut stream| async move {
            let mut hello = [0; 5];
            let read = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut hello);
            read.await.unwrap_or_default();
            let record = [21, 3, 3, 0, 2, 2, alert];
            stream.write_all(&record).await.unwrap_or_default();
            std::future::pending::<()>().await;
        });
        let member = member.await;
        let world = World::start(&member.https()).await;
        for version in VERSIONS {
            let seen = world.get(version, "/x").await.expect("an answer");
            assert_eq!(seen.code, 502, "{alert}: {}", seen.text());
            let status = seen.status();
            let message = status["message"].as_str().expect("text");
            assert!(message.starts_with("cluster m: tls: "), "{message}");
        }
    }
}

#[tokio::test]
async fn members_that_send_everybody_away_are_given_up_in_time() {
    const NO_ERROR: [u8; 8] = [0; 8];
    // REFUSED_STREAM on each stream, GOAWAY on each connection before and after it is asked.
    let refused = frame(3, 0, 1, &7_u32.to_be_bytes());
    let settings = http2_settings();
    let goaway = frame(7, 0, 0, &NO_ERROR);
    for (first, then) in [
        (settings.clone(), refused),
        (settings.clone(), goaway.clone()),
        ([settings, goaway].concat(), Vec::new()),
    ] {
        let case = format!("{first:?} {then:?}");
        let leaf = member_leaf();
        let member = RawServer::tls(&leaf, &["h2"], move |_, mut stream| {
            let (first, then) = (first.clone(), then.clone());
            async move {
                stream.write_all(&first).await.unwrap_or_default();
                stream.flush().await.unwrap_or_default();
                read_request(&mut stream).await;
                stream.write_all(&then).await.unwrap_or_default();
                stream.shutdown().await.unwrap_or_default();
            }
        });
        let member = member.await;
        let world = World::start(&member.https()).await;
        for version in VERSIONS {
            let seen = world.get(version, LOG).await.expect("an answer");
            assert!((502..=504).contains(&seen.code), "{case}: {}", seen.text());
            seen.status();
        }
        // Some attempts, and no storm of ours in return.
        assert!(member.accepted() <= 40, "{} connections", member.accepted());
    }
}
