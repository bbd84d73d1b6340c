//! Writes whose answer, or whose request, is lost on the way.

use fleetgate_storage::{StoreError, Write, WriteResult};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};

use super::{
    Mode, Relay, Shared, connect, create, get, in_time, process::Etcd, try_create, update,
};
use crate::contract::{committed, conflict, delete};

/// What an etcd may hold that is to run out of space.
const QUOTA: usize = 1 << 20;

/// A store behind a relay, and one that goes straight.
struct Fixture {
    relay: Relay,
    distant: Shared,
    direct: Shared,
    _etcd: Etcd,
}

impl Fixture {
    async fn new() -> Self {
        Self::over(Etcd::start()).await
    }

    async fn over(etcd: Etcd) -> Self {
        let relay = Relay::to(&etcd.url()).await;
        let direct: Shared = connect(&[etcd.url()]).await;
        let distant: Shared = connect(&[relay.url()]).await;
        Self {
            relay,
            distant,
            direct,
            _etcd: etcd,
        }
    }

    /// Writes from afar while `mode` loses something, does `meanwhile`, and mends the way.
    async fn write(
        &self,
        write: Write,
        mode: Mode,
        meanwhile: BoxFuture<'_, ()>,
    ) -> Result<WriteResult, StoreError> {
        self.relay.set(mode);
        let trouble = async {
            meanwhile.await;
            self.relay.cut(Mode::Pass);
        };
        let both = futures::future::join(self.distant.write(write), trouble);
        in_time("the write", both).await.0
    }

    /// Waits until `key` is as `wanted`.
    async fn until(&self, key: &str, wanted: impl Fn(Option<&str>) -> bool) {
        in_time("the write to be seen", async {
            loop {
                let there = get(&self.direct, key).await;
                let value = there.as_ref().map(|kv| str::from_utf8(&kv.value).unwrap());
                if wanted(value) {
                    break;
                }
            }
        })
        .await;
    }
}

fn creation(key: &str, value: &'static str) -> Write {
    Write::Create {
        key: key.to_owned(),
        value: value.into(),
    }
}

fn change(key: &str, value: &'static str, mod_revision: i64) -> Write {
    Write::Update {
        key: key.to_owned(),
        value: value.into(),
        mod_revision,
    }
}

#[tokio::test]
async fn a_committed_write_is_found_to_be_ours() {
    let fixture = Fixture::new().await;
    let key = "/lost/a";
    let seen = fixture.until(key, |value| value == Some("1")).boxed();
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowAnswers, seen)
        .await;
    let created = committed(result);
    assert_eq!(
        get(&fixture.direct, key).await.unwrap().mod_revision,
        created
    );

    let seen = fixture.until(key, |value| value == Some("2")).boxed();
    let result = fixture
        .write(change(key, "2", created), Mode::SwallowAnswers, seen)
        .await;
    let updated = committed(result);
    let there = get(&fixture.direct, key).await.unwrap();
    assert_eq!(
        (there.mod_revision, there.version),
        (updated, 2),
        "written once"
    );

    let gone = fixture.until(key, |value| value.is_none()).boxed();
    let removal = Write::Delete {
        key: key.to_owned(),
        mod_revision: updated,
    };
    let deleted = committed(fixture.write(removal, Mode::SwallowAnswers, gone).await);
    assert_eq!(deleted, updated + 1);
}

#[tokio::test]
async fn a_committed_write_is_ours_even_if_overwritten_since() {
    let fixture = Fixture::new().await;
    let (key, direct) = ("/lost/a", &fixture.direct);
    let meanwhile = async {
        fixture.until(key, |value| value == Some("1")).await;
        let ours = get(direct, key).await.unwrap().mod_revision;
        create(direct, "/lost/other", "1").await;
        update(direct, key, "theirs", ours).await;
    };
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowAnswers, meanwhile.boxed())
        .await;
    let created = committed(result);
    let there = get(direct, key).await.unwrap();
    assert_eq!((there.create_revision, there.version), (created, 2));

    let before = there.mod_revision;
    let meanwhile = async {
        fixture.until(key, |value| value == Some("2")).await;
        let mut revision = get(direct, key).await.unwrap().mod_revision;
        for n in 0..20 {
            create(direct, &format!("/lost/other/{n}"), "1").await;
            revision = update(direct, key, "theirs", revision).await;
        }
        delete(direct, key, revision).await;
    };
    let write = change(key, "2", before);
    let updated = committed(
        fixture
            .write(write, Mode::SwallowAnswers, meanwhile.boxed())
            .await,
    );
    assert_eq!(updated, before + 1);
}

