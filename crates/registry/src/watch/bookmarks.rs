//! When a watch is due a bookmark.

use std::time::Duration;

use tokio::time::Instant;

/// A quiet watch gets a bookmark so often.
const EVERY: Duration = Duration::from_secs(60);
/// The last bookmark comes so long before the watch ends, so that the next watch can start there.
const BEFORE_END: Duration = Duration::from_secs(2);

/// The bookmarks of one watch.
#[derive(Debug)]
pub(super) struct Bookmarks {
    next: Instant,
    last: Instant,
}

// === impl Bookmarks ===

impl Bookmarks {
    /// The bookmarks of a watch from `now` to `deadline`. One that is too short gets none.
    pub(super) fn new(now: Instant, deadline: Instant) -> Self {
        let last = deadline.checked_sub(BEFORE_END).filter(|last| *last > now);
        // Beyond the deadline, where it never comes.
        let last = last.unwrap_or(deadline + EVERY);
        Self {
            next: last.min(now + EVERY),
            last,
        }
    }

    /// When the next one is due.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// One was sent at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        let regular = now + EVERY;
        self.next = if self.last > now {
            regular.min(self.last)
        } else {
            regular
        };
    }
}
