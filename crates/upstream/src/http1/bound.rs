//! How many HTTP/1.1 connections a member that speaks HTTP/2 is given: more while many requests find
//! none free.
//!
//! A request on a kept HTTP/1.1 connection costs the member and the server less than a stream
//! (docs/performance.md), but a connection costs memory and a handshake. So a burst makes do with
//! streams, and lasting load earns connections: one handshake for [`EARNED_BY`] requests at most.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many there may be without load.
const LEAST: usize = 4;
/// So many at most: with those of HTTP/2, one for short requests and one for what lasts, eight.
const MOST: usize = 6;
/// Requests that found no connection free, for one connection more.
const EARNED_BY: usize = 256;

/// The number of connections that there may be.
#[derive(Debug)]
pub(super) struct Bound {
    free: Arc<Semaphore>,
    now: AtomicUsize,
    refused: AtomicUsize,
}

/// One connection may be there for as long as this is.
#[derive(Debug)]
pub(super) struct Permit(OwnedSemaphorePermit);

// === impl Bound ===

impl Default for Bound {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(LEAST)),
            now: AtomicUsize::new(LEAST),
            refused: AtomicUsize::new(0),
        }
    }
}

impl Bound {
    /// Leave for a connection. Being refused it is what raises the bound.
    pub(super) fn permit(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        if permit.is_err() {
            let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
            if refused.is_multiple_of(EARNED_BY) && self.change(|now| (now < MOST).then(|| now + 1))
            {
                self.free.add_permits(1);
            }
        }
        permit.ok().map(Permit)
    }

    /// The connection of `permit` was not needed: one less, unless there were few.
    pub(super) fn give_up(&self, permit: Permit) {
        if self.change(|now| (now > LEAST).then(|| now - 1)) {
            permit.0.forget();
        }
    }

    fn change(&self, to: impl Fn(usize) -> Option<usize>) -> bool {
        self.now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, to)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, EARNED_BY, LEAST, MOST};

    /// All the leave that there is.
    fn take_all(bound: &Bound) -> Vec<super::Permit> {
        std::iter::from_fn(|| bound.permit()).collect()
    }

    #[test]
    fn a_burst_earns_nothing() {
        let bound = Bound::default();
        let mut held = take_all(&bound);
        for _ in 2..EARNED_BY {
            assert!(bound.permit().is_none());
        }
        assert_eq!(held.len(), LEAST);
        assert!(bound.permit().is_none(), "it is earned, for the next one");
        held.extend(bound.permit());
        assert_eq!(held.len(), LEAST + 1);
    }

    #[test]
    fn load_that_lasts_earns_so_many_and_no_more() {
        let bound = Bound::default();
        let mut held = Vec::new();
        for _ in 0..2 * MOST * EARNED_BY {
            held.extend(bound.permit());
        }
        assert_eq!(held.len(), MOST);
    }

    #[test]
    fn what_is_not_needed_is_given_up_until_there_are_few() {
        let bound = Bound::default();
        let mut held = Vec::new();
        while held.len() < LEAST + 2 {
            held.extend(bound.permit());
        }
        for permit in held {
            bound.give_up(permit);
        }
        assert_eq!(take_all(&bound).len(), LEAST);
    }
}
