//! A caller of HTTP/1.1 that writes bytes, and reads answers without any HTTP library.

use http::{HeaderMap, HeaderName, HeaderValue, Version};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::PATIENCE;

/// What a caller got.
#[derive(Debug)]
pub(in crate::serve) struct Seen {
    pub(in crate::serve) version: Version,
    pub(in crate::serve) code: u16,
    pub(in crate::serve) headers: HeaderMap,
    pub(in crate::serve) body: Vec<u8>,
    pub(in crate::serve) trailers: HeaderMap,
    pub(in crate::serve) end: End,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum End {
    /// Before what its head announced.
    Cut,
    /// As its head announced.
    Whole,
}

/// A connection to the server.
pub(in crate::serve) struct Http1<S> {
    pub(in crate::serve) stream: S,
    read: Vec<u8>,
}

// === impl Seen ===

impl Seen {
    pub(in crate::serve) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    pub(in crate::serve) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The body as a Status, which every refusal is.
    #[track_caller]
    pub(in crate::serve) fn status(&self) -> serde_json::Value {
        let status: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(self.end, End::Whole);
        assert_eq!(
            (&status["kind"], &status["code"]),
            (&"Status".into(), &self.code.into())
        );
        status
    }
}

// === impl Http1 ===

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(in crate::serve) fn new(stream: S) -> Self {
        let read = Vec::new();
        Self { stream, read }
    }

    pub(in crate::serve) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// The next answer; nothing if the connection ended without one.
    pub(in crate::serve) async fn answer(&mut self) -> Option<Seen> {
        self.answer_to("GET").await
    }

    /// The same to a request of `method`: the answer to HEAD has no body.
    pub(in crate::serve) async fn answer_to(&mut self, method: &str) -> Option<Seen> {
        let answer = self.read_answer(method);
        timeout(PATIENCE, answer).await.expect("in time")
    }

    /// Whether nothing more comes: the connection was closed.
    pub(in crate::serve) async fn is_closed(&mut self) -> bool {
        !timeout(PATIENCE, self.more()).await.expect("in time") && self.read.is_empty()
    }

    async fn read_answer(&mut self, method: &str) -> Option<Seen> {
        let head = self.until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().expect("a line");
        let version = match status.split(' ').next() {
            Some("HTTP/1.0") => Version::HTTP_10,
            other => {
                assert_eq!(other, Some("HTTP/1.1"));
                Version::HTTP_11
            }
        };
        let code: u16 = status.split(' ').nth(1)?.parse().expect("a code");
        let headers = fields(lines);
        let length = headers.get("content-length");
        let length = length.map(|l| l.to_str().expect("text").parse().expect("a number"));
        let coding = headers.get("transfer-encoding");
        assert!(length.is_none() || coding.is_none(), "{head}");
        let (mut body, mut trailers, mut end) = (Vec::new(), HeaderMap::new(), End::Whole);
        let bodiless = method == "HEAD" || code < 200 || code == 204 || code == 304;
        match length {
            _ if bodiless => {}
            Some(length) => end = self.exactly(length, &mut body).await,
            None if coding.is_some_and(|coding| coding == "chunked") => {
                end = self.chunks(&mut body, &mut trailers).await;
            }
            None => {
                while self.more().await {}
                body.append(&mut self.read);
            }
        }
        Some(Seen {
            version,
            code,
            headers,
            body,
            trailers,
            end,
        })
    }

    async fn chunks(&mut self, body: &mut Vec<u8>, trailers: &mut HeaderMap) -> End {
        loop {
            let Some(line) = self.until(b"\r\n").await else {
                return End::Cut;
            };
            let line = String::from_utf8(line).expect("text");
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a size");
            if size == 0 {
                break;
            }
            if self.exactly(size, body).await == End::Cut || self.until(b"\r\n").await.is_none() {
                return End::Cut;
            }
        }
        loop {
            let Some(line) = self.until(b"\r\n").await else {
                return End::Cut;
            };
            if line == b"\r\n" {
                return End::Whole;
            }
            let line = String::from_utf8(line).expect("text");
            trailers.extend(fields([line.trim_end()].into_iter()));
        }
    }

    async fn exactly(&mut self, count: usize, into: &mut Vec<u8>) -> End {
        while self.read.len() < count {
            if !self.more().await {
                into.append(&mut self.read);
                return End::Cut;
            }
        }
        into.extend(self.read.drain(..count));
        End::Whole
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|w| w == end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads more. Returns whether there was any: an end and an error are alike to who reads.
    async fn more(&mut self) -> bool {
        let count = self.stream.read_buf(&mut self.read).await;
        count.is_ok_and(|count| count > 0)
    }
}

fn fields<'l>(lines: impl Iterator<Item = &'l str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field");
        let name = HeaderName::try_from(name).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}
