//! A cork on what a connection writes: what many streams have to say goes out together.
//!
//! Each stream of an HTTP/2 connection is a task of its own, and wakes the connection's after each
//! frame. That would run at once, and write and encrypt one frame at a time. So the connection's
//! task goes to the end of the queue of tasks first, and whoever stands in that queue adds to what
//! it writes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held back at most: three TLS records, about what rustls takes in one go. More is
/// written before anything is added.
const LIMIT: usize = 48 << 10;
/// What is larger is written by itself: full frames (16 KiB) cost more to copy than that spares.
const SMALL: usize = 12 << 10;
/// Turns for which something is held back at most: one for what woke the task, one for those who
/// stood in the queue behind it.
const MAX_TURNS: usize = 2;

/// I/O that holds back what is written and flushed until the task that does so was polled again.
///
/// A flush is taken to be done although it is not: the task is woken instead, and has to flush
/// again, as the connections of HTTP/2 do each time they are polled. Shutting down writes all.
#[derive(Debug)]
pub struct Corked<I> {
    io: I,
    /// None if everything goes straight through.
    turns: Option<Turns>,
    held: Vec<u8>,
    written: usize,
    /// The turns in which the first and the last of the bytes held back came, if there are any.
    since: Option<(usize, usize)>,
}

/// The turns of a task: how often it was polled. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<AtomicUsize>);

pin_project! {
    /// A future whose turns are counted.
    #[derive(Debug)]
    pub struct Counted<F> {
        #[pin]
        future: F,
        turns: Turns,
    }
}

// === impl Corked ===

impl<I> Corked<I> {
    /// `io`, written to by the task whose `turns` these are.
    pub const fn new(io: I, turns: Turns) -> Self {
        Self::with(io, Some(turns))
    }

    /// `io` as it is.
    pub const fn open(io: I) -> Self {
        Self::with(io, None)
    }

    const fn with(io: I, turns: Option<Turns>) -> Self {
        Self {
            io,
            turns,
            held: Vec::new(),
            written: 0,
            since: None,
        }
    }

    /// The turn in which `len` more bytes are to be held back, if they are.
    fn turn_for(&self, len: usize) -> Option<usize> {
        let turns = self.turns.as_ref().filter(|_| len <= SMALL)?;
        Some(turns.now())
    }

    /// Whether more may come before what is held back has to go: something came in this turn, and
    /// it is the first or the second since the cork is in.
    fn may_get_more(&self) -> bool {
        let now = self.turns.as_ref().map(Turns::now);
        self.since
            .zip(now)
            .is_some_and(|((first, last), now)| last == now && now.wrapping_sub(first) < MAX_TURNS)
    }

    fn hold(&mut self, bytes: &[u8], turn: usize) {
        if self.since.is_none() {
            self.held.reserve(LIMIT);
        }
        let (first, _) = self.since.unwrap_or((turn, turn));
        self.since = Some((first, turn));
        self.held.extend_from_slice(bytes);
    }
}

impl<I: AsyncWrite + Unpin> Corked<I> {
    /// Writes all that is held back.
    fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.held.get(self.written..) {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        // A connection at rest holds no memory for what it may write one day.
        (self.held, self.written, self.since) = (Vec::new(), 0, None);
        Poll::Ready(Ok(()))
    }

    /// Makes room for `more` bytes in one piece.
    fn poll_room(&mut self, cx: &mut Context<'_>, more: usize) -> Poll<io::Result<()>> {
        let is_full = self.held.len() + more > LIMIT;
        if !self.held.is_empty() && (is_full || more > SMALL) {
            return self.poll_release(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Corked<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Corked<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx, buf.len()))?;
        let Some(turn) = self.turn_for(buf.len()) else {
            return Pin::new(&mut self.io).poll_write(cx, buf);
        };
        self.hold(buf, turn);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        ready!(self.poll_room(cx, len))?;
        let Some(turn) = self.turn_for(len) else {
            return Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        };
        for buf in bufs {
            self.hold(buf, turn);
        }
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.turns.is_some() || self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.may_get_more() {
            cx.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

// === impl Turns ===

impl Turns {
    /// Counts the turns of `future`.
    pub const fn of<F: Future>(self, future: F) -> Counted<F> {
        Counted {
            future,
            turns: self,
        }
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Counted ===

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.turns.0.fetch_add(1, Ordering::Relaxed);
        this.future.poll(cx)
    }
}

#[cfg(test)]
mod tests;
