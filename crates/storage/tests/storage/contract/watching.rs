//! The contract of watches.

use std::collections::BTreeMap;

use fleetgate_storage::{
    Event, EventKind, KeyValue, Range, StoreError, ValueState, Write, WriteResult,
};
use futures::{
    StreamExt,
    future::{BoxFuture, join, join_all},
};

use super::{Shared, create, delete, get, in_time, next_batch, pairs, range, text, update};

/// The events under `prefix` after `after`, until `last` has been delivered. Sees to it that
/// revisions rise, and that batches say how far they reach.
pub(crate) async fn events_until(
    store: &Shared,
    prefix: &str,
    after: i64,
    last: i64,
) -> Vec<Event> {
    let mut watch = store.watch(prefix.to_owned(), after);
    let mut events: Vec<Event> = Vec::new();
    let mut reached = after;
    while reached < last {
        let batch = next_batch(&mut watch).await;
        assert!(
            batch.revision > reached || batch.events.is_empty(),
            "{batch:?} after {reached}"
        );
        for event in batch.events {
            let revision = event.kv.mod_revision;
            assert!(
                reached < revision && revision <= batch.revision,
                "{revision} in its place"
            );
            reached = revision;
            events.push(event);
        }
        reached = reached.max(batch.revision);
    }
    events
}

/// `+key=value`, `~key=old>new` or `-key=old`, for short assertions.
fn told(events: &[Event]) -> Vec<String> {
    let tell = |event: &Event| {
        let Event { kind, kv, prev } = event;
        let (key, new) = (&kv.key, text(&kv.value));
        match (kind, prev.as_ref().map(|prev| text(&prev.value))) {
            (EventKind::Put, None) => format!("+{key}={new}"),
            (EventKind::Put, Some(old)) => format!("~{key}={old}>{new}"),
            (EventKind::Delete, Some(old)) => format!("-{key}={old}"),
            (EventKind::Delete, None) => format!("-{key}"),
        }
    };
    events.iter().map(tell).collect()
}

pub(super) async fn from_the_beginning_the_middle_and_now(store: &Shared) {
    let prefix = "/watch/";
    let start = range(store, Range::prefix(prefix)).await.revision;
    let a = create(store, "/watch/a", "1").await;
    let b = create(store, "/watch/b", "1").await;
    let before = get(store, "/watch/a").await;
    let a2 = update(store, "/watch/a", "2", a).await;
    let after = get(store, "/watch/a").await.expect("was updated");
    let b2 = delete(store, "/watch/b", b).await;
    let b3 = create(store, "/watch/b", "3").await;

    let want = [
        "+/watch/a=1",
        "+/watch/b=1",
        "~/watch/a=1>2",
        "-/watch/b=1",
        "+/watch/b=3",
    ];
    let all = events_until(store, prefix, start, b3).await;
    assert_eq!(told(&all), want);
    assert_eq!(
        all.iter()
            .map(|event| event.kv.mod_revision)
            .collect::<Vec<_>>(),
        [a, b, a2, b2, b3]
    );
    assert_eq!(
        all[2],
        Event {
            kind: EventKind::Put,
            kv: after,
            prev: before
        }
    );
    let gone = KeyValue {
        key: "/watch/b".to_owned(),
        value: Default::default(),
        create_revision: 0,
        mod_revision: b2,
        version: 0,
        state: ValueState::Current,
    };
    assert_eq!(all[3].kv, gone);

    assert_eq!(told(&events_until(store, prefix, a, b3).await), want[1..]);
    assert_eq!(told(&events_until(store, prefix, b2, b3).await), want[4..]);
    assert_eq!(
        told(&events_until(store, prefix, 0, b3).await),
        want,
        "0 is the beginning"
    );

    // From now on: the watch waits, also if nothing will match for a while.
    let now = range(store, Range::prefix(prefix)).await.revision;
    let later = async {
        create(store, "/watch-not/c", "1").await;
        create(store, "/watch/c", "1").await
    };
    let (events, _) = join(events_until(store, prefix, now, now + 2), later).await;
    assert_eq!(told(&events), ["+/watch/c=1"]);
}

pub(super) async fn only_its_prefix(store: &Shared) {
    let start = create(store, "/only/dir/a", "1").await;
    create(store, "/only/dir", "1").await;
    create(store, "/only/dir0", "1").await;
    create(store, "/only/dir-", "1").await;
    let last = create(store, "/only/dir/b", "1").await;
    let all = create(store, "/only/e", "1").await;
    let events = events_until(store, "/only/dir/", start, last).await;
    assert_eq!(told(&events), ["+/only/dir/b=1"]);
    assert_eq!(events_until(store, "/only/", start, all).await.len(), 5);
    assert!(events_until(store, "", start, all).await.len() >= 5);
}

pub(super) async fn progress_is_told(store: &Shared) {
    let start = create(store, "/progress/a", "1").await;
    let mut watch = store.watch("/progress/".to_owned(), start);
    let elsewhere = create(store, "/elsewhere/a", "1").await;
    loop {
        let batch = next_batch(&mut watch).await;
        assert_eq!(batch.events, [], "nothing happened under the prefix");
        if batch.revision >= elsewhere {
            break;
        }
    }
}

