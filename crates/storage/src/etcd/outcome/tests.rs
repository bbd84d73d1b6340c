//! Writes that are refused by an etcd that answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use fleetgate_testkit::{Answer, FakeMember, Received};

use crate::{
    Store, StoreError, Write, WriteResult,
    etcd::{
        scripted::{answer, header, refusal, store},
        wire::{etcdserverpb::RangeResponse, mvccpb::KeyValue},
    },
};

/// How etcd fails.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// It gives up waiting, and may do it yet.
    Lost,
    Denied,
    Full,
    TooLarge,
}

impl Refusal {
    fn answer(self) -> Answer {
        match self {
            Self::Lost => refusal("14", "etcdserver: request timed out"),
            Self::Denied => refusal("7", "etcdserver: permission denied"),
            Self::Full => refusal("8", "etcdserver: mvcc: database space exceeded"),
            Self::TooLarge => refusal("3", "etcdserver: request is too large"),
        }
    }
}

/// Creates a key with value 1. The attempts fail as in `attempts`; then the key is created at
/// revision 7 with `there`, or missing, or may not be read.
async fn check(
    attempts: &'static [Refusal],
    there: Result<Option<&'static str>, Refusal>,
    want: &str,
) {
    let tries = AtomicUsize::new(0);
    let script = move |received: &Received| match received.path.as_str() {
        "/etcdserverpb.KV/Txn" => attempts[tries.fetch_add(1, Ordering::SeqCst)].answer(),
        "/etcdserverpb.KV/Range" => match there {
            Err(refusal) => refusal.answer(),
            Ok(value) => {
                let kv = value.map(|value| KeyValue {
                    key: "/a".into(),
                    value: value.into(),
                    create_revision: 7,
                    mod_revision: 7,
                    version: 1,
                });
                answer(&RangeResponse {
                    header: header(8),
                    kvs: kv.into_iter().collect(),
                    ..RangeResponse::default()
                })
            }
        },
        other => panic!("{other} is asked"),
    };
    let etcd = FakeMember::plain().start(script).await;
    let write = Write::Create {
        key: "/a".to_owned(),
        value: "1".into(),
    };
    let result = store(&etcd).write(write).await;
    let found = match &result {
        Ok(WriteResult::Committed { revision: 7 }) => "committed",
        Ok(WriteResult::Conflict { current: Some(_) }) => "conflict",
        Err(StoreError::Refused { .. }) => "refused",
        Err(StoreError::TooLarge { .. }) => "too large",
        Err(StoreError::Uncertain { .. }) => "uncertain",
        other => panic!("{attempts:?} {there:?}: {other:?}"),
    };
    assert_eq!(found, want, "{attempts:?} {there:?}: {result:?}");
}

#[tokio::test]
async fn what_etcd_wrote_is_not_called_refused_for_want_of_space() {
    use Refusal::{Denied, Full};
    check(&[Full], Ok(Some("1")), "committed").await;
    check(&[Full], Ok(Some("theirs")), "conflict").await;
    check(&[Full], Ok(None), "refused").await;
    check(&[Full], Err(Denied), "uncertain").await;
    check(&[Denied], Ok(Some("1")), "refused").await;
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_not_the_outcome() {
    use Refusal::{Denied, Full, Lost, TooLarge};
    for refused in [&[Lost, Full], &[Lost, Denied], &[Lost, TooLarge]] {
        check(refused, Ok(Some("1")), "committed").await;
        check(refused, Ok(Some("theirs")), "conflict").await;
        // It may be done still.
        check(refused, Ok(None), "uncertain").await;
        check(refused, Err(Denied), "uncertain").await;
    }
    check(&[TooLarge], Ok(None), "too large").await;
}
