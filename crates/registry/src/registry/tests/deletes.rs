//! Deletion.

use std::sync::Arc;

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    options::{
        DeleteOptions, DryRun, GetOptions, ListOptions, Preconditions, Propagation, ResourceVersion,
    },
    selector::LabelSelector,
    status::Status,
};

use super::{patch, put};
use crate::{
    Deleted, Stored,
    testing::{Fixture, assert_golden, cluster, written_by},
};

async fn delete(fixture: &Fixture, name: &str, options: &DeleteOptions) -> Deleted<Cluster> {
    fixture
        .registry()
        .delete(name, options)
        .await
        .expect("a deletion")
}

#[track_caller]
fn gone(deleted: Deleted<Cluster>) -> Status {
    match deleted {
        Deleted::Gone(status) => *status,
        Deleted::Held(object) => panic!("held: {object:?}"),
    }
}

#[track_caller]
fn held(deleted: Deleted<Cluster>) -> Arc<Stored<Cluster>> {
    match deleted {
        Deleted::Held(object) => object,
        Deleted::Gone(status) => panic!("gone: {status:?}"),
    }
}

async fn exists(fixture: &Fixture, name: &str) -> bool {
    fixture
        .registry()
        .get(name, GetOptions::default())
        .await
        .is_ok()
}

fn tried() -> DeleteOptions {
    DeleteOptions {
        dry_run: DryRun::All,
        ..DeleteOptions::default()
    }
}

async fn create_held(fixture: &Fixture, name: &str) -> Arc<Stored<Cluster>> {
    let mut object = cluster(name);
    object.metadata.finalizers = vec!["example.com/hold".to_owned()];
    fixture.create_with(object).await
}

#[tokio::test]
async fn a_cluster_that_nobody_holds_is_gone_at_once() {
    let fixture = Fixture::new().await;
    let uid = fixture
        .create("dry-run")
        .await
        .object()
        .metadata
        .uid
        .clone();
    assert_golden(
        &gone(delete(&fixture, "dry-run", &tried()).await),
        "dry-run",
        3,
    );
    assert!(exists(&fixture, "dry-run").await);
    let status = gone(delete(&fixture, "dry-run", &DeleteOptions::default()).await);
    assert_eq!(status.details.as_ref().expect("details").uid, uid);
    assert_golden(&status, "dry-run", 5);
    assert!(!exists(&fixture, "dry-run").await);
    let missing = fixture
        .registry()
        .delete("missing", &DeleteOptions::default())
        .await;
    assert_golden(&missing.expect_err("missing"), "missing", 1);
}

#[tokio::test]
async fn a_held_cluster_goes_with_its_last_finalizer() {
    let fixture = Fixture::new().await;
    let created = create_held(&fixture, "a").await;
    let tried = held(delete(&fixture, "a", &tried()).await);
    assert!(tried.object().metadata.deletion_timestamp.is_some());
    let marked = held(delete(&fixture, "a", &DeleteOptions::default()).await);
    let metadata = &marked.object().metadata;
    assert!(metadata.deletion_timestamp.is_some());
    assert_eq!(metadata.deletion_grace_period_seconds, Some(0));
    assert_eq!(
        metadata.generation,
        created.object().metadata.generation + 1
    );
    assert!(marked.revision() > created.revision());
    // Deleted again, it is what it was.
    let again = held(delete(&fixture, "a", &DeleteOptions::default()).await);
    assert_eq!(again.revision(), marked.revision());
    let taken = fixture
        .registry()
        .create(cluster("a"), &written_by("test"))
        .await;
    let message = taken.expect_err("still there").message;
    assert!(message.starts_with("object is being deleted: clusters.cluster.karmada.io \"a\""));

    let add = |cluster: &mut Cluster| cluster.metadata.finalizers.push("a/b".to_owned());
    let refused = patch(&fixture, "a", add)
        .await
        .expect_err("too late for a finalizer");
    assert!(
        refused.message.contains("no new finalizers can be added"),
        "{}",
        refused.message
    );
    let undelete = |cluster: &mut Cluster| {
        cluster.metadata.deletion_timestamp = None;
        cluster.metadata.deletion_grace_period_seconds = None;
    };
    let kept = patch(&fixture, "a", undelete).await.expect("valid");
    assert_eq!(
        kept.object().metadata.deletion_timestamp,
        metadata.deletion_timestamp
    );

    let free = |cluster: &mut Cluster| cluster.metadata.finalizers.clear();
    let last = patch(&fixture, "a", free).await.expect("valid");
    assert_eq!(last.object().metadata.finalizers, [""; 0]);
    assert!(!exists(&fixture, "a").await);
}

