//! Calls to a set of endpoints: to the one that answered last, and from there around.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, metadata::MetadataValue, transport::Channel};

use super::{
    connect::Endpoint,
    failure::{CallError, Failure, NoAnswer, Reason},
    wire::etcdserverpb::{
        RangeRequest, RangeResponse, ResponseHeader, TxnRequest, TxnResponse, kv_client::KvClient,
    },
};

/// After all endpoints have failed, the next round waits so long, and each further one twice as
/// long as the last, up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The endpoints of one etcd cluster.
#[derive(Debug)]
pub(super) struct Client {
    endpoints: Vec<Endpoint>,
    /// The place of the endpoint to ask first.
    preferred: AtomicUsize,
    /// The highest revision that any answer showed. The store is at least there.
    seen: AtomicI64,
    timeout: Duration,
}

/// One try at one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) channel: Channel,
    place: usize,
}

/// What a call brought.
#[derive(Debug)]
pub(super) struct Called<T> {
    pub(super) message: T,
    /// Whether an earlier attempt of the same call may have been executed as well.
    pub(super) doubtful: bool,
}

/// How long to wait before the next try.
#[derive(Debug)]
pub(super) struct Backoff {
    /// Tries that cost nothing: one for each endpoint.
    free: usize,
    failures: usize,
}

/// A request that a member without a leader refuses at once rather than keep waiting.
pub(super) fn requiring_leader<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("hasleader", MetadataValue::from_static("true"));
    request
}

// === impl Client ===

impl Client {
    /// A client of `endpoints`. A call takes no longer than `timeout`, all attempts together.
    pub(super) fn new(endpoints: Vec<Endpoint>, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            endpoints,
            preferred: AtomicUsize::new(0),
            seen: AtomicI64::new(0),
            timeout,
        })
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn seen(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Notes the revision of an answer.
    pub(super) fn note(&self, header: Option<ResponseHeader>) {
        let revision = header.unwrap_or_default().revision;
        self.seen.fetch_max(revision, Ordering::Relaxed);
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff {
            free: self.endpoints.len(),
            failures: 0,
        }
    }

    /// The next try.
    pub(super) fn attempt(&self) -> Attempt {
        let place = self.preferred.load(Ordering::Relaxed);
        Attempt {
            channel: self.endpoints[place].channel.clone(),
            place,
        }
    }

    /// Turns to the next endpoint, unless someone already did, because this one failed.
    pub(super) fn leave(&self, attempt: &Attempt, status: Status) -> Reason {
        let place = attempt.place;
        let next = (place + 1) % self.endpoints.len();
        let order = Ordering::Relaxed;
        // Someone else may have turned already; then there is nothing to do.
        let _turned = self.preferred.compare_exchange(place, next, order, order);
        let Endpoint {
            address, failing, ..
        } = &self.endpoints[place];
        let reason = Reason {
            address: address.clone(),
            status,
        };
        if failing.lock().replace(reason.clone()).is_none() {
            tracing::warn!(endpoint = %address, error = %reason.status, "etcd endpoint fails");
        }
        reason
    }

    /// Notes that an endpoint has answered.
    pub(super) fn answered(&self, attempt: &Attempt) {
        let Endpoint {
            address, failing, ..
        } = &self.endpoints[attempt.place];
        if failing.lock().take().is_some() {
            tracing::info!(endpoint = %address, "etcd endpoint answers again");
        }
    }

    /// Of a request whose time was over before a call of its own could tell.
    pub(super) fn no_answer(&self) -> NoAnswer {
        let count = self.endpoints.len();
        let left = self.preferred.load(Ordering::Relaxed) + count - 1;
        NoAnswer {
            last: self.endpoints[left % count].failing.lock().clone(),
            ..NoAnswer::within(self.timeout)
        }
    }

    pub(super) async fn range(
        &self,
        request: RangeRequest,
    ) -> Result<Called<RangeResponse>, CallError> {
        let called = self.call(|mut kv| {
            let request = requiring_leader(request.clone());
            async move { kv.range(request).await }
        });
        let called = called.await?;
        self.note(called.message.header);
        Ok(called)
    }

    pub(super) async fn txn(&self, request: TxnRequest) -> Result<Called<TxnResponse>, CallError> {
        let called = self.call(|mut kv| {
            let request = requiring_leader(request.clone());
            async move { kv.txn(request).await }
        });
        let called = called.await?;
        self.note(called.message.header);
        Ok(called)
    }

    /// Tries until there is an answer or the time is over. What is called must bear being executed
    /// more than once.
    pub(super) async fn call<T, F>(
        &self,
        mut call: impl FnMut(KvClient<Channel>) -> F,
    ) -> Result<Called<T>, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let deadline = Instant::now() + self.timeout;
        let mut none = NoAnswer::within(self.timeout);
        let mut backoff = self.backoff();
        loop {
            let attempt = self.attempt();
            let kv = KvClient::new(attempt.channel.clone()).max_decoding_message_size(usize::MAX);
            let status = match time::timeout_at(deadline, call(kv)).await {
                Ok(Ok(response)) => {
                    self.answered(&attempt);
                    let message = response.into_inner();
                    return Ok(Called {
                        message,
                        doubtful: none.doubtful,
                    });
                }
                Ok(Err(status)) => status,
                Err(_) => {
                    self.leave(&attempt, Status::deadline_exceeded("no answer in time"));
                    none.doubtful = true;
                    return Err(CallError::NoAnswer(none));
                }
            };
            match Failure::from(status) {
                Failure::Answer(answer) => {
                    let doubtful = none.doubtful;
                    return Err(CallError::Answer { answer, doubtful });
                }
                Failure::Retry { doubtful, status } => {
                    none.last = Some(self.leave(&attempt, status));
                    none.doubtful |= doubtful;
                }
            }
            if time::timeout_at(deadline, backoff.wait()).await.is_err() {
                return Err(CallError::NoAnswer(none));
            }
        }
    }
}

// === impl Backoff ===

impl Backoff {
    /// Waits as long as the number of failures calls for.
    pub(super) async fn wait(&mut self) {
        self.failures += 1;
        time::sleep(self.pause()).await;
    }

    /// Forgets the failures.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn pause(&self) -> Duration {
        if !self.failures.is_multiple_of(self.free) {
            return Duration::ZERO;
        }
        let rounds = u32::try_from(self.failures / self.free).unwrap_or(u32::MAX);
        let factor = 2_u32.saturating_pow(rounds.saturating_sub(1));
        FIRST_PAUSE.saturating_mul(factor).min(LAST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_over_all_endpoints_is_free_and_then_pauses_grow() {
        #[track_caller]
        fn check(free: usize, want: &[u64]) {
            let pauses = (1..=want.len()).map(|failures| Backoff { free, failures }.pause());
            let pauses: Vec<_> = pauses.map(|pause| pause.as_millis()).collect();
            assert_eq!(
                pauses,
                want.iter().map(|ms| u128::from(*ms)).collect::<Vec<_>>()
            );
        }
        check(1, &[50, 100, 200, 400, 800, 1_000, 1_000]);
        check(3, &[0, 0, 50, 0, 0, 100]);
        assert_eq!(
            Backoff {
                free: 1,
                failures: usize::MAX
            }
            .pause(),
            LAST_PAUSE
        );
    }
}
