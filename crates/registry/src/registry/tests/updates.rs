//! Updates.

use fleetgate_api::{Cluster, Condition, Taint};
use serde_json::json;

use super::{only_tried, patch, patch_part, put, value};
use crate::{
    Change, Part, Stored,
    testing::{Fixture, assert_golden, cluster, written_by},
};

#[tokio::test]
async fn what_is_only_tried_is_not_stored() {
    let fixture = Fixture::new().await;
    let tried = fixture
        .registry()
        .create(cluster("a"), &only_tried())
        .await
        .expect("valid");
    assert_eq!(tried.object().metadata.resource_version, "");
    assert_eq!(tried.object().metadata.generation, 1);
    assert_eq!(value(&fixture, "a").await, None);

    let created = fixture.create("a").await;
    let before = value(&fixture, "a").await;
    let mut changed = cluster("a");
    changed.spec.region = "r".to_owned();
    let change = Change::Replace(changed);
    let tried = fixture
        .registry()
        .update("a", Part::Main, change, &only_tried())
        .await;
    let tried = tried.expect("valid");
    assert_eq!(
        (tried.object().metadata.generation, tried.revision()),
        (2, created.revision())
    );
    assert_eq!(value(&fixture, "a").await, before);
}

#[tokio::test]
async fn the_generation_counts_changes_of_the_spec() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let region = |cluster: &mut Cluster| cluster.spec.region = "r".to_owned();
    let changed = patch(&fixture, "a", region).await.expect("valid");
    assert_eq!(changed.object().metadata.generation, 2);
    let label = |cluster: &mut Cluster| {
        cluster.metadata.generation = 99;
        cluster
            .metadata
            .labels
            .insert("a".to_owned(), "b".to_owned());
    };
    let changed = patch(&fixture, "a", label).await.expect("valid");
    assert_eq!(changed.object().metadata.generation, 2);
    // A taint without its time is a change, each time it is put.
    let mut tainted = cluster("a");
    tainted.spec.taints = vec![Taint {
        key: "k".to_owned(),
        effect: "NoExecute".to_owned(),
        ..Taint::default()
    }];
    for generation in 3..5 {
        let done = put(&fixture, "a", tainted.clone()).await.expect("valid");
        assert_eq!(done.object().metadata.generation, generation);
        assert!(done.object().spec.taints[0].time_added.is_some());
        assert_eq!(
            done.object().spec.resource_models,
            [],
            "a put does not default them"
        );
    }
}

#[tokio::test]
async fn an_update_that_changes_nothing_is_not_written() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let same = put(&fixture, "a", created.object().clone())
        .await
        .expect("valid");
    assert_eq!(same.revision(), created.revision());
    // Another manager that changes nothing owns nothing.
    let change = Change::with(|current: &Stored<Cluster>| Ok(current.object().clone()));
    let same = fixture
        .registry()
        .update("a", Part::Main, change, &written_by("other"))
        .await;
    assert_eq!(same.expect("valid").revision(), created.revision());
    // What is said of status, uid and times is not heard.
    let deaf = |cluster: &mut Cluster| {
        cluster.status.kubernetes_version = "v9".to_owned();
        cluster.metadata.uid.clear();
        cluster.metadata.creation_timestamp = None;
        cluster.metadata.self_link = "x".to_owned();
    };
    let same = patch(&fixture, "a", deaf).await.expect("valid");
    assert_eq!(same.revision(), created.revision());
}

#[tokio::test]
async fn an_update_of_another_state_is_refused() {
    let fixture = Fixture::new().await;
    fixture.create("update-stale").await;
    let mut stale = cluster("update-stale");
    stale.metadata.resource_version = "1".to_owned();
    let refused = put(&fixture, "update-stale", stale.clone())
        .await
        .expect_err("stale");
    assert_golden(&refused, "update-stale", 1);
    stale.metadata.resource_version.clear();
    put(&fixture, "update-stale", stale)
        .await
        .expect("without a version, any state will do");
}

#[tokio::test]
async fn a_resource_version_is_a_number() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    for (version, why) in [
        ("x", "invalid syntax"),
        ("-1", "invalid syntax"),
        ("99999999999999999999", "value out of range"),
    ] {
        let message = format!("strconv.ParseUint: parsing \"{version}\": {why}");
        let mut object = cluster("a");
        object.metadata.resource_version = version.to_owned();
        let refused = put(&fixture, "a", object).await.expect_err("no number");
        assert_eq!(
            (refused.code, refused.message.as_str(), &*refused.reason),
            (500, message.as_str(), "")
        );
    }
    let mut object = cluster("a");
    object.metadata.resource_version = "0".to_owned();
    put(&fixture, "a", object)
        .await
        .expect("any version will do");
}

