//! Reads that give a piece at a time, so that what is passed on unread stays small.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

/// Bytes that one read gives at most: a TLS record (RFC 8446, section 5.1).
const PIECE: u64 = 16 << 10;

/// I/O of which one read gives no more than a piece, 16 KiB. Writes go through as they are.
///
/// hyper keeps sixteen pieces of a body for whoever does not take them, each as large as what one
/// read gave, and lets reads grow.
#[derive(Debug)]
pub struct InPieces<I> {
    io: Take<I>,
}

// === impl InPieces ===

impl<I: AsyncRead> InPieces<I> {
    /// `io`, read in pieces.
    pub fn new(io: I) -> Self {
        Self { io: io.take(0) }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for InPieces<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.set_limit(PIECE);
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for InPieces<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.io.get_mut()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{InPieces, PIECE};

    #[tokio::test]
    async fn what_comes_at_once_is_read_in_pieces() {
        let (mut sender, receiver) = duplex(1 << 20);
        let mut pieces = InPieces::new(receiver);
        let sent = vec![7; 100_000];
        sender.write_all(&sent).await.expect("sent");
        drop(sender);
        let mut buf = vec![0; 1 << 20];
        let (mut sizes, mut read) = (Vec::new(), 0);
        while let Ok(size @ 1..) = pieces.read(&mut buf).await {
            sizes.push(size as u64);
            read += size;
        }
        assert_eq!(read, sent.len());
        assert!(sizes.iter().all(|size| *size <= PIECE), "{sizes:?}");
    }
}
