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
    /// The member reads no more. What it said before that is still to be read, and often why: what
    /// is written from now on is lost, and the end comes behind its last word.
    is_deaf: bool,
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
            is_deaf: false,
            listener: Arc::default(),
        }
    }

    /// What came of writing; `lost` where the member reads no more.
    fn wrote<R>(&mut self, wrote: Poll<io::Result<R>>, lost: R) -> Poll<io::Result<R>> {
        match wrote {
            Poll::Ready(Err(error)) if is_reset(&error) => {
                self.is_deaf = true;
                Poll::Ready(Ok(lost))
            }
            other @ (Poll::Ready(_) | Poll::Pending) => other,
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
        if self.is_deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(written, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(len));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(written, len)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.wrote(flushed, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Whether `error` says that the other side has closed.
fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
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
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use prometheus_client::registry::Registry;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

    use super::Connected;
    use crate::Metrics;

    /// Has said something, and reads nothing, which is told once.
    struct Deaf {
        said: &'static [u8],
        told: bool,
    }

    impl Deaf {
        fn fail<T>(&mut self, kind: io::ErrorKind) -> Poll<io::Result<T>> {
            assert!(!self.told, "there is nobody to write to");
            self.told = true;
            Poll::Ready(Err(kind.into()))
        }
    }

    impl AsyncRead for Deaf {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.said).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Deaf {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.fail(io::ErrorKind::ConnectionReset)
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.fail(io::ErrorKind::BrokenPipe)
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn the_last_word_of_a_member_that_reads_no_more_is_read() {
        let metrics = Metrics::register(&mut Registry::default()).member("m");
        let pieces = [io::IoSlice::new(b"ab"), io::IoSlice::new(b"c")];
        for first in ["write", "write_vectored", "flush"] {
            let deaf = Deaf {
                said: b"no more",
                told: false,
            };
            let mut io = Connected::new(deaf, metrics.connection());
            match first {
                "write" => io.write_all(b"abc").await.expect("as if written"),
                "flush" => io.flush().await.expect("as if written"),
                _ => assert_eq!(io.write_vectored(&pieces).await.ok(), Some(3)),
            }
            io.write_all(b"abc").await.expect("as if written");
            assert_eq!(io.write_vectored(&pieces).await.ok(), Some(3));
            io.flush().await.expect("as if written");
            let mut said = String::new();
            io.read_to_string(&mut said).await.expect("an end");
            assert_eq!(said, "no more");
        }
    }

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
