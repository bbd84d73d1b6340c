//! What goes out when, and in which order.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};

use super::{Corked, LIMIT, SMALL, Turns};

/// Each write that came.
#[derive(Debug, Default)]
struct Writes(Vec<Vec<u8>>);

#[derive(Default)]
struct Woken(AtomicUsize);

impl AsyncWrite for Writes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.push(buf.to_vec());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One turn of a task: writes `texts`, and flushes after each as HTTP/2 does. How often the task
/// was woken by that.
fn turn(io: &mut Corked<Writes>, turns: &Turns, texts: &[&str]) -> usize {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let writes = poll_fn(|cx| {
        for text in texts {
            let written = Pin::new(&mut *io).poll_write(cx, text.as_bytes());
            assert!(matches!(written, Poll::Ready(Ok(n)) if n == text.len()));
            assert!(Pin::new(&mut *io).poll_flush(cx).is_ready());
        }
        Pin::new(&mut *io).poll_flush(cx)
    });
    assert!(pin!(turns.clone().of(writes)).poll(&mut cx).is_ready());
    woken.0.load(Ordering::Relaxed)
}

#[test]
fn what_two_turns_write_goes_out_together() {
    let turns = Turns::default();
    let mut io = Corked::new(Writes::default(), turns.clone());
    assert!(turn(&mut io, &turns, &["one"]) > 0, "woken again");
    assert!(turn(&mut io, &turns, &[" two", " three"]) > 0);
    assert!(io.io.0.is_empty(), "held back: {:?}", io.io);
    assert_eq!(turn(&mut io, &turns, &[]), 0);
    assert_eq!(io.io.0, [b"one two three"]);
    assert_eq!(io.held.capacity(), 0, "memory is kept for nothing");
    turn(&mut io, &turns, &["four"]);
    assert_eq!(io.io.0.len(), 1, "the next is held back again");
}

#[test]
fn whoever_writes_in_every_turn_is_not_held_back_for_long() {
    let turns = Turns::default();
    let mut io = Corked::new(Writes::default(), turns.clone());
    for text in ["one ", "two ", "three "] {
        assert!(io.io.0.is_empty(), "held back: {:?}", io.io);
        turn(&mut io, &turns, &[text]);
    }
    assert_eq!(io.io.0, [b"one two three "]);
}

#[test]
fn a_turn_without_a_word_writes_what_is_held_back() {
    let turns = Turns::default();
    let mut io = Corked::new(Writes::default(), turns.clone());
    turn(&mut io, &turns, &["one"]);
    assert_eq!(turn(&mut io, &turns, &[]), 0);
    assert_eq!(io.io.0, [b"one"]);
    assert_eq!(turn(&mut io, &turns, &[]), 0);
}

#[test]
fn an_open_one_holds_nothing_back() {
    let mut io = Corked::open(Writes::default());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut io).poll_write(&mut cx, b"one").is_ready());
    assert_eq!(io.io.0, [b"one"], "without a flush");
}

#[test]
fn no_more_is_held_back_than_the_limit() {
    let turns = Turns::default();
    let mut io = Corked::new(Writes::default(), turns.clone());
    let small = "s".repeat(SMALL);
    turn(&mut io, &turns, &[small.as_str(); LIMIT / SMALL + 1]);
    let lengths: Vec<_> = io.io.0.iter().map(Vec::len).collect();
    assert_eq!((lengths, io.held.len()), (vec![LIMIT], SMALL));
}

#[test]
fn what_is_large_is_written_by_itself_and_in_its_place() {
    let turns = Turns::default();
    let mut io = Corked::new(Writes::default(), turns.clone());
    let large = "l".repeat(SMALL + 1);
    turn(&mut io, &turns, &["one", &large, "two"]);
    assert_eq!(io.io.0, [b"one", large.as_bytes()]);
    assert_eq!(io.held, b"two");
}

#[tokio::test]
async fn nothing_is_lost_or_out_of_order_in_a_narrow_pipe() {
    let (mut reader, writer) = duplex(7);
    let turns = Turns::default();
    let mut io = Corked::new(writer, turns.clone());
    let pieces = (0..100).map(|n| vec![u8::try_from(n).expect("small"); n * 97 % (2 * SMALL)]);
    let pieces: Vec<_> = pieces.chain([vec![100; 2 * LIMIT]]).collect();
    let expected = pieces.concat();
    let write = turns.of(async move {
        for (number, piece) in pieces.iter().enumerate() {
            if number % 2 == 0 {
                io.write_all(piece).await?;
            } else {
                let (first, second) = piece.split_at(piece.len() / 3);
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                let written = io.write_vectored(&slices).await?;
                io.write_all(piece.get(written..).expect("no more than given"))
                    .await?;
            }
            if number % 3 == 0 {
                tokio::task::yield_now().await;
                io.flush().await?;
            }
        }
        io.shutdown().await
    });
    let mut read = Vec::new();
    let (written, all) = tokio::join!(write, reader.read_to_end(&mut read));
    written.expect("written");
    all.expect("read");
    assert!(read == expected, "{} of {}", read.len(), expected.len());
}
