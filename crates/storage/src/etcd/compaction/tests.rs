//! The race for compaction against an etcd that answers as it is told.

use std::sync::atomic::{AtomicI64, Ordering};

use fleetgate_testkit::{Answer, FakeMember, Received};

use super::Round;
use crate::{
    StoreError,
    etcd::{
        scripted::{answer, header, store},
        wire::{
            etcdserverpb::{
                CompactionResponse, RangeResponse, ResponseOp, TxnResponse, response_op::Response,
            },
            mvccpb::KeyValue,
        },
    },
};

/// `INVALID_ARGUMENT`, which no further try would change.
const REFUSAL: Answer = Answer::Grpc {
    message: None,
    status: "3",
};

/// What becomes of the race's transaction.
#[derive(Clone, Copy, Debug)]
enum Race {
    Won,
    /// The key has this version.
    Lost(i64),
    Refused,
}

/// What becomes of the compaction.
#[derive(Clone, Copy, Debug)]
enum Compaction {
    Done,
    Refused,
}

fn race(outcome: Race, revision: i64) -> Answer {
    let header = header(revision);
    match outcome {
        Race::Refused => REFUSAL,
        Race::Won => answer(&TxnResponse {
            header,
            succeeded: true,
            responses: Vec::new(),
        }),
        Race::Lost(version) => {
            let kv = KeyValue {
                version,
                ..KeyValue::default()
            };
            let range = RangeResponse {
                kvs: vec![kv],
                ..RangeResponse::default()
            };
            answer(&TxnResponse {
                header,
                succeeded: false,
                responses: vec![ResponseOp {
                    response: Some(Response::ResponseRange(range)),
                }],
            })
        }
    }
}

/// Enters the round after `round` when etcd is at revision 20, and wants to be in `want`, with a
/// compaction tried or not.
async fn check(outcomes: (Race, Compaction), round: (i64, i64), want: (i64, i64), tried: bool) {
    let compacted = std::sync::Arc::new(AtomicI64::new(0));
    let count = compacted.clone();
    let script = move |received: &Received| match received.path.as_str() {
        "/etcdserverpb.KV/Txn" => race(outcomes.0, 20),
        "/etcdserverpb.KV/Compact" => {
            count.fetch_add(1, Ordering::SeqCst);
            match outcomes.1 {
                Compaction::Done => answer(&CompactionResponse { header: header(20) }),
                Compaction::Refused => REFUSAL,
            }
        }
        other => panic!("{other} is asked"),
    };
    let etcd = FakeMember::plain().start(script).await;
    let store = store(&etcd);
    let round_of = |(number, revision)| Round { number, revision };
    let mut now = round_of(round);
    let result = store.compact_round(&mut now).await;
    let failed = match outcomes {
        (Race::Refused, _) => true,
        (Race::Lost(_), _) => false,
        (Race::Won, Compaction::Refused) => tried,
        (Race::Won, Compaction::Done) => false,
    };
    assert_eq!(
        failed,
        matches!(result, Err(StoreError::Refused { .. })),
        "{outcomes:?}: {result:?}"
    );
    assert_eq!(now, round_of(want), "{outcomes:?}");
    assert_eq!(
        compacted.load(Ordering::SeqCst),
        i64::from(tried),
        "{outcomes:?}"
    );
}

/// As in kube-apiserver, which would win each round from us if we sat out the one after a failure.
#[tokio::test]
async fn a_compaction_that_fails_costs_no_further_round() {
    use {
        Compaction::{Done, Refused},
        Race::{Lost, Won},
    };
    check((Won, Done), (0, 0), (1, 20), false).await;
    check((Won, Done), (1, 10), (2, 20), true).await;
    check((Won, Refused), (1, 10), (2, 20), true).await;
    check((Lost(7), Done), (1, 10), (7, 20), false).await;
    check((Race::Refused, Done), (1, 10), (1, 10), false).await;
}
