//! Whether a member is there at all, told by whether it can be connected to.
//!
//! Only what happens on the way counts: a member that answers slowly, or with errors of its own, is
//! there. It is given up for a while when connections fail in a row; or when requests wait, nothing
//! is heard of it on any connection, and a connection made just to see does not come about either.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{Hop, UpstreamError};
use fleetgate_stack::{Admission, Breaker, BreakerPolicy, Tasks};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{
    check::check,
    dial::Dialer,
    metrics::{MemberMetrics, OpenCircuit},
    pace::Pace,
};

/// Connections that fail in a row before the member is given up, and how long it then is left alone.
const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 3,
    rest: Duration::from_secs(1),
};
/// How often it is looked whether anything was heard while requests wait. The first look after
/// something was heard finds that; with the others below and a hop of such a connection it is less
/// than a second until the member is given up.
const TICK: Duration = Duration::from_millis(80);
/// So many looks in a row at which nothing was heard are a reason to connect to see.
const SILENT_TICKS: u32 = 5;
/// Rest between connections that are made to see.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The least time that such a connection is given, and how many times that of the slowest of the
/// last ones that came about: a member far away is not a dead one.
const PATIENCE: (Duration, u32) = (Duration::from_millis(500), 4);

/// What is known of one member.
pub(crate) struct Health {
    breaker: Breaker<Cause>,
    /// Requests that wait for an answer, or for a connection.
    waiting: AtomicUsize,
    /// Something was heard since the last look.
    heard: AtomicBool,
    /// A task looks.
    watched: AtomicBool,
    /// How long connections that came about took.
    pace: Arc<Pace>,
    metrics: MemberMetrics,
    /// Counts as an open circuit.
    open: Mutex<Option<OpenCircuit>>,
}

/// Why a member is given up.
#[derive(Clone, Copy, Debug)]
struct Cause {
    hop: Hop,
    detail: Option<&'static str>,
}

/// A request that waits.
pub(crate) struct Waiting<'a>(&'a Health);

// === impl Health ===

impl Health {
    /// A member of which nothing bad is known but its `pace`.
    pub(crate) fn new(metrics: MemberMetrics, pace: Arc<Pace>) -> Self {
        Self {
            breaker: Breaker::new(POLICY),
            waiting: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            pace,
            metrics,
            open: Mutex::new(None),
        }
    }

