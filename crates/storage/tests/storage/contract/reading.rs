//! The contract of reads.

use bytes::Bytes;
use fleetgate_storage::{Range, StoreError, Write};
use futures::future::{BoxFuture, join, join_all};

use super::{Shared, committed, create, delete, get, in_time, pairs, range, update};

async fn fill(store: &Shared, prefix: &str, names: &[&str]) -> i64 {
    let mut revision = 0;
    for name in names {
        revision = create(store, &format!("{prefix}{name}"), name).await;
    }
    revision
}

async fn names(store: &Shared, prefix: &str, request: Range) -> Vec<String> {
    let items = range(store, request).await.items;
    items
        .iter()
        .map(|kv| kv.key.trim_start_matches(prefix).to_owned())
        .collect()
}

pub(super) async fn by_key_and_prefix(store: &Shared) {
    let prefix = "/read/dir/";
    fill(store, prefix, &["b", "a", "c", "a/b", "é"]).await;
    fill(store, "/read/", &["dir", "dir0", "dir-x"]).await;

    let all = range(store, Range::prefix(prefix)).await;
    let want = ["a", "a/b", "b", "c", "é"];
    assert_eq!(
        pairs(&all.items),
        want.map(|name| (format!("{prefix}{name}"), name.to_owned()))
    );
    assert_eq!((all.count, all.more), (5, false));

    assert_eq!(
        names(store, prefix, Range::prefix("/read/dir/a")).await,
        ["a", "a/b"]
    );
    assert_eq!(names(store, prefix, Range::key("/read/dir/a")).await, ["a"]);
    let none = names(store, prefix, Range::key("/read/dir/")).await;
    assert!(none.is_empty(), "{none:?}");
    assert!(range(store, Range::prefix("")).await.count >= 8);
}

/// Many who each write a key and read it again, and one that is not there.
pub(super) async fn own_writes_among_many(store: &Shared) {
    let one = async |n: usize| {
        let (key, missing) = (format!("/own/{n}"), format!("/own/{n}/missing"));
        let mut revision = create(store, &key, "0").await;
        for round in 1..10 {
            let value = format!("{n} {round}");
            revision = update(store, &key, &value, revision).await;
            let (found, none) = join(
                range(store, Range::key(&key)),
                range(store, Range::key(&missing)),
            )
            .await;
            assert_eq!(pairs(&found.items), [(key.clone(), value)]);
            assert_eq!(found.items[0].mod_revision, revision);
            assert_eq!((found.count, found.more), (1, false));
            assert_eq!((none.items, none.count), (vec![], 0));
            assert!(found.revision >= revision && none.revision >= revision);
        }
    };
    join_all((0..100).map(one)).await;
}

pub(super) async fn in_pages(store: &Shared) {
    let prefix = "/pages/";
    fill(store, prefix, &["a", "b", "c", "d", "e"]).await;
    let first = range(store, Range::prefix(prefix).with_limit(2)).await;
    assert_eq!((first.items.len(), first.count, first.more), (2, 5, true));

    let next = format!("{}\0", first.items[1].key);
    let page = Range::prefix(prefix)
        .with_limit(2)
        .at_revision(first.revision);
    create(store, "/pages/bb", "written after the first page").await;
    let second = range(store, page.clone().starting_at(next)).await;
    assert_eq!(pairs(&second.items)[0].1, "c");
    assert_eq!(
        (second.items.len(), second.count, second.more),
        (2, 3, true)
    );
    assert_eq!(second.revision, first.revision);

    let last = range(store, page.starting_at("/pages/e")).await;
    assert_eq!((last.items.len(), last.count, last.more), (1, 1, false));
    assert_eq!(
        names(store, prefix, Range::prefix(prefix).starting_at("/a"))
            .await
            .len(),
        6
    );
    for past_the_end in ["/pages0", "/pagesx", "/pages/f"] {
        let beyond = range(store, Range::prefix(prefix).starting_at(past_the_end)).await;
        assert_eq!(
            (beyond.items, beyond.count),
            (vec![], 0),
            "from {past_the_end}"
        );
    }
    let whole = range(store, Range::prefix(prefix).with_limit(6)).await;
    assert_eq!((whole.items.len(), whole.more), (6, false));
}

pub(super) async fn the_past(store: &Shared) {
    let prefix = "/past/";
    let kept = create(store, "/past/kept", "1").await;
    let gone = create(store, "/past/gone", "1").await;
    let then = range(store, Range::prefix(prefix)).await;
    assert_eq!(then.revision, gone);
    update(store, "/past/kept", "2", kept).await;
    delete(store, "/past/gone", gone).await;
    create(store, "/past/new", "1").await;
    create(store, "/past-not/new", "1").await;

    let past = range(store, Range::prefix(prefix).at_revision(gone)).await;
    assert_eq!(past, then);
    let before = range(store, Range::prefix(prefix).at_revision(kept)).await;
    assert_eq!(
        pairs(&before.items),
        [("/past/kept".to_owned(), "1".to_owned())]
    );
    let key = range(store, Range::key("/past/gone").at_revision(gone)).await;
    assert_eq!(key.items, then.items[..1]);

    let far = range(store, Range::key("/past/new")).await.revision + 1_000_000;
    let future = in_time("range", store.range(Range::prefix(prefix).at_revision(far))).await;
    assert!(
        matches!(future, Err(StoreError::FutureRevision { revision }) if revision == far),
        "{future:?}"
    );
}

/// More than the 4 MiB that gRPC libraries take by default.
pub(super) async fn much_at_once(store: &Shared) {
    let value = Bytes::from(vec![b'x'; 1_300_000]);
    let mut written = Vec::new();
    for n in 0..5 {
        let key = format!("/much/{n}");
        let write = Write::Create {
            key: key.clone(),
            value: value.clone(),
        };
        written.push((
            key,
            committed(in_time("a big write", store.write(write)).await),
        ));
    }
    let all = range(store, Range::prefix("/much/")).await;
    assert_eq!(all.items.len(), 5);
    assert!(all.items.iter().all(|kv| kv.value == value));
    for (key, revision) in written {
        delete(store, &key, revision).await;
    }
}

pub(super) async fn the_forgotten_fails(
    store: &Shared,
    forget: &impl Fn(i64) -> BoxFuture<'static, ()>,
) {
    let old = create(store, "/forgotten/a", "1").await;
    let new = update(store, "/forgotten/a", "2", old).await;
    forget(new).await;
    let past = in_time(
        "range",
        store.range(Range::key("/forgotten/a").at_revision(old)),
    )
    .await;
    assert!(
        matches!(past, Err(StoreError::Compacted { revision }) if revision == old),
        "{past:?}"
    );
    let now = get(store, "/forgotten/a")
        .await
        .expect("the present is not forgotten");
    assert_eq!(now.mod_revision, new);
}
