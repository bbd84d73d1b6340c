//! A member that shares no code with what speaks to it: it cuts the bytes that come into requests
//! as strictly as the standard lets it, and keeps them.

use std::sync::Arc;

use fleetgate_testkit::RawServer;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use super::PATIENCE;

/// A member over plain HTTP/1.1, which answers `200 ok` to whatever comes.
pub(in crate::serve) struct Recording {
    server: RawServer,
    requests: Arc<Mutex<Vec<Recorded>>>,
    changed: watch::Receiver<()>,
}

/// A request, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) struct Recorded {
    /// Request line and fields, as they came.
    pub(in crate::serve) head: String,
    /// The body, without its chunks' frames.
    pub(in crate::serve) body: Vec<u8>,
}

// === impl Recording ===

impl Recording {
    pub(in crate::serve) async fn start() -> Self {
        let requests = Arc::<Mutex<Vec<Recorded>>>::default();
        let (told, changed) = watch::channel(());
        let (kept, told) = (Arc::clone(&requests), Arc::new(told));
        let server = RawServer::tcp(move |_, stream| {
            let (kept, told) = (Arc::clone(&kept), Arc::clone(&told));
            async move {
                let mut connection = Connection {
                    stream,
                    read: Vec::new(),
                };
                while let Some(request) = connection.request().await {
                    kept.lock().push(request);
                    told.send_replace(());
                    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    connection.stream.write_all(ok).await.unwrap_or_default();
                }
            }
        });
        Self {
            server: server.await,
            requests,
            changed,
        }
    }

    pub(in crate::serve) fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub(in crate::serve) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().clone()
    }

    /// Waits until `count` requests have come.
    pub(in crate::serve) async fn wait(&self, count: usize) -> Vec<Recorded> {
        let mut changed = self.changed.clone();
        let enough = changed.wait_for(|()| self.requests.lock().len() >= count);
        let enough = timeout(PATIENCE, enough).await;
        assert!(enough.is_ok(), "{:?}", self.requests());
        self.requests()
    }
}

// === impl Recorded ===

impl Recorded {
    /// The values of every field `name`.
    pub(in crate::serve) fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.head.trim_end().split("\r\n").skip(1);
        let fields = fields.map(|line| line.split_once(": ").expect("a field"));
        let of_name = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value).collect()
    }
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// The next request. What is no clean HTTP/1.1 is a request with the head `GARBAGE`.
    async fn request(&mut self) -> Option<Recorded> {
        let head = self.until(b"\r\n\r\n").await?;
        let garbage = |read: &[u8]| Recorded {
            head: "GARBAGE".to_owned(),
            body: read.to_vec(),
        };
        let Ok(head) = String::from_utf8(head.clone()) else {
            return Some(garbage(&head));
        };
        if head.replace("\r\n", "").contains(['\r', '\n', '\0']) || !head.contains(" HTTP/1.1\r\n")
        {
            return Some(garbage(head.as_bytes()));
        }
        let mut request = Recorded {
            head,
            body: Vec::new(),
        };
        let lengths = request.values("content-length").join("|");
        let codings = request.values("transfer-encoding").join("|");
        request.body = match (lengths.as_str(), codings.as_str()) {
            ("", "") => Vec::new(),
            ("", "chunked") => self.chunks().await?,
            (length, "") if length.bytes().all(|b| b.is_ascii_digit()) => {
                self.exactly(length.parse().ok()?).await?
            }
            _ => return Some(garbage(request.head.as_bytes())),
        };
        Some(request)
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let line = String::from_utf8(line).ok()?;
            let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
            if size == 0 {
                while self.until(b"\r\n").await? != b"\r\n" {}
                return Some(body);
            }
            body.append(&mut self.exactly(size).await?);
            self.until(b"\r\n").await?;
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Some(self.read.drain(..count).collect())
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|w| w == end) {
                return Some(self.read.drain(..at + end.len()).collect());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(count) if count > 0 => Some(()),
            Ok(_) | Err(_) => None,
        }
    }
}
