//! Questions that come while others are being asked are asked together.
//!
//! So many calls are under way at once and no more; who comes meanwhile joins those who wait for
//! the next one. Alone, nobody waits. What is asked together is asked after the last of them came,
//! so each gets an answer that is as new as if it had been asked by itself.

use std::{
    mem,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

/// So many calls are under way at once: while the answer to one is taken in, another is asked.
const CALLS: usize = 2;
/// Most questions of one call. etcd takes 128 unless told otherwise (`--max-txn-ops`).
const MOST: usize = 64;

/// Gathers questions `Q`, some of which are answered at once by an `A`.
#[derive(Debug)]
pub(super) struct Together<Q, A> {
    /// What the next call will ask, if somebody waits to make it.
    next: Mutex<Weak<Mutex<Asked<Q, A>>>>,
    calls: Semaphore,
}

/// What one call asks. Held by the first who came, who makes the call.
#[derive(Debug)]
struct Asked<Q, A> {
    questions: Vec<Q>,
    /// Where the answer goes for all but the first.
    others: Vec<oneshot::Sender<A>>,
}

/// What is left to do for somebody who asks.
#[derive(Debug)]
enum Part<Q, A> {
    Call(Arc<Mutex<Asked<Q, A>>>),
    Wait {
        place: usize,
        answer: oneshot::Receiver<A>,
    },
}

// === impl Together ===

impl<Q: Clone, A: Clone> Together<Q, A> {
    pub(super) fn new() -> Self {
        Self {
            next: Mutex::new(Weak::new()),
            calls: Semaphore::new(CALLS),
        }
    }

    /// The answer to some questions, and the place of `question` among them. They are asked by the
    /// `call` of the first of those who came, so each of them has to be polled until it is answered,
    /// or dropped.
    pub(super) async fn ask<F>(&self, question: Q, call: impl FnOnce(Vec<Q>) -> F) -> (usize, A)
    where
        F: Future<Output = A>,
    {
        loop {
            match self.join(question.clone()) {
                Part::Call(asked) => {
                    let _permit = self.calls.acquire().await;
                    let Asked { questions, others } = self.close(&asked);
                    let answer = call(questions).await;
                    for other in others {
                        // Whoever has left needs none.
                        let _left = other.send(answer.clone());
                    }
                    return (0, answer);
                }
                Part::Wait { place, answer } => {
                    if let Ok(answer) = answer.await {
                        return (place, answer);
                    }
                    // Who was to call has left.
                }
            }
        }
    }

    fn join(&self, question: Q) -> Part<Q, A> {
        let mut next = self.next.lock();
        if let Some(asked) = next.upgrade() {
            let mut asked = asked.lock();
            let place = asked.questions.len();
            if place < MOST {
                let (other, answer) = oneshot::channel();
                asked.questions.push(question);
                asked.others.push(other);
                return Part::Wait { place, answer };
            }
        }
        let asked = Arc::new(Mutex::new(Asked {
            questions: vec![question],
            others: Vec::new(),
        }));
        *next = Arc::downgrade(&asked);
        Part::Call(asked)
    }

    /// What is asked. Nobody joins after that.
    fn close(&self, asked: &Arc<Mutex<Asked<Q, A>>>) -> Asked<Q, A> {
        let mut next = self.next.lock();
        if next.as_ptr() == Arc::as_ptr(asked) {
            *next = Weak::new();
        }
        let mut asked = asked.lock();
        Asked {
            questions: mem::take(&mut asked.questions),
            others: mem::take(&mut asked.others),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::{FutureExt, future::join_all};
    use tokio::task::yield_now;

    use super::*;

    type Echo = Together<usize, Arc<Vec<usize>>>;

    /// Answers with what was asked, not at once.
    async fn echo(questions: Vec<usize>) -> Arc<Vec<usize>> {
        yield_now().await;
        Arc::new(questions)
    }

    /// How many questions each call had, of `count` that come at once.
    async fn calls(count: usize) -> Vec<usize> {
        let together = Echo::new();
        let sizes = Mutex::new(Vec::new());
        let asked = (0..count).map(|question| {
            together.ask(question, |questions| {
                sizes.lock().push(questions.len());
                echo(questions)
            })
        });
        for (question, (place, answer)) in join_all(asked).await.into_iter().enumerate() {
            assert_eq!(answer[place], question);
        }
        sizes.into_inner()
    }

    #[tokio::test]
    async fn who_comes_while_all_calls_are_under_way_shares_the_next() {
        assert_eq!(calls(1).await, [1]);
        assert_eq!(calls(2).await, [1, 1]);
        assert_eq!(calls(12).await, [1, 1, 10]);
        assert_eq!(calls(200).await, [1, 1, 64, 64, 64, 6]);
    }

    #[tokio::test]
    async fn who_comes_after_a_call_began_is_not_answered_by_it() {
        let together = Echo::new();
        let mut first = together.ask(1, |_| pending()).boxed();
        assert!((&mut first).now_or_never().is_none());
        let second = together.ask(2, |questions| ready(Arc::new(questions)));
        assert_eq!(second.now_or_never(), Some((0, Arc::new(vec![2]))));
    }

    #[tokio::test]
    async fn the_others_go_on_when_the_first_leaves() {
        let together = Echo::new();
        let mut busy: Vec<_> = (0..CALLS)
            .map(|n| together.ask(n, |_| pending()).boxed())
            .collect();
        for call in &mut busy {
            assert!(call.now_or_never().is_none());
        }
        let mut waiting = together.ask(10, |_| pending()).boxed();
        assert!((&mut waiting).now_or_never().is_none());
        let mut other = together.ask(11, |_| pending()).boxed();
        assert!((&mut other).now_or_never().is_none());
        let mut last = together
            .ask(12, |questions| ready(Arc::new(questions)))
            .boxed();
        assert!((&mut last).now_or_never().is_none());
        // Before its call began:
        drop(waiting);
        assert!((&mut other).now_or_never().is_none());
        assert!((&mut last).now_or_never().is_none());
        // While the call is under way:
        busy.clear();
        assert!((&mut other).now_or_never().is_none());
        drop(other);
        assert_eq!(last.now_or_never(), Some((0, Arc::new(vec![12]))));
    }
}
