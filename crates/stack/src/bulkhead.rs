//! Places for so many at a time, given in turn to those who wait for one.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Counters for the places of each user: in more than one, so that two users seldom share all.
const SKETCH: usize = 256;

/// So many places, of which one user has a part at most. Who finds none waits; as places become
/// free, users who wait are served in turn, however many requests each of them has waiting.
///
/// Where there is a place and nobody waits, taking one locks and allocates nothing. Users are told
/// apart by their hash: places of users who share their counters are taken for one user's, which
/// makes a limit of theirs too strict and never too wide.
#[derive(Debug)]
pub struct Bulkhead {
    limits: BulkheadLimits,
    taken: AtomicUsize,
    /// Places of each user, each counted twice.
    by_user: [AtomicU32; SKETCH],
    /// As many as wait.
    waiting: AtomicUsize,
    queues: Mutex<Queues>,
    hasher: RandomState,
}

/// How many a [`Bulkhead`] lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadLimits {
    /// Places.
    pub places: usize,
    /// Of which one user has at most.
    pub per_user: usize,
    /// As many may wait.
    pub queue: usize,
}

/// A place in a [`Bulkhead`], free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// Present until it is free.
    bulkhead: Option<Arc<Bulkhead>>,
    user: User,
}

/// There is no place, and none to wait in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every place is taken")]
pub struct Full;

/// The two counters of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User(usize, usize);

/// Those who wait, by user; the user whose turn it is comes first. No queue is empty.
#[derive(Debug, Default)]
struct Queues(VecDeque<(User, VecDeque<oneshot::Sender<Place>>)>);

// === impl Bulkhead ===

impl Bulkhead {
    /// All places free.
    pub fn new(limits: BulkheadLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            taken: AtomicUsize::new(0),
            by_user: [const { AtomicU32::new(0) }; SKETCH],
            waiting: AtomicUsize::new(0),
            queues: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// The limits.
    pub const fn limits(&self) -> BulkheadLimits {
        self.limits
    }

    /// Places that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    /// Those who wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// A place for `user`, if there is one and nobody waits.
    pub fn try_enter(self: &Arc<Self>, user: &str) -> Option<Place> {
        if self.waiting.load(SeqCst) != 0 {
            return None;
        }
        let place = self.take(self.user(user));
        if place.is_none() && self.waiting.load(SeqCst) != 0 {
            // Whoever began to wait may have seen a place as taken that was only tried for.
            self.hand_out(&mut self.queues.lock());
        }
        place
    }

    /// A place for `user`, waited for in turn where there is none. Who gives up waiting leaves the
    /// queue.
    ///
    /// # Errors
    /// [`Full`] at once if as many wait as may, `user` among those with the most; or later, to make
    /// room for a user with fewer.
    pub async fn enter(self: &Arc<Self>, user: &str) -> Result<Place, Full> {
        if let Some(place) = self.try_enter(user) {
            return Ok(place);
        }
        self.queue(self.user(user)).await.map_err(|_| Full)
    }

    /// The counters of `user`.
    fn user(&self, user: &str) -> User {
        User::of(self.hasher.hash_one(user))
    }

    /// A place if there is one for `user`.
    fn take(self: &Arc<Self>, user: User) -> Option<Place> {
        let BulkheadLimits {
            places, per_user, ..
        } = self.limits;
        let more = |taken| (taken < places).then_some(taken + 1);
        self.taken.fetch_update(SeqCst, SeqCst, more).ok()?;
        let before = self.count(user);
        let place = Place {
            bulkhead: Some(Arc::clone(self)),
            user,
        };
        if before < per_user {
            return Some(place);
        }
        place.give_back();
        None
    }

    /// Counts one place more for `user`, and tells how many there were.
    fn count(&self, User(one, other): User) -> usize {
        let add = |at: usize| self.by_user.get(at).map_or(0, |n| n.fetch_add(1, SeqCst));
        let least = add(one).min(add(other));
        usize::try_from(least).unwrap_or(usize::MAX)
    }

    fn queue(self: &Arc<Self>, user: User) -> oneshot::Receiver<Place> {
        let mut queues = self.queues.lock();
        // Announced before the last look: whoever frees a place meanwhile looks at the queues.
        self.waiting.fetch_add(1, SeqCst);
        let (sender, receiver) = oneshot::channel();
        queues.push(user, sender);
        self.hand_out(&mut queues);
        if self.waiting.load(SeqCst) > self.limits.queue {
            let left = queues.drop_gone();
            self.waiting.fetch_sub(left, SeqCst);
        }
        if self.waiting.load(SeqCst) > self.limits.queue {
            queues.drop_last_of_longest();
            self.waiting.fetch_sub(1, SeqCst);
        }
        receiver
    }

    /// Gives free places to those whose turn it is.
    fn hand_out(self: &Arc<Self>, queues: &mut Queues) {
        let mut passed_over = 0;
        while passed_over < queues.0.len() {
            let Some((user, mut senders)) = queues.0.pop_front() else {
                return;
            };
            let place = self.take(user);
            let is_served = place.is_some();
            if let Some(place) = place
                && let Some(sender) = senders.pop_front()
            {
                self.waiting.fetch_sub(1, SeqCst);
                if let Err(place) = sender.send(place) {
                    place.give_back();
                }
            }
            if !senders.is_empty() {
                queues.0.push_back((user, senders));
            }
            if is_served {
                passed_over = 0;
            } else if self.taken.load(SeqCst) >= self.limits.places {
                // Nobody was served, so the turn is still theirs.
                queues.0.rotate_right(1);
                return;
            } else {
                passed_over += 1;
            }
        }
    }
}

// === impl Queues ===

impl Queues {
    fn push(&mut self, user: User, sender: oneshot::Sender<Place>) {
        match self.0.iter_mut().find(|(other, _)| *other == user) {
            Some((_, senders)) => senders.push_back(sender),
            None => self.0.push_back((user, VecDeque::from([sender]))),
        }
    }

