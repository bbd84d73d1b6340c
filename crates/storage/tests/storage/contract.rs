//! What every backend promises. Each check works under a prefix of its own on one shared store.

mod changes;
mod reading;
mod watching;

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_storage::{
    History, KeyValue, Range, RangeResult, Store, StoreError, WatchBatch, Write, WriteResult,
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};

pub(crate) type Shared = Arc<dyn Store>;

/// No check waits longer for what must come. Generous: it only ends a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks all of the contract on `store`. `forget` makes the store compact everything before the
/// revision that it is given.
pub(crate) async fn check_store_contract<S: Store>(
    store: &Arc<S>,
    forget: impl Fn(i64) -> BoxFuture<'static, ()>,
) {
    let store: Shared = store.clone();
    changes::create_update_delete(&store).await;
    changes::conflicts_show_what_is_there(&store).await;
    changes::revisions_rise_over_all_keys(&store).await;
    changes::too_large_is_said(&store).await;
    changes::one_of_many_wins(&store).await;
    reading::by_key_and_prefix(&store).await;
    reading::own_writes_among_many(&store).await;
    reading::in_pages(&store).await;
    reading::the_past(&store).await;
    reading::much_at_once(&store).await;
    watching::from_the_beginning_the_middle_and_now(&store).await;
    watching::only_its_prefix(&store).await;
    watching::progress_is_told(&store).await;
    watching::under_concurrent_writes(&store).await;
    watching::by_many(&store).await;
    watching::a_long_way_behind(&store).await;
    watching::of_the_forgotten_fails(&store, &forget).await;
    reading::the_forgotten_fails(&store, &forget).await;
}

/// Makes a local store forget by writing more to `key` than its history holds.
pub(crate) fn forget_by_writing<S: Store>(
    store: Arc<S>,
    key: String,
    history: History,
) -> impl Fn(i64) -> BoxFuture<'static, ()> {
    move |_before| {
        let store: Shared = store.clone();
        let key = key.clone();
        async move {
            let mut revision = create(&store, &key, "0").await;
            for n in 0..=history.events {
                revision = update(&store, &key, &n.to_string(), revision).await;
            }
            delete(&store, &key, revision).await;
        }
        .boxed()
    }
}

pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: nothing after {PATIENCE:?}"),
    }
}

/// A write that must succeed; its revision.
#[track_caller]
pub(crate) fn committed<E: Debug>(result: Result<WriteResult, E>) -> i64 {
    match result.expect("the store takes the write") {
        WriteResult::Committed { revision } => revision,
        WriteResult::Conflict { current } => panic!("conflict with {current:?}"),
    }
}

/// A write that must meet something else; what it met.
#[track_caller]
pub(crate) fn conflict<E: Debug>(result: Result<WriteResult, E>) -> Option<KeyValue> {
    match result.expect("the store answers") {
        WriteResult::Committed { revision } => panic!("committed at {revision}"),
        WriteResult::Conflict { current } => current,
    }
}

pub(crate) async fn create(store: &Shared, key: &str, value: &str) -> i64 {
    committed(try_create(store, key, value).await)
}

pub(crate) async fn try_create(
    store: &Shared,
    key: &str,
    value: &str,
) -> Result<WriteResult, StoreError> {
    let value = Bytes::copy_from_slice(value.as_bytes());
    in_time(
        "create",
        store.write(Write::Create {
            key: key.to_owned(),
            value,
        }),
    )
    .await
}

pub(crate) async fn update(store: &Shared, key: &str, value: &str, mod_revision: i64) -> i64 {
    committed(try_update(store, key, value, mod_revision).await)
}

pub(crate) async fn try_update(
    store: &Shared,
    key: &str,
    value: &str,
    mod_revision: i64,
) -> Result<WriteResult, StoreError> {
    let value = Bytes::copy_from_slice(value.as_bytes());
    let write = Write::Update {
        key: key.to_owned(),
        value,
        mod_revision,
    };
    in_time("update", store.write(write)).await
}

pub(crate) async fn delete(store: &Shared, key: &str, mod_revision: i64) -> i64 {
    committed(try_delete(store, key, mod_revision).await)
}

pub(crate) async fn try_delete(
    store: &Shared,
    key: &str,
    mod_revision: i64,
) -> Result<WriteResult, StoreError> {
    in_time(
        "delete",
        store.write(Write::Delete {
            key: key.to_owned(),
            mod_revision,
        }),
    )
    .await
}

pub(crate) async fn range(store: &Shared, request: Range) -> RangeResult {
    in_time("range", store.range(request))
        .await
        .expect("the store answers")
}

pub(crate) async fn get(store: &Shared, key: &str) -> Option<KeyValue> {
    range(store, Range::key(key)).await.items.pop()
}

/// Keys and values, for short assertions.
pub(crate) fn pairs(items: &[KeyValue]) -> Vec<(String, String)> {
    items
        .iter()
        .map(|kv| (kv.key.clone(), text(&kv.value)))
        .collect()
}

pub(crate) fn text(value: &Bytes) -> String {
    String::from_utf8_lossy(value).into_owned()
}

pub(crate) type Watch = BoxStream<'static, Result<WatchBatch, StoreError>>;

/// The next batch of `watch`, which must not end.
pub(crate) async fn next_batch(watch: &mut Watch) -> WatchBatch {
    let next = in_time("watch", watch.next()).await;
    next.expect("a watch goes on")
        .expect("a watch mends itself")
}
