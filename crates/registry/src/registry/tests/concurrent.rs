//! Many writers, readers and watchers at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fleetgate_api::Cluster;
use fleetgate_apimachinery::options::{DeleteOptions, ListOptions};
use fleetgate_model::{ClusterName, ResolveCluster};
use futures::{StreamExt, future::join_all};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::patch;
use crate::{
    WatchEvent,
    testing::{Fixture, cluster},
};

/// A number generator that gives every writer its own row.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Names with the resource versions at which they were seen last.
type Seen = BTreeMap<String, i64>;

async fn state(fixture: &Fixture) -> Seen {
    let list = fixture
        .registry()
        .list(&ListOptions::default())
        .await
        .expect("a list");
    list.items
        .iter()
        .map(|object| (object.name().to_owned(), object.revision()))
        .collect()
}

/// Follows a watch until a cluster called `end` is added, and checks that each event follows from
/// the ones before.
async fn reconstruct(fixture: Arc<Fixture>) -> Seen {
    let mut events = fixture
        .registry()
        .watch(&ListOptions::default())
        .await
        .expect("a watch")
        .boxed();
    let (mut seen, mut last) = (Seen::new(), 0);
    while let Some(event) = events.next().await {
        let object = event.object().unwrap_or_else(|| panic!("{event:?}"));
        let (name, revision) = (object.name().to_owned(), object.revision());
        let before = seen.get(&name).copied();
        match event {
            WatchEvent::Added(_) => assert_eq!(before, None, "{name} is added once"),
            WatchEvent::Modified(_) => assert!(before.expect("it was added") < revision),
            WatchEvent::Deleted(_) => assert!(before.expect("it was added") < revision),
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => panic!("{event:?}"),
        }
        // Initial objects come by name, what happens comes in its order.
        if matches!(event, WatchEvent::Modified(_) | WatchEvent::Deleted(_)) {
            assert!(revision > last, "{name}: {last}, then {revision}");
            last = revision;
        }
        if matches!(event, WatchEvent::Deleted(_)) {
            seen.remove(&name);
        } else {
            seen.insert(name.clone(), revision);
        }
        if name == "end" {
            break;
        }
    }
    seen
}

/// Writes at random to ten clusters.
async fn write(fixture: Arc<Fixture>, seed: u64) {
    let mut numbers = Numbers(seed);
    for turn in 0..60 {
        let name = format!("c{}", numbers.below(10));
        let registry = fixture.registry();
        let outcome = match numbers.below(6) {
            0 => registry
                .delete(&name, &DeleteOptions::default())
                .await
                .map(|_| ()),
            1 | 2 => {
                let options = crate::testing::written_by("test");
                registry.create(cluster(&name), &options).await.map(|_| ())
            }
            _ => {
                let value = format!("{seed}-{turn}");
                let label = move |cluster: &mut Cluster| {
                    cluster
                        .metadata
                        .labels
                        .insert("l".to_owned(), value.clone());
                };
                patch(&fixture, &name, label).await.map(|_| ())
            }
        };
        if let Err(status) = outcome {
            assert!(matches!(status.code, 404 | 409), "{status:?}");
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watcher_reconstructs_the_final_state() {
    let fixture = Arc::new(Fixture::new().await);
    let tracker = TaskTracker::new();
    let early = (0..4).map(|_| tracker.spawn(reconstruct(Arc::clone(&fixture))));
    let early: Vec<_> = early.collect();
    let writers = (1..=8).map(|seed| tracker.spawn(write(Arc::clone(&fixture), seed)));
    let writers: Vec<_> = writers.collect();
    tokio::task::yield_now().await;
    let late = (0..4).map(|_| tracker.spawn(reconstruct(Arc::clone(&fixture))));
    let late: Vec<_> = late.collect();
    for writer in join_all(writers).await {
        writer.expect("a writer ends well");
    }
    fixture.create("end").await;
    let want = state(&fixture).await;
    for watcher in join_all(early.into_iter().chain(late)).await {
        assert_eq!(watcher.expect("a watcher ends well"), want);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_between_writers() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.create("a").await;
    let tracker = TaskTracker::new();
    let writers = (0..8).map(|writer| {
        let fixture = Arc::clone(&fixture);
        tracker.spawn(async move {
            for turn in 0..20 {
                let key = format!("w{writer}-{turn}");
                let label = move |cluster: &mut Cluster| {
                    cluster.metadata.labels.insert(key.clone(), String::new());
                };
                patch(&fixture, "a", label)
                    .await
                    .expect("each gets through");
            }
        })
    });
    for writer in join_all(writers.collect::<Vec<_>>()).await {
        writer.expect("a writer ends well");
    }
    let found = fixture
        .registry()
        .get("a", Default::default())
        .await
        .expect("there");
    assert_eq!(found.object().metadata.labels.len(), 160);
}

fn name(text: &str) -> ClusterName {
    ClusterName::parse(text).expect("a name")
}

#[tokio::test]
async fn a_cluster_is_resolved_once_its_write_returned() {
    let fixture = Fixture::new().await;
    let clusters = &fixture.clusters;
    assert_eq!(clusters.resolve_cluster(&name("a")), None);
    fixture.create("a").await;
    let first = clusters.resolve_cluster(&name("a")).expect("created");
    let status = |cluster: &mut Cluster| cluster.metadata.labels.extend([("l".into(), "1".into())]);
    patch(&fixture, "a", status).await.expect("valid");
    let same = clusters.resolve_cluster(&name("a")).expect("there");
    assert!(
        Arc::ptr_eq(&first, &same),
        "nothing changed that leads to it"
    );
    let endpoint = |cluster: &mut Cluster| cluster.spec.api_endpoint = "https://h".to_owned();
    patch(&fixture, "a", endpoint).await.expect("valid");
    assert_eq!(
        clusters
            .resolve_cluster(&name("a"))
            .expect("there")
            .endpoint,
        "https://h"
    );
    fixture
        .registry()
        .delete("a", &DeleteOptions::default())
        .await
        .expect("a deletion");
    assert_eq!(clusters.resolve_cluster(&name("a")), None);
}

#[tokio::test]
async fn changes_of_members_are_told_and_no_others() {
    let fixture = Fixture::new().await;
    let mut members = fixture.clusters.members();
    fixture.create("a").await;
    assert!(members.has_changed().expect("the registry lives"));
    assert!(members.borrow_and_update().contains_key("a"));
    let label = |cluster: &mut Cluster| cluster.metadata.labels.extend([("l".into(), "1".into())]);
    patch(&fixture, "a", label).await.expect("valid");
    assert!(!members.has_changed().expect("the registry lives"));
    let kept = Arc::clone(&members.borrow_and_update()["a"]);
    let revision = fixture.create("b").await.revision();
    members.borrow_and_update();
    fixture.store.compact();
    // The next write is seen only after everything was read anew.
    fixture.create("c").await;
    assert!(members.has_changed().expect("the registry lives"));
    assert!(revision > 0 && Arc::ptr_eq(&kept, &members.borrow_and_update()["a"]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_start_is_waited_for() {
    let fixture = Fixture::away();
    let hour = Duration::from_secs(3600);
    let synced = timeout(hour, fixture.registry().synced()).await;
    assert!(synced.is_err() && !fixture.registry().is_synced());
    fixture.store.come_back();
    fixture.registry().synced().await;
    assert!(fixture.registry().is_synced());
    fixture.create("a").await;
    fixture.stop().await;
}
