//! A circuit breaker: what does not answer is not asked, but for one at a time who tries.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// Closed, open or half-open; `C` is why it opened. While it is closed and nothing fails, asking it
/// is one atomic load.
#[derive(Debug)]
pub struct Breaker<C> {
    policy: BreakerPolicy,
    failures: AtomicU32,
    is_open: AtomicBool,
    open: Mutex<Option<Open<C>>>,
    opened: Notify,
}

/// When a [`Breaker`] opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerPolicy {
    /// It opens at so many failures in a row.
    pub failures: u32,
    /// It lets nobody through for so long after it opened, and after each trial that failed.
    pub rest: Duration,
}

/// Whether one may go on.
#[derive(Debug)]
pub enum Admission<'b, C> {
    /// Closed: go on.
    Pass,
    /// Half-open: try, and say how it went.
    Trial(Trial<'b, C>),
    /// Open.
    Refused {
        /// Why it opened.
        cause: C,
        /// When the next trial may be, from now.
        retry_after: Duration,
    },
}

/// The one trial of a half-open breaker. Dropped without a word, it failed.
#[derive(Debug)]
pub struct Trial<'b, C>(&'b Breaker<C>);

#[derive(Debug)]
struct Open<C> {
    cause: C,
    retry_at: Instant,
    on_trial: bool,
}

// === impl Breaker ===

impl<C: Clone> Breaker<C> {
    /// A closed breaker.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            failures: AtomicU32::new(0),
            is_open: AtomicBool::new(false),
            open: Mutex::new(None),
            opened: Notify::new(),
        }
    }

    /// Whether one may go on.
    pub fn admit(&self) -> Admission<'_, C> {
        if !self.is_open.load(Ordering::Acquire) {
            return Admission::Pass;
        }
        let mut open = self.open.lock();
        let Some(open) = open.as_mut() else {
            return Admission::Pass;
        };
        let retry_after = open.retry_at.saturating_duration_since(Instant::now());
        if retry_after.is_zero() && !open.on_trial {
            open.on_trial = true;
            return Admission::Trial(Trial(self));
        }
        Admission::Refused {
            cause: open.cause.clone(),
            retry_after,
        }
    }

    /// Whether it is open or half-open.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Something failed because of `cause`. Whether the breaker opened over it.
    pub fn failed(&self, cause: C) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= self.policy.failures && self.open(cause)
    }

    /// Opens it because of `cause`. Whether it was closed before.
    pub fn open(&self, cause: C) -> bool {
        let mut open = self.open.lock();
        if open.is_some() {
            return false;
        }
        *open = Some(Open {
            cause,
            retry_at: Instant::now() + self.policy.rest,
            on_trial: false,
        });
        self.is_open.store(true, Ordering::Release);
        drop(open);
        self.opened.notify_waiters();
        true
    }

    /// There was an answer, on trial or not: closes it. Whether it was open before.
    pub fn succeeded(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if !self.is_open.load(Ordering::Acquire) {
            return false;
        }
        let mut open = self.open.lock();
        self.is_open.store(false, Ordering::Release);
        open.take().is_some()
    }

    /// Done as soon as it is open, with the cause and the time to the next trial.
    pub async fn opened(&self) -> (C, Duration) {
        loop {
            // Listens before it looks.
            let opened = self.opened.notified();
            if let Some(open) = &*self.open.lock() {
                let rest = open.retry_at.saturating_duration_since(Instant::now());
                return (open.cause.clone(), rest);
            }
            opened.await;
        }
    }
}

// === impl Trial ===

impl<C> Trial<'_, C> {
    /// It failed because of `cause`, which is why the breaker is open from now on.
    pub fn failed(self, cause: C) {
        if let Some(open) = self.0.open.lock().as_mut() {
            open.cause = cause;
        }
    }
}

impl<C> Drop for Trial<'_, C> {
    fn drop(&mut self) {
        if let Some(open) = self.0.open.lock().as_mut() {
            open.on_trial = false;
            open.retry_at = Instant::now() + self.0.policy.rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::{Admission, Breaker, BreakerPolicy};

    const REST: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker<&'static str> {
        Breaker::new(BreakerPolicy {
            failures: 3,
            rest: REST,
        })
    }

    #[track_caller]
    fn check(breaker: &Breaker<&'static str>, want: Option<(&'static str, Duration)>) {
        let got = match breaker.admit() {
            Admission::Pass => None,
            Admission::Refused { cause, retry_after } => Some((cause, retry_after)),
            Admission::Trial(_) => panic!("a trial"),
        };
        assert_eq!(got, want);
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_failures_in_a_row() {
        let breaker = breaker();
        assert!(!breaker.failed("a") && !breaker.failed("b"));
        assert!(!breaker.succeeded());
        assert!(!breaker.failed("c") && !breaker.failed("d"));
        check(&breaker, None);
        assert_eq!(breaker.opened().now_or_never(), None);
        assert!(breaker.failed("e"));
        check(&breaker, Some(("e", REST)));
        assert!(!breaker.failed("f"), "it is open already");
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_tries_what_is_open() {
        let breaker = breaker();
        assert!(breaker.open("a"));
        tokio::time::advance(REST).await;
        let Admission::Trial(trial) = breaker.admit() else {
            panic!("no trial")
        };
        check(&breaker, Some(("a", Duration::ZERO)));
        trial.failed("b");
        check(&breaker, Some(("b", REST)));
        tokio::time::advance(REST).await;
        let Admission::Trial(given_up) = breaker.admit() else {
            panic!("no trial")
        };
        drop(given_up);
        check(&breaker, Some(("b", REST)));
        tokio::time::advance(REST).await;
        let Admission::Trial(trial) = breaker.admit() else {
            panic!("no trial")
        };
        assert!(breaker.succeeded());
        drop(trial);
        check(&breaker, None);
        // What failed before does not count any more.
        assert!(!breaker.failed("c"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_that_it_opened() {
        let breaker = breaker();
        let mut opened = Box::pin(breaker.opened());
        assert!(futures::poll!(&mut opened).is_pending());
        breaker.open("a");
        assert_eq!(opened.await, ("a", REST));
    }
}
