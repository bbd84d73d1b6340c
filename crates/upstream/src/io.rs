//! One type for every way to a member; a connection counts as open and can be listened to.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use fleetgate_stack::InPieces;
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::OpenConnection;

/// A byte stream: TCP, TLS, or either inside a forward proxy's tunnel.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An [`Io`] of any kind. Boxed once a connection.
pub(crate) type BoxedIo = Box<dyn Io>;

/// A connection to a member. It counts as open until it is dropped, whatever is spoken on it: an
/// upgraded connection is no HTTP any more, and still one.
#[derive(Debug)]
pub(crate) struct Connected<T> {
    io: InPieces<T>,
    _open: OpenConnection,
    heard_anything: bool,
    listener: Arc<Listener>,
}

/// One who waits for what a member says first. Woken each time the connection is read again after
/// something came: what came before has been acted upon by then.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    waker: AtomicWaker,
    gone: AtomicBool,
}

// === impl Connected ===

impl<T: AsyncRead> Connected<T> {
    /// `io`, counted by `open`.
    pub(crate) fn new(io: T, open: OpenConnection) -> Self {
        Self {
            io: InPieces::new(io),
            _open: open,
            heard_anything: false,
            listener: Arc::default(),
        }
    }

    /// The listener of this connection.
    pub(crate) fn listener(&self) -> Arc<Listener> {
        Arc::clone(&self.listener)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connected<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heard_anything {
            self.listener.wake();
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.heard_anything |= buf.filled().len() > before;
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connected<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

// === impl Listener ===

impl Listener {
    /// Wakes the task of `cx` when something more has come.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// Enough was heard.
    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    fn wake(&self) {
        if !self.gone.load(Ordering::Relaxed) {
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::Connected;
    use crate::Metrics;

    #[tokio::test]
    async fn what_comes_at_once_is_read_in_pieces() {
        let metrics = Metrics::register(&mut Registry::default()).member("m");
        let (ours, mut member) = duplex(1 << 20);
        let mut connected = Connected::new(ours, metrics.connection());
        member.write_all(&[7; 100_000]).await.expect("sent");
        let read = connected
            .read(&mut vec![0; 1 << 20])
            .await
            .expect("a piece");
        assert_eq!(read, 16 << 10);
    }
}
