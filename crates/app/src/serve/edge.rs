//! A caller's connection as HTTP sees it: its first bytes come in time, and a request that the
//! parser of HTTP/1.1 refuses by itself, without a body, is refused with a `Status`.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use fleetgate_apimachinery::{json, status::Status};
use fleetgate_model::{Reason, Refusal};
use fleetgate_proxy::{ERROR_SOURCE, HEAD_TOO_LARGE};
use fleetgate_stack::InPieces;
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Sleep, sleep},
};

use super::exchange::Exchange;

/// What HTTP/2 begins with (RFC 9113, section 3.4). Until it is seen, or something else, nothing
/// else limits how long a caller may take.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Time and bytes for which a refused caller is listened to: a connection that is closed over
/// unread bytes is reset, and the refusal with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// A connection on which HTTP is to be spoken.
pub(super) struct Edge<I> {
    io: InPieces<I>,
    exchange: Exchange,
    greeting: Option<Greeting>,
    refusal: Option<Written>,
    lingering: Option<Lingering>,
}

/// The time for the first bytes, and how many of HTTP/2's have come.
struct Greeting {
    seen: usize,
    limit: Pin<Box<Sleep>>,
}

/// A refusal in place of the parser's own.
struct Written {
    bytes: Vec<u8>,
    done: usize,
}

struct Lingering {
    left: usize,
    limit: Pin<Box<Sleep>>,
}

// === impl Edge ===

impl<I: AsyncRead> Edge<I> {
    /// `io`, whose first bytes are to come within `limit`. What is written while `exchange` is at
    /// rest is the parser's; any other may be a member's, and no byte of it is looked at.
    pub(super) fn new(io: I, limit: Duration, exchange: Exchange) -> Self {
        let limit = Box::pin(sleep(limit));
        Self {
            io: InPieces::new(io),
            exchange,
            greeting: Some(Greeting { seen: 0, limit }),
            refusal: None,
            lingering: None,
        }
    }