#[tokio::test]
async fn an_update_of_another_object_is_refused() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let mut other = cluster("a");
    other.metadata.uid = "other".to_owned();
    let refused = put(&fixture, "a", other).await.expect_err("another uid");
    assert_eq!(refused.code, 409);
    assert_eq!(
        refused.message,
        format!(
            "Operation cannot be fulfilled on clusters.cluster.karmada.io \"a\": StorageError: \
             invalid object, Code: 4, Key: /registry/cluster.karmada.io/clusters/a, \
             ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: \
             other, UID in object meta: {}",
            created.object().metadata.uid
        )
    );
    let patched = patch(&fixture, "a", |cluster| {
        cluster.metadata.uid = "other".to_owned()
    })
    .await;
    let message = patched.expect_err("a uid stays").message;
    assert!(message.ends_with("metadata.uid: Invalid value: \"other\": field is immutable"));
    // Told even where there is no such object.
    for name in ["a", "c"] {
        let renamed = put(&fixture, name, cluster("b")).await;
        let renamed = renamed.expect_err("another name");
        let want =
            format!("the name of the object (b) does not match the name on the URL ({name})");
        assert_eq!((renamed.code, renamed.message), (400, want));
    }
}

#[tokio::test]
async fn there_is_nothing_to_update_where_there_is_no_cluster() {
    let fixture = Fixture::new().await;
    let refused = put(&fixture, "missing", cluster("missing"))
        .await
        .expect_err("missing");
    assert_golden(&refused, "missing", 2);
    let refused = patch(&fixture, "missing", |_| ())
        .await
        .expect_err("missing");
    assert_golden(&refused, "missing", 3);
}

#[tokio::test]
async fn an_invalid_update_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let before = value(&fixture, "a").await;
    let bad = |cluster: &mut Cluster| {
        cluster.spec.sync_mode = "Bogus".to_owned();
        cluster
            .metadata
            .labels
            .insert("a b".to_owned(), String::new());
    };
    let status = patch(&fixture, "a", bad).await.expect_err("invalid");
    assert_eq!(status.code, 422);
    assert!(
        status
            .message
            .starts_with("Cluster.cluster.karmada.io \"a\" is invalid: [")
    );
    // Once each in the message, as often as it was found in the causes.
    assert_eq!(
        status.message.matches("metadata.labels").count(),
        1,
        "{}",
        status.message
    );
    let causes = status.details.expect("details").causes;
    assert_eq!(
        causes
            .iter()
            .filter(|cause| cause.field == "metadata.labels")
            .count(),
        4
    );
    assert_eq!(value(&fixture, "a").await, before);
}

#[tokio::test]
async fn a_write_to_the_status_changes_the_status_alone() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let everything = |cluster: &mut Cluster| {
        cluster.status.kubernetes_version = "v1.36.3".to_owned();
        cluster.spec.region = "r".to_owned();
        cluster.spec.sync_mode = "Bogus".to_owned();
        cluster
            .metadata
            .labels
            .insert("a".to_owned(), "b".to_owned());
        cluster.metadata.finalizers.push("a/b".to_owned());
        cluster.metadata.generation = 9;
    };
    let done = patch_part(&fixture, "a", Part::Status, everything)
        .await
        .expect("valid");
    let mut want = created.object().clone();
    want.status.kubernetes_version = "v1.36.3".to_owned();
    want.metadata
        .resource_version
        .clone_from(&done.object().metadata.resource_version);
    let owners = &done.object().metadata.managed_fields;
    want.metadata.managed_fields.clone_from(owners);
    assert_eq!(done.object(), &want);
    let (last, fields) = (
        owners.last().expect("owners"),
        json!({"f:status": {"f:kubernetesVersion": {}}}),
    );
    assert_eq!(
        (last.subresource.as_str(), last.fields_v1.clone()),
        ("status", Some((&fields).into()))
    );
    assert_eq!(owners.len(), 2);

    let mut stale = created.object().clone();
    stale.status.kubernetes_version = "v2".to_owned();
    let change = Change::Replace(stale);
    let refused = fixture
        .registry()
        .update("a", Part::Status, change, &written_by("test"))
        .await;
    assert_eq!(refused.expect_err("stale").code, 409);
}

#[tokio::test]
async fn the_status_of_another_object_of_the_name_is_refused() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let other = |cluster: &mut Cluster| {
        cluster.metadata.uid = "another".to_owned();
        cluster.status.kubernetes_version = "v2".to_owned();
    };
    let status = patch_part(&fixture, "a", Part::Status, other)
        .await
        .expect_err("not this one");
    assert_eq!(status.code, 422);
    let want = "metadata.uid: Invalid value: \"another\": field is immutable";
    assert!(status.message.contains(want), "{}", status.message);
    let unnamed = |cluster: &mut Cluster| cluster.metadata.uid.clear();
    let same = patch_part(&fixture, "a", Part::Status, unnamed).await;
    assert_eq!(same.expect("valid").revision(), created.revision());
}

#[tokio::test]
async fn a_status_that_nobody_could_read_is_refused() {
    let fixture = Fixture::new().await;
    fixture.create("a").await;
    let bad = |cluster: &mut Cluster| {
        cluster.status.conditions = vec![Condition {
            status: "Maybe".to_owned(),
            ..Condition::default()
        }];
    };
    let status = patch_part(&fixture, "a", Part::Status, bad)
        .await
        .expect_err("invalid");
    assert!(
        status
            .message
            .contains("status.conditions[0].type: Required value")
    );
    assert!(
        status
            .message
            .contains("status.conditions[0].status: Unsupported value: \"Maybe\"")
    );
}