    /// Drops those who wait no more. How many.
    fn drop_gone(&mut self) -> usize {
        let count = |queues: &Self| queues.0.iter().map(|(_, s)| s.len()).sum::<usize>();
        let before = count(self);
        for (_, senders) in &mut self.0 {
            senders.retain(|sender| !sender.is_closed());
        }
        self.0.retain(|(_, senders)| !senders.is_empty());
        before - count(self)
    }

    /// Tells the one who came last of the user with the most that all is full.
    fn drop_last_of_longest(&mut self) {
        if let Some((_, longest)) = self.0.iter_mut().max_by_key(|(_, s)| s.len()) {
            longest.pop_back();
        }
        self.0.retain(|(_, senders)| !senders.is_empty());
    }
}

// === impl User ===

impl User {
    /// Two different counters.
    fn of(hash: u64) -> Self {
        let at = |bits: u64| usize::try_from(bits).unwrap_or_default() % SKETCH;
        let (one, step) = (at(hash & 0xffff_ffff), at(hash >> 32) % (SKETCH - 1) + 1);
        Self(one, (one + step) % SKETCH)
    }
}

// === impl Place ===

impl Place {
    /// Frees it, and leaves it to the caller to give it to another.
    fn give_back(mut self) {
        self.free();
    }

    /// Frees it, if it is not free yet.
    fn free(&mut self) -> Option<Arc<Bulkhead>> {
        let bulkhead = self.bulkhead.take()?;
        let User(one, other) = self.user;
        for at in [one, other] {
            if let Some(counter) = bulkhead.by_user.get(at) {
                counter.fetch_sub(1, SeqCst);
            }
        }
        bulkhead.taken.fetch_sub(1, SeqCst);
        Some(bulkhead)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(bulkhead) = self.free()
            && bulkhead.waiting.load(SeqCst) > 0
        {
            bulkhead.hand_out(&mut bulkhead.queues.lock());
        }
    }
}

#[cfg(test)]
mod tests;