    /// Lets a request through to a member that is there. Of those to one that is given up, one at a
    /// time tries to connect.
    ///
    /// # Errors
    /// [`UpstreamError::GivenUp`]; or what the one who tried met with.
    pub(crate) async fn admit(&self, dialer: &Dialer, tasks: &Tasks) -> Result<(), UpstreamError> {
        match self.breaker.admit() {
            Admission::Pass => Ok(()),
            Admission::Refused { cause, retry_after } => {
                self.metrics.refused();
                Err(cause.given_up(retry_after))
            }
            Admission::Trial(trial) => match check(dialer, self.patience(), tasks).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    if let Some(cause) = Cause::of(&error) {
                        trial.failed(cause);
                    }
                    Err(error)
                }
            },
        }
    }

    /// Waits for `connecting` until the member is given up.
    ///
    /// # Errors
    /// [`UpstreamError::GivenUp`].
    pub(crate) async fn or_given_up<T>(
        &self,
        connecting: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        tokio::select! {
            biased;
            connected = connecting => connected,
            (cause, retry_after) = self.breaker.opened() => {
                self.metrics.refused();
                Err(cause.given_up(retry_after))
            }
        }
    }

    /// Counts a request as one that waits, and sees to it that somebody looks whether it does so in
    /// vain.
    pub(crate) fn wait<'a>(self: &'a Arc<Self>, dialer: &Dialer, tasks: &Tasks) -> Waiting<'a> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if !self.watched.load(Ordering::SeqCst) && !self.watched.swap(true, Ordering::SeqCst) {
            self.heard.store(false, Ordering::Relaxed);
            let watch = watch(Arc::clone(self), dialer.clone(), tasks.clone());
            tasks.spawn_until_stopped(watch);
        }
        Waiting(self)
    }

    /// Something came from the member.
    pub(crate) fn heard(&self) {
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
        if self.breaker.succeeded() {
            self.count();
            tracing::info!(cluster = self.metrics.cluster(), "the member is back");
        }
    }

    /// A connection came about, or did not, `since` then. What fails while nobody waits, as one that
    /// is made ahead, says little.
    pub(crate) fn dialed<T>(&self, dialed: &Result<T, UpstreamError>, since: Instant) {
        match dialed.as_ref().err().and_then(Cause::of) {
            None => {
                self.pace.took(since.elapsed());
                self.heard();
            }
            Some(cause) => {
                let anybody_waits = self.waiting.load(Ordering::SeqCst) > 0;
                if anybody_waits && self.breaker.failed(cause) {
                    self.opened(cause);
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        let (least, times) = PATIENCE;
        self.pace.slowest().saturating_mul(times).max(least)
    }

    /// Connects to see, while nothing else is heard.
    async fn check(&self, dialer: &Dialer, tasks: &Tasks) {
        let Err(error) = check(dialer, self.patience(), tasks).await else {
            return;
        };
        if let Some(cause) = Cause::of(&error)
            && !self.heard.load(Ordering::Relaxed)
            && self.breaker.open(cause)
        {
            self.opened(cause);
        }
    }

    /// Counts the circuit as what it is by now: another may have turned it meanwhile.
    fn count(&self) {
        let mut open = self.open.lock();
        if !self.breaker.is_open() {
            *open = None;
        } else if open.is_none() {
            *open = Some(self.metrics.open_circuit());
        }
    }

    fn opened(&self, Cause { hop, detail }: Cause) {
        self.count();
        let cluster = self.metrics.cluster();
        tracing::warn!(cluster, %hop, detail, "the member is given up until it can be connected to");
    }
}

/// Whether `dialed` shows that the member is there: a connection, or a certificate, even one that is
/// not trusted.
pub(crate) fn is_there<T>(dialed: &Result<T, UpstreamError>) -> bool {
    dialed.as_ref().err().and_then(Cause::of).is_none()
}

/// Looks whether anything is heard as long as requests wait.
async fn watch(health: Arc<Health>, dialer: Dialer, tasks: Tasks) {
    let mut silent = 0;
    let mut look_at = Instant::now();
    loop {
        look_at += TICK;
        sleep_until(look_at).await;
        let is_late = look_at.elapsed() > TICK;
        if is_late {
            // Who gets no time to listen cannot tell whether somebody spoke.
            look_at = Instant::now();
        }
        if health.waiting.load(Ordering::SeqCst) == 0 {
            health.watched.store(false, Ordering::SeqCst);
            let is_alone = health.waiting.load(Ordering::SeqCst) == 0
                || health.watched.swap(true, Ordering::SeqCst);
            if is_alone {
                return;
            }
        }
        if health.heard.swap(false, Ordering::Relaxed) || is_late {
            silent = 0;
            continue;
        }
        silent += 1;
        if silent == SILENT_TICKS {
            health.check(&dialer, &tasks).await;
            silent = 0;
            look_at = Instant::now() + CHECK_INTERVAL;
        }
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

// === impl Cause ===

impl Cause {
    /// What `error` says against the member: nothing if it was reached, whatever it then did.
    fn of(error: &UpstreamError) -> Option<Self> {
        let (hop, detail) = match error {
            UpstreamError::Failed { hop, detail, .. } => (*hop, *detail),
            UpstreamError::TimedOut { hop } => (*hop, Some("timed out")),
            UpstreamError::Config { .. }
            | UpstreamError::GivenUp { .. }
            | UpstreamError::Refused { .. }
            | UpstreamError::Untrusted { .. } => return None,
        };
        match hop {
            Hop::Connect | Hop::Dns | Hop::Proxy | Hop::Tls => Some(Self { hop, detail }),
            Hop::Request => None,
        }
    }

    fn given_up(self, retry_after: Duration) -> UpstreamError {
        let Self { hop, detail } = self;
        UpstreamError::GivenUp {
            hop,
            detail,
            retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering};

    use fleetgate_model::{Hop, UpstreamError};
    use fleetgate_stack::Admission;
    use prometheus_client::registry::Registry;
    use tokio::time::Instant;

    use super::{Cause, Health, POLICY};
    use crate::{Metrics, pace::Pace};

    #[tokio::test(start_paused = true)]
    async fn a_member_heard_of_just_when_it_was_given_up_does_not_count_as_given_up() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let health = Health::new(metrics.member("m"), Arc::<Pace>::default());
        let cause = Cause {
            hop: Hop::Connect,
            detail: None,
        };
        let counted = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
            text.contains("upstream_circuit_open{cluster=\"m\"} 1")
        };
        assert!(health.breaker.open(cause));
        health.opened(cause);
        assert!(counted());
        health.heard();
        assert!(!counted());
        assert!(health.breaker.open(cause));
        health.heard();
        health.opened(cause);
        assert!(!counted());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_while_nobody_waits_gives_nobody_up() {
        let metrics = Metrics::register(&mut Registry::default());
        let health = Health::new(metrics.member("m"), Arc::<Pace>::default());
        let fail = || {
            let hop = Hop::Connect;
            health.dialed::<()>(&Err(UpstreamError::TimedOut { hop }), Instant::now());
        };
        for _ in 0..2 * POLICY.failures {
            fail();
        }
        assert!(matches!(health.breaker.admit(), Admission::Pass));
        health.waiting.store(1, Ordering::SeqCst);
        for _ in 0..POLICY.failures {
            fail();
        }
        assert!(matches!(health.breaker.admit(), Admission::Refused { .. }));
    }
}
