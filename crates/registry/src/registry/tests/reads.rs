//! Reads of one object.

use std::sync::Arc;

use fleetgate_api::Cluster;
use fleetgate_apimachinery::options::{GetOptions, ListOptions, ResourceVersion};

use super::patch;
use crate::{
    List,
    testing::{Fixture, assert_golden},
};

fn names(list: &List<Cluster>) -> Vec<&str> {
    list.items.iter().map(|object| object.name()).collect()
}

fn at(revision: i64) -> ResourceVersion {
    ResourceVersion::At(u64::try_from(revision).expect("positive"))
}

async fn list(fixture: &Fixture, options: &ListOptions) -> List<Cluster> {
    fixture.registry().list(options).await.expect("a list")
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let fixture = Fixture::new().await;
    for resource_version in [ResourceVersion::Unset, ResourceVersion::Any, at(1)] {
        let missing = fixture
            .registry()
            .get("missing", GetOptions { resource_version })
            .await;
        assert_golden(&missing.expect_err("missing"), "missing", 0);
        let bad = fixture
            .registry()
            .get("a/b", GetOptions { resource_version })
            .await;
        assert_eq!(bad.expect_err("no name").code, 400);
    }
}

#[tokio::test]
async fn a_get_is_of_the_state_that_is_asked_for() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    for resource_version in [
        ResourceVersion::Unset,
        ResourceVersion::Any,
        at(created.revision()),
    ] {
        let found = fixture
            .registry()
            .get("a", GetOptions { resource_version })
            .await;
        assert_eq!(found.expect("there").revision(), created.revision());
    }
    let next = GetOptions {
        resource_version: at(created.revision() + 1),
    };
    let early = fixture
        .registry()
        .get("a", next)
        .await
        .expect_err("yet to come");
    let want = format!(
        "Timeout: Too large resource version: {}, current: {}",
        created.revision() + 1,
        created.revision()
    );
    assert_eq!(
        (early.code, early.message, early.details.is_some()),
        (504, want, true)
    );
}

#[tokio::test]
async fn an_object_is_read_and_written_down_once() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let quorum = fixture
        .registry()
        .get("a", GetOptions::default())
        .await
        .expect("there");
    let memory = GetOptions {
        resource_version: ResourceVersion::Any,
    };
    let memory = fixture.registry().get("a", memory).await.expect("there");
    assert!(Arc::ptr_eq(&quorum, &memory));
    let listed = list(&fixture, &ListOptions::default()).await;
    assert!(Arc::ptr_eq(&listed.items[0], &memory));
}

#[tokio::test]
async fn a_quorum_read_does_not_rely_on_memory() {
    let fixture = Fixture::away();
    fixture.store.come_back();
    // Not kept up by anybody.
    let (store, strategy) = (
        Arc::clone(&fixture.store),
        crate::ClusterStrategy::default(),
    );
    let store: Arc<dyn fleetgate_storage::Store> = store;
    let idle = crate::Registry::new(strategy, store, "/registry");
    fixture.registry().synced().await;
    let created = fixture.create("a").await;
    for resource_version in [ResourceVersion::Unset, ResourceVersion::Any, at(1)] {
        let found = idle
            .get("a", GetOptions { resource_version })
            .await
            .expect("there");
        assert_eq!(found.revision(), created.revision());
        let options = ListOptions {
            resource_version,
            ..ListOptions::default()
        };
        assert_eq!(names(&idle.list(&options).await.expect("a list")), ["a"]);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_without_its_name() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    fixture.store.go_away();
    let status = fixture
        .registry()
        .get("a", GetOptions::default())
        .await
        .expect_err("away");
    assert_eq!((status.code, status.retry_after_seconds()), (503, Some(1)));
    assert_eq!(status.message, "the store is not available");
    let refused = patch(&fixture, "a", |_| ()).await.expect_err("away");
    assert_eq!(refused.code, 503);
    let memory = GetOptions {
        resource_version: ResourceVersion::Any,
    };
    fixture
        .registry()
        .get("a", memory)
        .await
        .expect("memory is still there");
}
