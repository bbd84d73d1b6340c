//! Work that is done once for all who ask for the same at the same time.

use std::{
    collections::HashMap,
    fmt::{self, Debug, Formatter},
    hash::Hash,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;

/// Work of type `V` that is under way, by what it is for. It goes on for as long as somebody waits
/// for it, whoever began it, and is forgotten when it is done: what is to be remembered, it keeps
/// itself.
pub struct Together<K: Eq + Hash, V: Clone> {
    under_way: Mutex<HashMap<K, WeakShared<BoxFuture<'static, V>>>>,
}

/// One who waits. The last one who goes leaves nothing behind.
struct Waiting<'t, K: Eq + Hash, V: Clone> {
    together: &'t Together<K, V>,
    key: K,
    work: Option<Shared<BoxFuture<'static, V>>>,
}

// === impl Together ===

impl<K: Clone + Eq + Hash, V: Clone> Together<K, V> {
    /// What the work for `key` comes to: that which is under way, else what `begin` makes.
    pub async fn share(&self, key: K, begin: impl FnOnce() -> BoxFuture<'static, V>) -> V {
        let work = self.join(&key, begin);
        let _waiting = Waiting {
            together: self,
            key,
            work: Some(work.clone()),
        };
        work.await
    }

    fn join(
        &self,
        key: &K,
        begin: impl FnOnce() -> BoxFuture<'static, V>,
    ) -> Shared<BoxFuture<'static, V>> {
        let mut under_way = self.under_way.lock();
        let known = under_way.get(key).and_then(WeakShared::upgrade);
        // What is done was begun before this question came.
        if let Some(work) = known.filter(|work| work.peek().is_none()) {
            return work;
        }
        let work = begin().shared();
        if let Some(weak) = work.downgrade() {
            under_way.insert(key.clone(), weak);
        }
        work
    }
}

impl<K: Eq + Hash, V: Clone> Default for Together<K, V> {
    fn default() -> Self {
        Self {
            under_way: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash, V: Clone> Debug for Together<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let under_way = self.under_way.lock().len();
        f.debug_struct("Together")
            .field("under_way", &under_way)
            .finish()
    }
}

// === impl Waiting ===

impl<K: Eq + Hash, V: Clone> Drop for Waiting<'_, K, V> {
    fn drop(&mut self) {
        drop(self.work.take());
        let mut under_way = self.together.under_way.lock();
        let is_over = |work: &WeakShared<_>| work.upgrade().is_none();
        if under_way.get(&self.key).is_some_and(is_over) {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::{
        FutureExt,
        future::{BoxFuture, join_all, pending},
        poll,
    };
    use tokio::sync::oneshot;

    use super::Together;

    /// Work that is done when the sender says so.
    fn work() -> (oneshot::Sender<u8>, BoxFuture<'static, u8>) {
        let (sender, done) = oneshot::channel();
        (sender, done.map(Result::unwrap_or_default).boxed())
    }

    #[tokio::test]
    async fn all_who_ask_at_the_same_time_share_one_work() {
        let together = Together::default();
        let begun = AtomicUsize::new(0);
        let (done, receiver) = oneshot::channel();
        let work = receiver.map(Result::unwrap_or_default).shared();
        let begin = || {
            begun.fetch_add(1, Ordering::Relaxed);
            work.clone().boxed()
        };
        let mut all = pin!(join_all((0..50).map(|_| together.share("a", begin))));
        assert!(poll!(&mut all).is_pending());
        done.send(7).expect("somebody waits");
        assert_eq!((all.await, begun.load(Ordering::Relaxed)), (vec![7; 50], 1));
        assert_eq!(together.share("a", begin).await, 7);
        assert_eq!(begun.load(Ordering::Relaxed), 2, "nothing is remembered");
    }

    #[tokio::test]
    async fn what_is_done_answers_no_later_question() {
        let together = Together::default();
        let (done, first) = work();
        let mut early = pin!(together.share("a", || first));
        let mut slow = pin!(together.share("a", || pending().boxed()));
        assert!(poll!(&mut early).is_pending());
        assert!(poll!(&mut slow).is_pending());
        done.send(7).expect("somebody waits");
        assert_eq!(early.await, 7);
        assert_eq!(together.share("a", || async { 8 }.boxed()).await, 8);
        assert_eq!(slow.await, 7);
    }

    #[tokio::test]
    async fn work_goes_on_however_many_go_away() {
        let together = Together::default();
        let (done, first) = work();
        let mut all: Vec<_> = [first]
            .into_iter()
            .chain((0..500).map(|_| pending().boxed()))
            .map(|work| Box::pin(together.share("a", || work)))
            .collect();
        for waiting in &mut all {
            assert!(poll!(waiting).is_pending());
        }
        let last = all.pop().expect("many");
        for waiting in all {
            drop(waiting);
        }
        done.send(7).expect("somebody waits");
        assert_eq!(last.await, 7);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends_and_leaves_nothing() {
        let together = Together::default();
        let (done, given_up) = work();
        {
            let mut waiting = pin!(together.share("a", || given_up));
            assert!(poll!(&mut waiting).is_pending());
        }
        assert!(done.is_closed());
        assert!(together.under_way.lock().is_empty());
        assert_eq!(together.share("a", || async { 8 }.boxed()).await, 8);
        assert!(together.under_way.lock().is_empty());
    }
}