#[tokio::test]
async fn anothers_write_is_a_conflict() {
    let fixture = Fixture::new().await;
    let (key, direct) = ("/lost/a", &fixture.direct);
    let theirs = async {
        create(direct, key, "theirs").await;
    };
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowRequests, theirs.boxed())
        .await;
    let there = get(direct, key).await;
    assert_eq!(conflict(result), there);
    assert_eq!(there.as_ref().unwrap().value, "theirs");

    let before = there.unwrap().mod_revision;
    let theirs = async {
        create(direct, "/lost/other", "1").await;
        update(direct, key, "theirs again", before).await;
        create(direct, "/lost/another", "1").await;
    };
    let write = change(key, "2", before);
    let result = fixture
        .write(write, Mode::SwallowRequests, theirs.boxed())
        .await;
    let there = get(direct, key).await;
    assert_eq!(conflict(result), there);
    assert_eq!(there.unwrap().value, "theirs again");
}

#[tokio::test]
async fn a_write_that_never_arrived_is_done_later() {
    let fixture = Fixture::new().await;
    let key = "/lost/a";
    let nothing = async {
        create(&fixture.direct, "/lost/other", "1").await;
    };
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowRequests, nothing.boxed())
        .await;
    let created = committed(result);
    let there = get(&fixture.direct, key).await.unwrap();
    assert_eq!((there.mod_revision, there.version), (created, 1));
}

/// A key that is not as expected from the start is nobody's lost write, whatever it holds.
#[tokio::test]
async fn an_old_state_with_the_same_bytes_is_a_conflict() {
    let fixture = Fixture::new().await;
    let key = "/lost/a";
    create(&fixture.distant, key, "1").await;
    create(&fixture.distant, "/lost/other", "1").await;
    let nothing = || async {
        create(&fixture.direct, "/lost/meanwhile", "1")
            .map(drop)
            .await;
    };
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowRequests, nothing().boxed())
        .await;
    let there = get(&fixture.direct, key).await;
    assert_eq!(conflict(result), there);
}

/// Then etcd refuses the next attempt, whatever became of the first.
#[tokio::test]
async fn a_committed_write_is_ours_even_if_etcd_is_full_since() {
    let fixture = Fixture::over(Etcd::start_with_quota(QUOTA)).await;
    let (key, direct) = ("/lost/a", &fixture.direct);
    let fill = async {
        fixture.until(key, |value| value == Some("1")).await;
        let (large, mut count) = ("x".repeat(QUOTA / 8), 0);
        while try_create(direct, &format!("/full/{count}"), &large)
            .await
            .is_ok()
        {
            count += 1;
        }
    };
    let result = fixture
        .write(creation(key, "1"), Mode::SwallowAnswers, fill.boxed())
        .await;
    let created = committed(result);
    assert_eq!(get(direct, key).await.unwrap().mod_revision, created);
}

/// Of writes under way when space runs out, etcd does some, and says of them that it has none.
#[tokio::test]
async fn what_a_full_etcd_refuses_is_not_there() {
    let etcd = Etcd::start_with_quota(QUOTA);
    let store: Shared = connect(&[etcd.url()]).await;
    let value = "x".repeat(QUOTA / 500);
    let writer = async |writer| {
        for n in 0.. {
            let key = format!("/full/{writer}/{n}");
            let written = try_create(&store, &key, &value).await;
            let there = get(&store, &key).await.map(|kv| kv.mod_revision);
            match written {
                Ok(WriteResult::Committed { revision }) => assert_eq!(there, Some(revision)),
                Err(StoreError::Refused { .. }) => return assert_eq!(there, None),
                other => panic!("{key}: {other:?}"),
            }
        }
    };
    join_all((0..100).map(writer)).await;
}
