//! The contract of writes.

use bytes::Bytes;
use fleetgate_storage::{KeyValue, Range, StoreError, ValueState, Write, WriteResult};
use futures::future::join_all;

use super::{
    Shared, conflict, create, delete, get, in_time, range, try_create, try_delete, try_update,
    update,
};

pub(super) async fn create_update_delete(store: &Shared) {
    let key = "/cud/a";
    assert_eq!(get(store, key).await, None);
    let created = create(store, key, "one").await;
    assert!(created > 0);
    let first = KeyValue {
        key: key.to_owned(),
        value: Bytes::from_static(b"one"),
        create_revision: created,
        mod_revision: created,
        version: 1,
        state: ValueState::Current,
    };
    assert_eq!(get(store, key).await, Some(first.clone()));

    let updated = update(store, key, "two", created).await;
    let second = KeyValue {
        value: Bytes::from_static(b"two"),
        mod_revision: updated,
        version: 2,
        ..first
    };
    assert_eq!(get(store, key).await, Some(second));

    let deleted = delete(store, key, updated).await;
    assert!(created < updated && updated < deleted);
    let now = range(store, Range::key(key)).await;
    assert_eq!((now.items, now.count, now.more), (vec![], 0, false));
    assert!(now.revision >= deleted);

    let again = create(store, key, "three").await;
    let third = get(store, key).await.expect("was created again");
    assert_eq!((third.create_revision, third.version), (again, 1));
}

pub(super) async fn conflicts_show_what_is_there(store: &Shared) {
    let key = "/conflict/a";
    assert_eq!(
        conflict(try_update(store, key, "x", 1).await),
        None,
        "update of nothing"
    );
    assert_eq!(
        conflict(try_delete(store, key, 1).await),
        None,
        "delete of nothing"
    );

    let old = create(store, key, "one").await;
    let new = update(store, key, "two", old).await;
    let current = get(store, key).await;
    assert_eq!(
        conflict(try_create(store, key, "x").await),
        current,
        "create of something"
    );
    assert_eq!(
        conflict(try_update(store, key, "x", old).await),
        current,
        "update of the past"
    );
    assert_eq!(
        conflict(try_update(store, key, "x", new + 1).await),
        current,
        "of the future"
    );
    assert_eq!(
        conflict(try_delete(store, key, old).await),
        current,
        "delete of the past"
    );
    assert_eq!(get(store, key).await, current, "nothing was written");
}

pub(super) async fn revisions_rise_over_all_keys(store: &Shared) {
    let a = create(store, "/rise/a", "1").await;
    let b = create(store, "/rise/b", "1").await;
    let refused = try_create(store, "/rise/b", "2").await;
    conflict(refused);
    let a2 = update(store, "/rise/a", "2", a).await;
    let b2 = delete(store, "/rise/b", b).await;
    assert!(a < b && b < a2 && a2 < b2, "{a} {b} {a2} {b2}");
    assert!(range(store, Range::prefix("/rise/")).await.revision >= b2);
}

pub(super) async fn too_large_is_said(store: &Shared) {
    let value = Bytes::from(vec![b'x'; 3 << 20]);
    let write = Write::Create {
        key: "/large/a".to_owned(),
        value,
    };
    let size = write.key().len() + (3 << 20);
    let result = in_time("a large write", store.write(write)).await;
    assert!(
        matches!(result, Err(StoreError::TooLarge { size: said }) if said == size),
        "{result:?}"
    );
    assert_eq!(get(store, "/large/a").await, None);
}

pub(super) async fn one_of_many_wins(store: &Shared) {
    let values: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let attempts = values
        .iter()
        .map(|value| try_create(store, "/race/a", value));
    let mut winners = Vec::new();
    let mut losers = Vec::new();
    for (value, result) in values.iter().zip(join_all(attempts).await) {
        match result.expect("the store answers") {
            WriteResult::Committed { revision } => winners.push((value, revision)),
            WriteResult::Conflict { current } => losers.push(current),
        }
    }
    let [(value, revision)] = winners[..] else {
        panic!("{winners:?} all won")
    };
    let there = get(store, "/race/a").await.expect("was created");
    assert_eq!(
        (there.value.as_ref(), there.mod_revision),
        (value.as_bytes(), revision)
    );
    assert!(
        losers
            .iter()
            .all(|current| current.as_ref() == Some(&there)),
        "{losers:?}"
    );
}