#[tokio::test]
async fn a_put_without_finalizers_completes_a_deletion() {
    let fixture = Fixture::new().await;
    create_held(&fixture, "a").await;
    held(delete(&fixture, "a", &DeleteOptions::default()).await);
    put(&fixture, "a", cluster("a")).await.expect("valid");
    assert!(!exists(&fixture, "a").await);
}

#[tokio::test]
async fn a_deletion_can_be_bound_to_one_state() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let metadata = &created.object().metadata;
    let expecting = |uid: Option<&str>, resource_version: Option<&str>| DeleteOptions {
        preconditions: Preconditions {
            uid: uid.map(str::to_owned),
            resource_version: resource_version.map(str::to_owned),
        },
        ..DeleteOptions::default()
    };
    let other = fixture
        .registry()
        .delete("a", &expecting(Some("other"), None))
        .await;
    let other = other.expect_err("another uid");
    assert_eq!(
        (other.code, other.message),
        (
            409,
            format!(
                "Operation cannot be fulfilled on Cluster.cluster.karmada.io \"a\": the UID in the \
                 precondition (other) does not match the UID in record ({}). The object might have \
                 been deleted and then recreated",
                metadata.uid
            )
        )
    );
    let stale = fixture
        .registry()
        .delete("a", &expecting(None, Some("1")))
        .await;
    let stale = stale.expect_err("another version");
    assert_eq!(
        stale.message,
        format!(
            "Operation cannot be fulfilled on Cluster.cluster.karmada.io \"a\": the \
             ResourceVersion in the precondition (1) does not match the ResourceVersion in record \
             ({}). The object might have been modified",
            metadata.resource_version
        )
    );
    assert!(exists(&fixture, "a").await);
    let exact = expecting(Some(&metadata.uid), Some(&metadata.resource_version));
    gone(delete(&fixture, "a", &exact).await);
}

#[tokio::test]
async fn dependents_decide_by_a_finalizer() {
    let fixture = Fixture::new().await;
    for (propagation, finalizer) in [
        (Propagation::Orphan, "orphan"),
        (Propagation::Foreground, "foregroundDeletion"),
    ] {
        fixture.create("a").await;
        let options = DeleteOptions {
            propagation: Some(propagation),
            ..DeleteOptions::default()
        };
        let marked = held(delete(&fixture, "a", &options).await);
        assert_eq!(marked.object().metadata.finalizers, [finalizer]);
        let background = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        gone(delete(&fixture, "a", &background).await);
    }
}

#[tokio::test]
async fn a_collection_is_deleted_as_it_is_selected() {
    let fixture = Fixture::new().await;
    for name in ["l-page-0", "l-page-1", "other"] {
        let mut object = cluster(name);
        let pages = if name == "other" { "0" } else { "1" };
        object
            .metadata
            .labels
            .insert("pages".to_owned(), pages.to_owned());
        fixture.create_with(object).await;
    }
    create_held(&fixture, "held").await;
    let selected = ListOptions {
        label_selector: LabelSelector::parse("pages=1").expect("a selector"),
        ..ListOptions::default()
    };
    let registry = fixture.registry();
    let names = |list: &crate::List<Cluster>| {
        list.items
            .iter()
            .map(|object| object.name().to_owned())
            .collect::<Vec<_>>()
    };
    let tried = registry
        .delete_collection(&tried(), &selected)
        .await
        .expect("a list");
    assert_eq!(names(&tried), ["l-page-0", "l-page-1"]);
    assert!(exists(&fixture, "l-page-0").await);
    let deleted = registry
        .delete_collection(&DeleteOptions::default(), &selected)
        .await
        .expect("a list");
    assert_eq!(names(&deleted), ["l-page-0", "l-page-1"]);
    registry
        .delete_collection(&DeleteOptions::default(), &ListOptions::default())
        .await
        .expect("a list");
    let left = registry
        .list(&ListOptions::default())
        .await
        .expect("a list");
    assert_eq!(names(&left), ["held"]);
}

#[tokio::test]
async fn what_is_deleted_at_a_version_is_what_was_there_then() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let seen = fixture.create("b").await.revision();
    fixture.create("c").await;
    let registry = fixture.registry();
    let selected = ListOptions {
        resource_version: ResourceVersion::At(u64::try_from(seen).expect("a revision")),
        ..ListOptions::default()
    };
    registry
        .delete_collection(&DeleteOptions::default(), &selected)
        .await
        .expect("a list");
    assert!(!exists(&fixture, "a").await && !exists(&fixture, "b").await);
    assert!(exists(&fixture, "c").await, "nobody has seen it");

    let newer = fixture.create("d").await.revision();
    fixture.store.forget_before(newer);
    let error = registry
        .delete_collection(&DeleteOptions::default(), &selected)
        .await
        .expect_err("a version that is not known any more");
    assert_eq!(error.code, 410);
    assert!(exists(&fixture, "c").await);
}
