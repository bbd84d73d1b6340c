//! What a watcher is told.

mod bookmarks;

use std::{sync::Arc, time::Duration};

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    options::{DeleteOptions, ListOptions, ResourceVersion},
    selector::{FieldSelector, LabelSelector},
};
use futures::{Stream, StreamExt, stream::BoxStream};
use tokio::time::Instant;

use super::{MAX_BATCH, Start, WatchEvent, WatchSpec};
use crate::{
    CLUSTERS, Change, Part, Stored,
    cache::{Cache, MAX_CHANGE_BYTES, Update},
    selection::Selection,
    testing::{Fixture, cluster, written_by},
};

type Events = BoxStream<'static, WatchEvent<Cluster>>;

async fn watch(fixture: &Fixture, options: &ListOptions) -> Events {
    fixture
        .registry()
        .watch(options)
        .await
        .expect("a watch")
        .boxed()
}

fn shown(event: &WatchEvent<Cluster>) -> String {
    let what = event.object().map_or_else(
        || String::from_utf8_lossy(&event.json()).into_owned(),
        |object| object.name().to_owned(),
    );
    format!("{} {what}", event.event_type())
}

/// The events that are ready now.
async fn ready(events: &mut Events) -> Vec<String> {
    let mut all = Vec::new();
    // Paused time moves only when nothing else can happen.
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), events.next()).await
    {
        all.push(shown(&event));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_what_keeps_the_memory_up() {
    let fixture = Fixture::new().await;
    let mut events = watch(&fixture, &ListOptions::default()).await;
    fixture.create("a").await;
    let registry = Arc::clone(fixture.registry());
    fixture.stop().await;
    // What had happened is told, and so it is to who comes later.
    let mut late = registry
        .watch(&ListOptions::default())
        .await
        .expect("a watch")
        .boxed();
    for events in [&mut events, &mut late] {
        let before = Instant::now();
        let told = events.next().await.as_ref().map(shown);
        assert_eq!(told.as_deref(), Some("ADDED a"));
        assert!(events.next().await.is_none());
        assert_eq!(before.elapsed(), Duration::ZERO, "it ended at its own time");
    }
}

async fn set_label(fixture: &Fixture, name: &str, value: Option<&str>) -> i64 {
    let change = Change::with(|current: &Stored<Cluster>| {
        let mut cluster: Cluster = current.object().clone();
        cluster.metadata.labels.clear();
        cluster
            .metadata
            .labels
            .extend(value.map(|value| ("l".to_owned(), value.to_owned())));
        Ok(cluster)
    });
    let done = fixture
        .registry()
        .update(name, Part::Main, change, &written_by("test"))
        .await;
    done.expect("an update").revision()
}

fn lasting(seconds: u64) -> ListOptions {
    ListOptions {
        timeout: Some(Duration::from_secs(seconds)),
        ..ListOptions::default()
    }
}

/// When events come, in seconds, until the watch ends.
async fn times(events: impl Stream<Item = WatchEvent<Cluster>>) -> Vec<(u64, &'static str)> {
    let start = Instant::now();
    let mut times: Vec<_> = events
        .map(|event| (start.elapsed().as_secs(), event.event_type()))
        .collect()
        .await;
    times.push((start.elapsed().as_secs(), "end"));
    times
}

#[tokio::test(start_paused = true)]
async fn a_watch_starts_with_what_is_there_and_goes_on() {
    let fixture = Fixture::new().await;
    fixture.create("b").await;
    fixture.create("a").await;
    let mut events = watch(&fixture, &lasting(600)).await;
    assert_eq!(ready(&mut events).await, ["ADDED a", "ADDED b"]);
    fixture.create("c").await;
    set_label(&fixture, "a", Some("1")).await;
    fixture
        .registry()
        .delete("b", &DeleteOptions::default())
        .await
        .expect("a deletion");
    assert_eq!(
        ready(&mut events).await,
        ["ADDED c", "MODIFIED a", "DELETED b"]
    );
}

#[tokio::test(start_paused = true)]
async fn more_than_is_looked_at_in_one_go_is_told_without_another_change() {
    let fixture = Fixture::new().await;
    let mut events = watch(&fixture, &lasting(600)).await;
    assert_eq!(ready(&mut events).await, [""; 0]);
    let names: Vec<_> = (0..=2 * MAX_BATCH).map(|n| format!("c{n}")).collect();
    for name in &names {
        fixture.create(name).await;
    }
    let expected = names.iter().map(|name| format!("ADDED {name}"));
    assert!(ready(&mut events).await.into_iter().eq(expected));
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_a_resource_version_tells_what_came_after() {
    let fixture = Fixture::new().await;
    let first = fixture.create("a").await.revision();
    fixture.create("b").await;
    let at = |revision: i64| ListOptions {
        resource_version: ResourceVersion::At(u64::try_from(revision).expect("positive")),
        ..lasting(600)
    };
    let mut events = watch(&fixture, &at(first)).await;
    assert_eq!(ready(&mut events).await, ["ADDED b"]);
    // From a version yet to come: what comes before it is no news.
    let mut events = watch(&fixture, &at(first + 2)).await;
    fixture.create("c").await;
    assert_eq!(ready(&mut events).await, [""; 0]);
    fixture.create("d").await;
    assert_eq!(ready(&mut events).await, ["ADDED d"]);
    let deleted = fixture
        .registry()
        .delete("d", &DeleteOptions::default())
        .await;
    deleted.expect("a deletion");
    let event = events.next().await.expect("an event");
    let object = event.object().expect("an object");
    assert_eq!(shown(&event), "DELETED d");
    assert_eq!(
        object.revision(),
        first + 4,
        "deletions carry their own version"
    );
}

#[tokio::test(start_paused = true)]
async fn selectors_turn_changes_into_comings_and_goings() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    fixture.create("z").await;
    let options = ListOptions {
        label_selector: LabelSelector::parse("l=1").expect("a selector"),
        field_selector: FieldSelector::parse("metadata.name=a").expect("a selector"),
        ..lasting(600)
    };
    let mut events = watch(&fixture, &options).await;
    assert_eq!(ready(&mut events).await, [""; 0]);
    set_label(&fixture, "z", Some("1")).await;
    set_label(&fixture, "a", Some("2")).await;
    assert_eq!(ready(&mut events).await, [""; 0]);
    set_label(&fixture, "a", Some("1")).await;
    let went = set_label(&fixture, "a", Some("3")).await;
    assert_eq!(shown(&events.next().await.expect("an event")), "ADDED a");
    let event = events.next().await.expect("an event");
    let object = event.object().expect("an object");
    assert_eq!(shown(&event), "DELETED a");
    assert_eq!(object.object().metadata.labels["l"], "1", "as it was");
    assert_eq!(object.revision(), went, "as of when it went");
    let unknown = ListOptions {
        field_selector: FieldSelector::parse("spec.syncMode=Push").expect("a selector"),
        ..ListOptions::default()
    };
    let refused = fixture
        .registry()
        .watch(&unknown)
        .await
        .err()
        .expect("an unknown field");
    assert_eq!(refused.code, 400);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_forgotten_ends_the_watch_with_an_error() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let options = ListOptions {
        resource_version: ResourceVersion::At(0),
        ..ListOptions::default()
    };
    let events: Vec<_> = watch(&fixture, &options).await.collect().await;
    let [WatchEvent::Error(status)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((status.code, &*status.reason), (410, "Expired"));
    assert_eq!(status.message, "too old resource version: 0 (1)");
}

#[tokio::test(start_paused = true)]
async fn a_read_of_everything_anew_ends_watches_with_an_error() {
    let fixture = Fixture::new().await;
    let last = fixture.create("a").await.revision();
    let mut events = watch(&fixture, &lasting(600)).await;
    assert_eq!(ready(&mut events).await, ["ADDED a"]);
    fixture.store.compact();
    let event = events.next().await.expect("an event");
    let WatchEvent::Error(status) = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        status.message,
        format!("too old resource version: {last} ({last})")
    );
    assert!(events.next().await.is_none());
    fixture.create("b").await;
    let mut events = watch(&fixture, &lasting(600)).await;
    assert_eq!(ready(&mut events).await, ["ADDED a", "ADDED b"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_of_the_store_is_mended_unseen() {
    let fixture = Fixture::new().await;
    let mut events = watch(&fixture, &lasting(600)).await;
    fixture.create("a").await;
    fixture.store.hang_up();
    fixture.create("b").await;
    assert_eq!(ready(&mut events).await, ["ADDED a", "ADDED b"]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_read_is_ended_and_holds_nobody_up() {
    let cache = Arc::new(Cache::new());
    cache.replace(Vec::new(), 1);
    let lasts = Duration::from_secs(600);
    let selection = Selection::default();
    let spec = WatchSpec {
        selection,
        start: Start::Now,
        lasts,
        bookmarks: false,
    };
    let mut slow = super::watch(Arc::clone(&cache), &CLUSTERS, spec).boxed();
    let put = |revision| Update {
        revision,
        name: "a".into(),
        object: Some(Arc::new(Stored::new(cluster("a"), revision, &CLUSTERS))),
        size: MAX_CHANGE_BYTES / 4,
    };
    cache.apply(vec![put(2)], 2);
    assert_eq!(ready(&mut slow).await, ["ADDED a"]);
    cache.apply((3..8).map(put).collect(), 7);
    cache.announce();
    let error = slow.next().await.expect("an event");
    let WatchEvent::Error(status) = error else {
        panic!("{error:?}")
    };
    assert_eq!(status.message, "too old resource version: 2 (3)");
    assert!(slow.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_in_time_even_if_there_is_more_to_tell() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let mut events = watch(&fixture, &lasting(2)).await;
    assert_eq!(shown(&events.next().await.expect("an event")), "ADDED a");
    fixture.create("b").await;
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn watchers_share_the_bytes_of_an_event() {
    let fixture = Fixture::new().await;
    let mut one = watch(&fixture, &lasting(600)).await;
    let mut two = watch(&fixture, &lasting(600)).await;
    fixture.create("a").await;
    let (one, two) = (
        one.next().await.expect("an event"),
        two.next().await.expect("an event"),
    );
    assert_eq!(one.json().as_ptr(), two.json().as_ptr());
}

#[tokio::test(start_paused = true)]
async fn nobody_watches_before_the_store_was_read() {
    let fixture = Fixture::away();
    let refused = fixture
        .registry()
        .watch(&lasting(1))
        .await
        .err()
        .expect("not yet");
    assert_eq!(
        (refused.code, refused.retry_after_seconds()),
        (429, Some(1))
    );
    fixture.store.come_back();
    fixture.registry().synced().await;
    assert_eq!(
        times(watch(&fixture, &lasting(1)).await).await,
        [(1, "end")]
    );
}
