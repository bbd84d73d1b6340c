//! A list as JSON, put together from the JSON of its items while the caller reads it: an answer of
//! any size takes the memory of one frame.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use bytes::{BufMut, Bytes, BytesMut};
use fleetgate_registry::{Object, Stored};
use http_body::{Body, Frame, SizeHint};

/// A frame is sent once it has so many bytes.
const FRAME: usize = 64 << 10;
/// What stands behind the items.
const END: &[u8] = b"]}\n";

/// The rest of a list.
pub(super) struct ListBody<O> {
    /// What stands before the items, until it was sent.
    head: Bytes,
    items: vec::IntoIter<Arc<Stored<O>>>,
    /// What stands before the next item.
    separator: &'static [u8],
    /// Bytes yet to be sent.
    remaining: usize,
}

// === impl ListBody ===

impl<O: Object> ListBody<O> {
    /// `items` behind `head`, which ends in the bracket that opens them.
    pub(super) fn new(head: Bytes, items: Vec<Arc<Stored<O>>>) -> Self {
        // A brace, and a comma or, for the first, nothing.
        let size = |item: &Arc<Stored<O>>| item.item_json_after_brace().len() + 2;
        let size = items.iter().map(size).sum::<usize>();
        Self {
            remaining: head.len() + size.saturating_sub(1) + END.len(),
            head,
            items: items.into_iter(),
            separator: b"{",
        }
    }

    /// The next bytes; nothing once all were taken.
    pub(super) fn next_frame(&mut self) -> Option<Bytes> {
        if self.remaining == 0 {
            return None;
        }
        let mut frame = BytesMut::with_capacity(self.remaining.min(FRAME + FRAME / 4));
        frame.put(std::mem::take(&mut self.head));
        while frame.len() < FRAME {
            let Some(item) = self.items.next() else {
                frame.put(END);
                break;
            };
            frame.put(std::mem::replace(&mut self.separator, b",{"));
            frame.put(item.item_json_after_brace());
        }
        self.remaining -= frame.len();
        Some(frame.freeze())
    }
}

impl<O: Object> Body for ListBody<O> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.next_frame().map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining as u64)
    }
}
