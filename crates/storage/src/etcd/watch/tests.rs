//! What each response of etcd comes to, in the orders that a real one seldom shows.

use super::*;
use crate::etcd::wire::{etcdserverpb::ResponseHeader, mvccpb};

/// What [`check`] compares of a step.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// These revisions of events, and how far the watch has come.
    Delivered(Vec<i64>, i64),
    /// After this revision, the past is gone.
    Compacted(i64),
    Nothing,
    Reopened(String),
}

fn at(revision: i64) -> WatchResponse {
    WatchResponse {
        header: Some(ResponseHeader { revision }),
        ..WatchResponse::default()
    }
}

fn created() -> WatchResponse {
    WatchResponse {
        created: true,
        ..at(7)
    }
}

fn events(store: i64, revisions: &[i64]) -> WatchResponse {
    let event = |&mod_revision| mvccpb::Event {
        kv: Some(mvccpb::KeyValue {
            mod_revision,
            ..mvccpb::KeyValue::default()
        }),
        ..mvccpb::Event::default()
    };
    WatchResponse {
        events: revisions.iter().map(event).collect(),
        ..at(store)
    }
}

/// Takes `responses`, one after the other, of a watch after revision 5.
#[track_caller]
fn check(responses: impl IntoIterator<Item = (WatchResponse, Seen)>) {
    let (mut received, mut after) = (Received::default(), 5);
    for (number, (response, want)) in responses.into_iter().enumerate() {
        let seen = match received.take(response, after) {
            Step::Deliver(WatchBatch { events, revision }) => {
                after = revision;
                let revisions = events.iter().map(|event| event.kv.mod_revision);
                Seen::Delivered(revisions.collect(), revision)
            }
            Step::Fail(StoreError::Compacted { revision }) => Seen::Compacted(revision),
            Step::Fail(error) => panic!("response {number}: {error:?}"),
            Step::GoOn => Seen::Nothing,
            Step::Reopen(status) => Seen::Reopened(status.message().to_owned()),
        };
        assert_eq!(seen, want, "response {number}");
    }
}

/// etcd holds the events of a watch back until it has announced it, but not its answers to requests
/// for progress. Taken at its word, events 6 and 7 would be dropped as known.
#[test]
fn progress_counts_only_of_a_watch_that_is_announced() {
    check([
        (at(7), Seen::Nothing),
        (created(), Seen::Nothing),
        (events(7, &[6, 7]), Seen::Delivered(vec![6, 7], 7)),
        (at(7), Seen::Nothing),
        (at(9), Seen::Delivered(vec![], 9)),
    ]);
}

/// What comes again from a stream that was opened anew is not delivered again.
#[test]
fn what_is_known_is_passed_over() {
    check([
        (created(), Seen::Nothing),
        (events(7, &[4, 5]), Seen::Nothing),
        (events(7, &[5, 6]), Seen::Delivered(vec![6], 6)),
    ]);
}

/// More of the same revision may follow, so nothing is said of how far the watch has come.
#[test]
fn the_parts_of_a_response_are_delivered_together() {
    let part = |revisions| WatchResponse {
        fragment: true,
        ..events(9, revisions)
    };
    check([
        (created(), Seen::Nothing),
        (part(&[6]), Seen::Nothing),
        (part(&[7, 7]), Seen::Nothing),
        (events(9, &[7]), Seen::Delivered(vec![6, 7, 7, 7], 7)),
        (events(9, &[9]), Seen::Delivered(vec![9], 9)),
    ]);
}

#[test]
fn a_watch_that_etcd_ends_is_opened_again_unless_the_past_is_gone() {
    let canceled = |compact_revision| WatchResponse {
        canceled: true,
        compact_revision,
        cancel_reason: "no leader".to_owned(),
        ..at(9)
    };
    check([(canceled(0), Seen::Reopened("no leader".to_owned()))]);
    check([(canceled(8), Seen::Compacted(5))]);
}