/// Eight writers change sixteen keys as they like; who follows the watch knows what is there.
pub(super) async fn under_concurrent_writes(store: &Shared) {
    const WRITERS: usize = 8;
    const CHANGES: usize = 60;
    let prefix = "/busy/";
    let start = range(store, Range::prefix(prefix)).await.revision;
    let mut early = store.watch(prefix.to_owned(), start);
    let writers = (0..WRITERS).map(|writer| async move {
        let mut done = 0;
        for n in 0..CHANGES {
            let key = format!("{prefix}{}", (writer * 7 + n * 5) % 16);
            done += usize::from(change(store, key, format!("{writer}.{n}")).await);
        }
        done
    });
    let follow = async {
        let mut events = Vec::new();
        while !matches!(events.last(), Some(Event { kv, .. }) if kv.key == "/busy/end") {
            events.extend(next_batch(&mut early).await.events);
        }
        events
    };
    let write = async {
        let done: usize = join_all(writers).await.into_iter().sum();
        create(store, "/busy/end", "").await;
        done
    };
    let (mut events, done) = in_time("all writers", join(follow, write)).await;
    assert_eq!(
        events.pop().map(|event| event.kv.key).as_deref(),
        Some("/busy/end")
    );
    assert_eq!(events.len(), done, "each change is told once");

    let mut known: BTreeMap<String, KeyValue> = BTreeMap::new();
    let mut reached = start;
    for Event { kind, kv, prev } in events {
        assert!(
            kv.mod_revision > reached,
            "{} after {reached}",
            kv.mod_revision
        );
        reached = kv.mod_revision;
        assert_eq!(
            prev.as_ref(),
            known.get(&kv.key),
            "what {} replaced",
            kv.key
        );
        match kind {
            EventKind::Delete => known.remove(&kv.key),
            EventKind::Put => known.insert(kv.key.clone(), kv),
        };
    }
    let mut there = range(store, Range::prefix(prefix)).await.items;
    there.retain(|kv| kv.key != "/busy/end");
    assert_eq!(known.into_values().collect::<Vec<_>>(), there);
}

/// Creates, updates or deletes `key`, whatever it needs; false if another was faster.
async fn change(store: &Shared, key: String, value: String) -> bool {
    let current = get(store, &key).await;
    let write = match current {
        None => Write::Create {
            key,
            value: value.into(),
        },
        Some(kv) if kv.version >= 3 => Write::Delete {
            key,
            mod_revision: kv.mod_revision,
        },
        Some(kv) => Write::Update {
            key,
            value: value.into(),
            mod_revision: kv.mod_revision,
        },
    };
    let result = in_time("a busy write", store.write(write)).await;
    matches!(
        result.expect("the store answers"),
        WriteResult::Committed { .. }
    )
}

pub(super) async fn by_many(store: &Shared) {
    const WATCHERS: usize = 100;
    let prefix = "/many/";
    let start = range(store, Range::prefix(prefix)).await.revision;
    let watchers = (0..WATCHERS).map(|_| events_until(store, prefix, start, start + 20));
    let write = async {
        for n in 0..20 {
            create(store, &format!("{prefix}{n:02}"), "1").await;
        }
    };
    let (seen, ()) = join(join_all(watchers), write).await;
    let want: Vec<_> = (0..20).map(|n| format!("+{prefix}{n:02}=1")).collect();
    for events in seen {
        assert_eq!(told(&events), want);
    }
    assert_eq!(
        pairs(&range(store, Range::prefix(prefix)).await.items).len(),
        20
    );
}

/// Who has much to catch up gets it in pieces, and all of it, also what happens meanwhile.
pub(super) async fn a_long_way_behind(store: &Shared) {
    const KEYS: usize = 2_500;
    let prefix = "/behind/";
    let start = range(store, Range::prefix(prefix)).await.revision;
    let fill = async |name: &str| {
        let keys: Vec<_> = (0..KEYS / 2)
            .map(|n| format!("{prefix}{name}/{n:04}"))
            .collect();
        let created = join_all(keys.iter().map(|key| create(store, key, "1"))).await;
        created.into_iter().max().expect("some keys")
    };
    let half = fill("early").await;
    fill("early too").await;
    let (events, _) = join(
        events_until(store, prefix, start, half + 1_000),
        fill("late"),
    )
    .await;
    assert!(events.len() > KEYS / 2);
    let last = range(store, Range::prefix(prefix)).await.revision;
    let events = events_until(store, prefix, start, last).await;
    let mut seen: Vec<_> = events.into_iter().map(|event| event.kv.key).collect();
    seen.sort_unstable();
    let there = range(store, Range::prefix(prefix)).await.items;
    assert_eq!(seen, there.into_iter().map(|kv| kv.key).collect::<Vec<_>>());
}

pub(super) async fn of_the_forgotten_fails(
    store: &Shared,
    forget: &impl Fn(i64) -> BoxFuture<'static, ()>,
) {
    let prefix = "/lost/";
    let old = create(store, "/lost/a", "1").await;
    let new = update(store, "/lost/a", "2", old).await;
    let newer = update(store, "/lost/a", "3", new).await;
    forget(newer).await;
    for after in [0, old - 1] {
        let mut watch = store.watch(prefix.to_owned(), after);
        let first = in_time("watch", watch.next()).await;
        assert!(
            matches!(first, Some(Err(StoreError::Compacted { revision })) if revision == after),
            "{first:?}"
        );
        assert!(
            in_time("watch", watch.next()).await.is_none(),
            "an error ends the watch"
        );
    }
    let now = range(store, Range::prefix(prefix)).await;
    let again = update(store, "/lost/a", "4", newer).await;
    let events = events_until(store, prefix, now.revision, again).await;
    assert_eq!(told(&events), ["~/lost/a=3>4"]);
}
