//! Whatever becomes of a caller in the middle of a request, the member sees that the rest is
//! missing: it never takes a part for the whole.

use bytes::Bytes;
use fleetgate_stack::Body;
use fleetgate_testkit::RawServer;
use futures::stream;
use h2::Reason;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::support::{End, Ends, Http2, PATIENCE, PROXY, World, end, member_leaf};

/// A short one takes a kept connection of HTTP/1.1 where there is one, the other a stream.
const PATHS: [&str; 2] = ["/api/v1/namespaces/n/configmaps", "/apis/x/proxy"];
const CHUNKED: &str = "Transfer-Encoding: chunked";
const LENGTHS: [&str; 2] = [CHUNKED, "Content-Length: 8"];
/// How often each reset is tried.
const ROUNDS: usize = 10;
/// Of the member.
const PROTOCOLS: [&str; 2] = ["http/1.1", "h2"];

/// The body of a request, once the member has it whole; nothing where it broke off.
type Whole = oneshot::Receiver<Bytes>;

/// A member that tells of each request when its body begins.
struct Reader {
    server: RawServer,
    begun: mpsc::UnboundedReceiver<Whole>,
}

// === impl Reader ===

impl Reader {
    async fn start(protocol: &str) -> Self {
        let (tell, begun) = mpsc::unbounded_channel();
        let (leaf, protocols) = (member_leaf(), [protocol]);
        let server = RawServer::tls(&leaf, &protocols, move |_, stream| {
            let tell = tell.clone();
            let read = service_fn(move |request| read(request, tell.clone()));
            async move {
                Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), read)
                    .await
                    .unwrap_or_default();
            }
        });
        Self {
            server: server.await,
            begun,
        }
    }

    async fn begun(&mut self) -> Whole {
        let begun = timeout(PATIENCE, self.begun.recv()).await;
        begun.expect("in time").expect("a request")
    }
}

/// Answers 200, and with the head of that once the body has begun.
async fn read(
    request: Request<Incoming>,
    tell: mpsc::UnboundedSender<Whole>,
) -> Result<Response<Body>, hyper::Error> {
    let mut body = request.into_body();
    let first = body.frame().await.transpose()?;
    let (whole, told) = oneshot::channel();
    tell.send(told).expect("the test waits");
    let rest = async move {
        let mut read = Vec::new();
        let mut next = first;
        while let Some(frame) = next {
            read.extend_from_slice(frame.data_ref().expect("no trailers"));
            next = body.frame().await.transpose()?;
        }
        whole.send(read.into()).expect("the test waits");
        Ok::<_, hyper::Error>(Frame::data(Bytes::new()))
    };
    Ok(Response::new(Body::new(StreamBody::new(stream::once(
        rest,
    )))))
}

async fn check(whole: Whole, want: Option<&str>, case: &str) {
    let body = timeout(PATIENCE, whole).await;
    let body = body
        .unwrap_or_else(|_| panic!("{case}: the member waits"))
        .ok();
    assert_eq!(body.as_deref(), want.map(str::as_bytes), "{case}");
}

fn head(path: &str, length: &str) -> String {
    format!("POST {PROXY}{path} HTTP/1.1\r\nHost: server\r\n{length}\r\n\r\n")
}

/// A piece of a body in the form that `length` announces.
fn piece(length: &str, text: &str) -> String {
    match length {
        CHUNKED => format!("{:x}\r\n{text}\r\n", text.len()),
        _ => text.to_owned(),
    }
}

/// Sends half a request and then the rest, or ends the connection.
async fn send_http1(
    world: &World,
    member: &mut Reader,
    path: &str,
    length: &str,
    ends: Option<Ends>,
) {
    let case = format!("{path} {length} {ends:?}");
    let mut caller = world.tls("http/1.1").await;
    let begin = head(path, length) + &piece(length, "half");
    caller.write_all(begin.as_bytes()).await.expect("sent");
    let whole = member.begun().await;
    let Some(ends) = ends else {
        let rest = piece(length, "rest") + if length == CHUNKED { "0\r\n\r\n" } else { "" };
        caller.write_all(rest.as_bytes()).await.expect("sent");
        return check(whole, Some("halfrest"), &case).await;
    };
    if let Ends::InOrder = ends {
        // Of TLS too.
        caller.shutdown().await.expect("sent");
    }
    end(caller.into_inner().0, ends);
    check(whole, None, &case).await;
}

#[tokio::test]
async fn a_request_of_http1_that_is_cut_is_never_whole_to_the_member() {
    for protocol in PROTOCOLS {
        let mut member = Reader::start(protocol).await;
        let world = World::start(&member.server.https()).await;
        for path in PATHS {
            for length in LENGTHS {
                for ends in [Some(Ends::InOrder), Some(Ends::Abruptly), None] {
                    send_http1(&world, &mut member, path, length, ends).await;
                }
            }
        }
    }
}

/// Sends half a request and then the rest, or resets the stream.
async fn send_http2(
    caller: &mut Http2,
    member: &mut Reader,
    request: http::request::Builder,
    reset: Option<Reason>,
) {
    let request = request.method(Method::POST).body(()).expect("a request");
    let case = format!("{request:?} {reset:?}");
    let sent = caller.sender.send_request(request, false);
    let (answer, mut body) = sent.expect("sent");
    body.send_data(Bytes::from_static(b"half"), false)
        .expect("sent");
    let whole = member.begun().await;
    let answer = timeout(PATIENCE, answer).await.expect("in time");
    assert_eq!(answer.expect("an answer").status(), 200);
    match reset {
        Some(reason) => body.send_reset(reason),
        None => body
            .send_data(Bytes::from_static(b"rest"), true)
            .expect("sent"),
    }
    check(whole, reset.is_none().then_some("halfrest"), &case).await;
}

/// Who passes the request on and who writes the answer learn of a reset at once, and either may be
/// the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_of_http2_that_is_reset_is_never_whole_to_the_member() {
    let resets = [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR];
    let cases = resets.map(Some).repeat(ROUNDS);
    for protocol in PROTOCOLS {
        let mut member = Reader::start(protocol).await;
        let world = World::start(&member.server.https()).await;
        for path in PATHS {
            let mut caller = world.http2().await;
            for reset in cases.iter().copied().chain([None]) {
                send_http2(&mut caller, &mut member, Http2::request(path), reset).await;
            }
            for reset in [Some(Reason::NO_ERROR), None] {
                let sized = Http2::request(path).header(header::CONTENT_LENGTH, 8);
                send_http2(&mut caller, &mut member, sized, reset).await;
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_its_callers_fault() {
    for protocol in PROTOCOLS {
        let member = Reader::start(protocol).await;
        let world = World::start(&member.server.https()).await;
        for path in PATHS {
            let mut caller = world.http1().await;
            let head = format!("POST {PROXY}{path} HTTP/1.1\r\nHost: server\r\n{CHUNKED}\r\n\r\n");
            caller.write(head.as_bytes()).await;
            caller.write(b"3\r\nabc\r\nno length\r\n").await;
            let answer = caller.answer().await.expect("an answer");
            assert_eq!((answer.code, answer.end), (400, End::Whole), "{protocol}");
            assert_eq!(answer.header("x-fleetgate-error"), "caller", "{protocol}");
        }
    }
}
