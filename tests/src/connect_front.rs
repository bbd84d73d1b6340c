//! An HTTP CONNECT front as apiserver-network-proxy has: it remembers what it was asked, answers as
//! Go's server does when it hands a connection over, and leads every name to one place.

use std::{io, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The head of a CONNECT answer of a Go server: with the headers of an answer that has a body.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

/// A front that listens until this is dropped.
#[derive(Debug)]
pub struct ConnectFront {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

// === impl ConnectFront ===

impl ConnectFront {
    /// A front that leads to `target`, whatever it is asked for.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, heads) = (CancellationToken::new(), Arc::default());
        let this = Self {
            address: listener.local_addr().unwrap(),
            heads: Arc::clone(&heads),
            _stop: stop.clone().drop_guard(),
        };
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let carried = carry(stream, target, Arc::clone(&heads));
                // Either side may go at any time.
                connections.spawn(stop.clone().run_until_cancelled_owned(carried));
            }
        }));
        this
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests so far, each as it came.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }
}

async fn carry(
    mut caller: TcpStream,
    target: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await?);
    }
    heads
        .lock()
        .push(String::from_utf8_lossy(&head).into_owned());
    let mut target = TcpStream::connect(target).await?;
    caller.write_all(ANSWER).await?;
    copy_bidirectional(&mut caller, &mut target).await?;
    Ok(())
}
