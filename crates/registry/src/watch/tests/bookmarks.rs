//! Initial events, bookmarks and the end of a watch.

use fleetgate_apimachinery::{
    options::{ListOptions, ResourceVersion},
    selector::LabelSelector,
};
use fleetgate_storage::{Store, Write, WriteResult};
use futures::StreamExt;

use super::{lasting, shown, times, watch};
use crate::{
    WatchEvent,
    testing::{Fixture, golden},
};

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_just_before_the_end() {
    let fixture = Fixture::new().await;
    let options = ListOptions {
        allow_watch_bookmarks: true,
        ..lasting(150)
    };
    let events = watch(&fixture, &options).await;
    let bookmark = "BOOKMARK";
    let want = [
        (60, bookmark),
        (120, bookmark),
        (148, bookmark),
        (150, "end"),
    ];
    assert_eq!(times(events).await, want);
    let events = watch(&fixture, &lasting(150)).await;
    assert_eq!(
        times(events).await,
        [(150, "end")],
        "only for those who ask"
    );
    let short = ListOptions {
        allow_watch_bookmarks: true,
        ..lasting(2)
    };
    assert_eq!(times(watch(&fixture, &short).await).await, [(2, "end")]);
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_is_an_empty_object_at_what_was_seen() {
    let fixture = Fixture::new().await;
    let last = fixture.create("a").await.revision();
    let options = ListOptions {
        allow_watch_bookmarks: true,
        ..lasting(10)
    };
    let mut events = watch(&fixture, &options).await;
    assert_eq!(shown(&events.next().await.expect("the object")), "ADDED a");
    let json = events.next().await.expect("a bookmark").json();
    let want = format!(
        r#"{{"kind":"Cluster","apiVersion":"cluster.karmada.io/v1alpha1","metadata":{{"resourceVersion":"{last}"}},"spec":{{"syncMode":""}},"status":{{}}}}"#
    );
    assert_eq!(json, want);
}

#[tokio::test(start_paused = true)]
async fn a_watch_list_ends_its_initial_events_with_a_bookmark() {
    let fixture = Fixture::new().await;
    let created = fixture.create("w-initial").await.revision();
    for version in [
        ResourceVersion::Unset,
        ResourceVersion::Any,
        ResourceVersion::At(1),
    ] {
        let options = ListOptions {
            allow_watch_bookmarks: true,
            send_initial_events: Some(true),
            resource_version: version,
            ..lasting(2)
        };
        let events: Vec<_> = watch(&fixture, &options).await.collect().await;
        let [WatchEvent::Added(_), WatchEvent::Bookmark(bookmark)] = events.as_slice() else {
            panic!("{version:?}: {events:?}")
        };
        let mut got: serde_json::Value =
            serde_json::from_slice(&bookmark.json()).expect("a bookmark is JSON");
        assert_eq!(got["metadata"]["resourceVersion"], created.to_string());
        got["metadata"]["resourceVersion"] = "RV".into();
        assert_eq!(got, golden("watch/w-initial", 2)[1]["object"]);
    }
    // Who wants no bookmarks gets none here either.
    let options = ListOptions {
        send_initial_events: Some(true),
        ..lasting(2)
    };
    assert_eq!(
        times(watch(&fixture, &options).await).await,
        [(0, "ADDED"), (2, "end")]
    );
    for version in [ResourceVersion::Unset, ResourceVersion::Any] {
        let options = ListOptions {
            send_initial_events: Some(false),
            resource_version: version,
            ..lasting(2)
        };
        let events = watch(&fixture, &options).await;
        assert_eq!(times(events).await, [(2, "end")], "{version:?}");
    }
}

/// Another server writes to the same store; here, nobody has been told of it yet.
#[tokio::test(start_paused = true)]
async fn a_watch_list_knows_of_what_is_not_in_memory_yet() {
    let fixture = Fixture::new().await;
    let known = fixture.create("w-known").await;
    let write = Write::Create {
        key: "/registry/cluster.karmada.io/clusters/w-new".to_owned(),
        value: known.json(),
    };
    let put = fixture.store.write(write).await.expect("a new key");
    let WriteResult::Committed { revision } = put else {
        panic!("{put:?}")
    };
    let newest = ListOptions {
        send_initial_events: Some(false),
        ..lasting(2)
    };
    let events = watch(&fixture, &newest).await;
    let selected = ListOptions {
        allow_watch_bookmarks: true,
        send_initial_events: Some(true),
        resource_version: ResourceVersion::At(u64::try_from(revision).expect("positive")),
        label_selector: LabelSelector::parse("none=selected").expect("a selector"),
        ..lasting(60)
    };
    let selected = watch(&fixture, &selected).await;
    assert_eq!(times(events).await, [(2, "end")]);
    let selected = times(selected.take(1)).await;
    assert_eq!(selected[0], (0, "BOOKMARK"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_list_of_a_version_yet_to_come_is_refused_in_the_stream() {
    let fixture = Fixture::new().await;
    let options = ListOptions {
        send_initial_events: Some(true),
        resource_version: ResourceVersion::At(99),
        ..lasting(2)
    };
    let events: Vec<_> = watch(&fixture, &options).await.collect().await;
    let [WatchEvent::Error(status)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        status.message,
        "Timeout: Too large resource version: 99, current: 1"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_time_lasts_between_half_an_hour_and_an_hour() {
    let fixture = Fixture::new().await;
    let events = watch(&fixture, &ListOptions::default()).await;
    let [(seconds, "end")] = times(events).await[..] else {
        panic!("no events")
    };
    assert!((1800..3600).contains(&seconds), "{seconds}");
}