    fn is_refusing(&mut self, written: &[u8]) -> bool {
        if self.refusal.is_none() && self.exchange.is_idle() {
            self.refusal = refusal(written).map(|bytes| Written { bytes, done: 0 });
        }
        self.refusal
            .as_ref()
            .is_some_and(|r| r.done < r.bytes.len())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Edge<I> {
    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(refusal) = &mut self.refusal
            && let Some(rest @ [_, ..]) = refusal.bytes.get(refusal.done..)
        {
            refusal.done += ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> Edge<I> {
    /// Reads on, for nothing, until the caller has closed or the time is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = self.lingering.get_or_insert_with(|| Lingering {
            left: LINGER_BYTES,
            limit: Box::pin(sleep(LINGER)),
        });
        let mut scratch = [0; 4 << 10];
        while lingering.left > 0 && lingering.limit.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(buf.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Edge<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Some(greeting) = &mut self.greeting {
            let came = buf.filled().get(before..).unwrap_or_default();
            if read.is_pending() && greeting.limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if greeting.is_over(came) {
                self.greeting = None;
            }
        }
        read
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Edge<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusing(buf) {
            ready!(self.poll_refuse(cx))?;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = bufs.iter().find(|buf| !buf.is_empty())
            && self.is_refusing(first)
        {
            ready!(self.poll_refuse(cx))?;
            return Poll::Ready(Ok(first.len()));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.exchange.written_out();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        }
        if self.refusal.is_some() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Greeting ===

impl Greeting {
    /// Whether it is known what is spoken, now that `came` has come.
    fn is_over(&mut self, came: &[u8]) -> bool {
        let wanted = PREFACE.get(self.seen..).unwrap_or_default();
        self.seen += came.len();
        !wanted.iter().zip(came).all(|(wanted, came)| wanted == came) || self.seen >= PREFACE.len()
    }
}

/// The answer in place of `written`, if that is a refusal by the parser of HTTP/1.1: it alone writes
/// an answer to a caller that has neither a body nor an `Audit-Id`.
fn refusal(written: &[u8]) -> Option<Vec<u8>> {
    let (minor, rest) = match written.strip_prefix(b"HTTP/1.")? {
        // The version of the request before, if there was one.
        [minor @ (b'0' | b'1'), b' ', rest @ ..] => (char::from(*minor), rest),
        _ => return None,
    };
    let (code, rest) = rest.split_at_checked(3)?;
    let (code, reason, message) = match code {
        b"400" => (
            StatusCode::BAD_REQUEST,
            Reason::BadRequest,
            "the request is not HTTP",
        ),
        b"414" => (
            StatusCode::URI_TOO_LONG,
            Reason::Unknown,
            "the path of the request is too long",
        ),
        b"431" => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Reason::Unknown,
            HEAD_TOO_LARGE,
        ),
        _ => return None,
    };
    let head = std::str::from_utf8(rest).ok()?.strip_suffix("\r\n\r\n")?;
    let (_, fields) = head.split_once("\r\n")?;
    let empty = |line: &str| line == "content-length: 0";
    if !fields.split("\r\n").any(empty) || fields.contains("audit-id: ") {
        return None;
    }
    tracing::info!(code = code.as_u16(), "{message}");
    let fields = fields.split("\r\n").filter(|line| !empty(line));
    let fields: String = fields.flat_map(|line| [line, "\r\n"]).collect();
    let status = Status::from(Refusal::caller(code, reason, message));
    let body = json::to_vec(&status).unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.{minor} {code}\r\n{fields}cache-control: no-cache, private\r\n\
         content-type: application/json\r\n{ERROR_SOURCE}: caller\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::{Instant, timeout},
    };

    use fleetgate_stack::Body;
    use http::{Method, Request, Response, StatusCode, Version};

    use super::{Edge, Exchange, LINGER, refusal};

    const LIMIT: Duration = Duration::from_secs(32);
    const ITS_OWN: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                           content-length: 0\r\ndate: Sun, 22 Nov 2026 19:00:00 GMT\r\n\r\n";

    #[test]
    fn a_refusal_of_the_parser_gets_a_status() {
        let answer = refusal(ITS_OWN.as_bytes()).expect("a refusal");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close")
        );
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        assert!(!head.contains("content-length: 0"), "{head}");
        assert!(head.contains("\r\nx-fleetgate-error: caller\r\n"), "{head}");
        assert!(
            body.contains("\"code\":431") && body.contains("\"kind\":\"Status\""),
            "{body}"
        );
    }

    #[test]
    fn a_refusal_has_the_version_of_the_request_before_it() {
        let answer = refusal(ITS_OWN.replace("HTTP/1.1", "HTTP/1.0").as_bytes());
        let answer = answer.expect("a refusal");
        assert!(answer.starts_with(b"HTTP/1.0 431 "));
    }

    #[test]
    fn answers_of_others_stay_as_they_are() {
        let audited = ITS_OWN.replace("date:", "audit-id: 1\r\ndate:");
        let with_body = ITS_OWN.replace("content-length: 0", "content-length: 7");
        let fine = ITS_OWN.replace("431", "200");
        let other = ITS_OWN.replace("HTTP/1.1", "HTTP/1.2");
        let cut = ITS_OWN.replace("\r\n\r\n", "\r\n");
        for answer in [audited, with_body, fine, other, cut] {
            assert!(refusal(answer.as_bytes()).is_none(), "{answer}");
        }
    }

    /// A request that is none of the parser's business.
    fn request(method: Method, version: Version) -> Request<()> {
        let request = Request::builder().method(method).version(version);
        request.body(()).expect("a request")
    }

    /// What a caller reads of three times [`ITS_OWN`]: before `served` is asked for, while it is
    /// answered with `status`, and behind the answer.
    async fn seen_around(served: Request<()>, status: StatusCode) -> [bool; 3] {
        let (mut caller, server) = duplex(8 << 10);
        let exchange = Exchange::default();
        let mut edge = Edge::new(server, LIMIT, exchange.clone());
        let mut response = Response::new(Body::full("a"));
        *response.status_mut() = status;
        exchange.begin(&served);
        let answer = exchange.answer(response);
        edge.write_all(ITS_OWN.as_bytes()).await.expect("written");
        edge.flush().await.expect("flushed");
        drop(answer);
        edge.write_all(ITS_OWN.as_bytes()).await.expect("written");
        edge.flush().await.expect("flushed");
        edge.write_all(ITS_OWN.as_bytes()).await.expect("written");
        drop(edge);
        let mut read = String::new();
        caller.read_to_string(&mut read).await.expect("an end");
        let mut rest = read.as_str();
        [(); 3].map(|()| {
            let after = rest.strip_prefix(ITS_OWN);
            rest = after.unwrap_or(rest);
            after.is_some()
        })
    }

    #[tokio::test]
    async fn nothing_is_looked_at_from_a_request_until_its_answer_is_written_out() {
        let ok = StatusCode::OK;
        let plain = seen_around(request(Method::GET, Version::HTTP_11), ok).await;
        assert_eq!(plain, [true, true, false]);
        // What is no HTTP/1.1 any more, or has several requests at a time.
        let switched = request(Method::GET, Version::HTTP_11);
        let switched = seen_around(switched, StatusCode::SWITCHING_PROTOCOLS).await;
        let tunnel = seen_around(request(Method::CONNECT, Version::HTTP_11), ok).await;
        let streams = seen_around(request(Method::GET, Version::HTTP_2), ok).await;
        assert_eq!([switched, tunnel, streams], [[true; 3]; 3]);
    }

    #[tokio::test]
    async fn an_answer_that_is_dropped_late_says_nothing_of_the_next() {
        let (_caller, server) = duplex(8 << 10);
        let exchange = Exchange::default();
        let mut edge = Edge::new(server, LIMIT, exchange.clone());
        let get = request(Method::GET, Version::HTTP_11);
        exchange.begin(&get);
        let first = exchange.answer(Response::new(Body::empty()));
        exchange.begin(&get);
        drop(first);
        edge.flush().await.expect("flushed");
        assert!(!exchange.is_idle());
        drop(exchange.answer(Response::new(Body::empty())));
        edge.flush().await.expect("flushed");
        assert!(exchange.is_idle());
    }

    #[tokio::test]
    async fn a_refusal_is_written_whole_through_a_narrow_pipe() {
        let (mut caller, server) = duplex(7);
        let mut edge = Edge::new(server, LIMIT, Exchange::default());
        let write = async {
            edge.write_all(ITS_OWN.as_bytes()).await.expect("written");
            drop(edge);
        };
        let mut read = String::new();
        let (_, all) = tokio::join!(write, caller.read_to_string(&mut read));
        all.expect("an end");
        assert!(read.ends_with('}') || read.ends_with("}\n"), "{read}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_is_waited_for_until_it_says_what_it_speaks() {
        let (mut caller, server) = duplex(64);
        let mut edge = Edge::new(server, LIMIT, Exchange::default());
        caller.write_all(b"PRI * HTTP/2").await.expect("sent");
        let mut buf = [0; 64];
        assert_eq!(edge.read(&mut buf).await.expect("the first bytes"), 12);
        let late = timeout(LIMIT * 2, edge.read(&mut buf)).await;
        let late = late.expect("an end").expect_err("too late");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);

        for greeting in ["GET", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let (mut caller, server) = duplex(64);
            let mut edge = Edge::new(server, LIMIT, Exchange::default());
            caller.write_all(greeting.as_bytes()).await.expect("sent");
            let count = edge.read(&mut buf).await.expect("the first bytes");
            assert_eq!(count, greeting.len());
            let waits = timeout(LIMIT * 2, edge.read(&mut buf)).await;
            assert!(waits.is_err(), "HTTP has limits of its own");
        }
    }

    #[tokio::test]
    async fn what_comes_at_once_is_read_in_pieces() {
        let (mut caller, server) = duplex(1 << 20);
        let mut edge = Edge::new(server, LIMIT, Exchange::default());
        caller.write_all(&[7; 100_000]).await.expect("sent");
        let read = edge.read(&mut vec![0; 1 << 20]).await.expect("a piece");
        assert_eq!(read, 16 << 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_caller_is_listened_to_for_a_while() {
        let (mut caller, server) = duplex(4 << 10);
        let mut edge = Edge::new(server, LIMIT, Exchange::default());
        edge.write_all(ITS_OWN.as_bytes()).await.expect("written");
        let since = Instant::now();
        let both = async { tokio::join!(caller.write_all(&[0; 64 << 10]), edge.shutdown()) };
        let (sent, closed) = timeout(LINGER * 2, both).await.expect("somebody reads");
        sent.expect("somebody reads");
        closed.expect("closed");
        assert_eq!(since.elapsed(), LINGER);
        drop(edge);
        let mut read = String::new();
        caller.read_to_string(&mut read).await.expect("the answer");
        assert!(read.starts_with("HTTP/1.1 431"), "{read}");
    }
}
