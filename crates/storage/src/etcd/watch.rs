//! A watch that goes on: the stream to etcd is made anew from the last revision that was delivered.

use std::{mem, sync::Arc, time::Duration};

use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    sync::Notify,
    time::{self, Instant, MissedTickBehavior},
};
use tonic::{Status, Streaming};

use super::{
    client::{Attempt, Backoff, Client, requiring_leader},
    wire::{
        self,
        etcdserverpb::{
            WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
            watch_client::WatchClient, watch_request::RequestUnion,
        },
    },
};
use crate::{Event, StoreError, WatchBatch};

/// When a watch asks how far it has come.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// So often,
    pub(super) interval: Duration,
    /// and when somebody wants to know.
    pub(super) wanted: Arc<Notify>,
}

/// Where a watch stands.
struct Watcher {
    client: Arc<Client>,
    prefix: String,
    /// Everything up to here was delivered.
    after: i64,
    progress: Progress,
    source: Option<Source>,
    backoff: Backoff,
}

/// A stream from one endpoint.
struct Source {
    attempt: Attempt,
    responses: Streaming<WatchResponse>,
    received: Received,
}

/// What a stream has brought that is not delivered yet.
#[derive(Debug, Default)]
struct Received {
    /// Whether etcd has said that the watch is there.
    is_created: bool,
    /// The beginning of a response that comes in parts.
    parts: Vec<Event>,
}

/// What a response comes to.
#[derive(Debug)]
enum Step {
    Deliver(WatchBatch),
    Fail(StoreError),
    GoOn,
    Reopen(Status),
}

/// Watches `prefix` after `after`, asking for progress as `progress` says.
pub(super) fn watch(
    client: Arc<Client>,
    prefix: String,
    after: i64,
    progress: Progress,
) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
    let backoff = client.backoff();
    let watcher = Watcher {
        client,
        prefix,
        after,
        progress,
        source: None,
        backoff,
    };
    stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(batch) => Some((Ok(batch), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// The request for a watch, then requests for progress for as long as the stream lives. These also
/// keep etcd from taking our pings for abuse: it bears them where there is other traffic.
fn requests(create: WatchCreateRequest, progress: Progress) -> impl Stream<Item = WatchRequest> {
    let create = WatchRequest {
        request_union: Some(RequestUnion::CreateRequest(create)),
    };
    let Progress { interval, wanted } = progress;
    let mut ticks = time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let progress = stream::unfold((ticks, wanted), |(mut ticks, wanted)| async move {
        tokio::select! {
            _ = ticks.tick() => {}
            () = wanted.notified() => {}
        }
        let progress = RequestUnion::ProgressRequest(WatchProgressRequest {});
        Some((
            WatchRequest {
                request_union: Some(progress),
            },
            (ticks, wanted),
        ))
    });
    stream::once(async { create }).chain(progress)
}

// === impl Watcher ===

impl Watcher {
    async fn next(&mut self) -> Result<WatchBatch, StoreError> {
        loop {
            let mut source = match self.source.take() {
                Some(source) => source,
                None => self.open().await,
            };
            let step = match source.responses.message().await {
                Ok(Some(response)) => {
                    self.client.note(response.header);
                    source.received.take(response, self.after)
                }
                Ok(None) => Step::Reopen(Status::unavailable("etcd ended the watch")),
                Err(status) => Step::Reopen(status),
            };
            match step {
                Step::Fail(error) => return Err(error),
                Step::Reopen(status) => {
                    self.client.leave(&source.attempt, status);
                    self.backoff.wait().await;
                }
                Step::GoOn => self.source = Some(source),
                Step::Deliver(batch) => {
                    self.backoff.reset();
                    self.client.answered(&source.attempt);
                    self.after = batch.revision;
                    self.source = Some(source);
                    return Ok(batch);
                }
            }
        }
    }

    /// Opens a stream at whichever endpoint lets us.
    async fn open(&mut self) -> Source {
        loop {
            let attempt = self.client.attempt();
            let (key, range_end) = wire::prefix_bounds(&self.prefix);
            let create = WatchCreateRequest {
                key,
                range_end,
                start_revision: self.after + 1,
                prev_kv: true,
                fragment: true,
            };
            let mut client =
                WatchClient::new(attempt.channel.clone()).max_decoding_message_size(usize::MAX);
            let open = client.watch(requiring_leader(requests(create, self.progress.clone())));
            let status = match time::timeout(self.client.timeout(), open).await {
                Ok(Ok(response)) => {
                    return Source {
                        attempt,
                        responses: response.into_inner(),
                        received: Received::default(),
                    };
                }
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("the watch did not open in time"),
            };
            self.client.leave(&attempt, status);
            self.backoff.wait().await;
        }
    }
}

// === impl Received ===

impl Received {
    /// Takes the next response of a watch that has delivered everything up to `after`.
    fn take(&mut self, response: WatchResponse, after: i64) -> Step {
        let revision = response.header.unwrap_or_default().revision;
        if response.canceled {
            if response.compact_revision > 0 {
                return Step::Fail(StoreError::Compacted { revision: after });
            }
            return Step::Reopen(Status::unavailable(response.cancel_reason));
        }
        if response.created {
            self.is_created = true;
            return Step::GoOn;
        }
        if response.events.is_empty() && self.parts.is_empty() {
            // Progress: all watches of the stream, which is this one, have come so far. Until etcd has
            // announced the watch it holds its events back, but not what it says of progress.
            return if revision > after && self.is_created {
                Step::Deliver(WatchBatch {
                    events: Vec::new(),
                    revision,
                })
            } else {
                Step::GoOn
            };
        }
        let is_new = |event: &Event| event.kv.mod_revision > after;
        self.parts.extend(
            response
                .events
                .into_iter()
                .filter_map(wire::event)
                .filter(is_new),
        );
        if response.fragment {
            return Step::GoOn;
        }
        // Not the revision of the header: that is the store's, and there may be more to come below.
        match self.parts.last().map(|event| event.kv.mod_revision) {
            Some(revision) => Step::Deliver(WatchBatch {
                events: mem::take(&mut self.parts),
                revision,
            }),
            None => Step::GoOn,
        }
    }
}

#[cfg(test)]
mod tests;
