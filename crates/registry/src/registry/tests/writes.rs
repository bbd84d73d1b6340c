//! Creation and updates.

use fleetgate_api::{Cluster, Condition, Taint};
use fleetgate_apimachinery::options::GetOptions;
use fleetgate_storage::{Range, Store};
use serde_json::json;

use super::{only_tried, patch, patch_part, put};
use crate::{
    Change, Part, Stored,
    testing::{Fixture, assert_golden, cluster, golden, written_by},
};

/// What the store holds under the key of the cluster called `name`.
async fn value(fixture: &Fixture, name: &str) -> Option<String> {
    let key = format!("/registry/cluster.karmada.io/clusters/{name}");
    let found = fixture
        .store
        .range(Range::key(key))
        .await
        .expect("a store that is there");
    let value = found.items.first().map(|kv| kv.value.to_vec());
    value.map(|value| String::from_utf8(value).expect("JSON is UTF-8"))
}

#[tokio::test]
async fn a_created_cluster_is_stored_as_karmada_stores_it() {
    let fixture = Fixture::new().await;
    let created = fixture.create("a").await;
    let metadata = &created.object().metadata;
    let stored = value(&fixture, "a").await.expect("stored");
    let time = serde_json::to_value(metadata.creation_timestamp).expect("a time");
    let start = format!(
        r#"{{"kind":"Cluster","apiVersion":"cluster.karmada.io/v1alpha1","metadata":{{"name":"a","uid":"{}","generation":1,"creationTimestamp":{time},"managedFields":[{{"manager":"test","operation":"Update","apiVersion":"cluster.karmada.io/v1alpha1","time":{time},"fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{"f:syncMode":{{}}}}}}}}]}},"spec":{{"syncMode":"Push","resourceModels":[{{"grade":0,"#,
        metadata.uid
    );
    assert!(stored.starts_with(&start), "{stored}\n{start}");
    assert!(stored.ends_with("]},\"status\":{}}\n"), "{stored}");
    assert_eq!(metadata.resource_version, created.revision().to_string());
}

#[tokio::test]
async fn what_the_caller_may_not_set_is_set_by_the_server() {
    let fixture = Fixture::new().await;
    let mut wild = cluster("a");
    wild.status.kubernetes_version = "v9".to_owned();
    wild.metadata.uid = "mine".to_owned();
    wild.metadata.generation = 9;
    wild.metadata.namespace = "default".to_owned();
    wild.metadata.deletion_grace_period_seconds = Some(9);
    let created = fixture.create_with(wild).await;
    let Cluster {
        metadata, status, ..
    } = created.object();
    assert_eq!(status.kubernetes_version, "");
    assert_ne!(metadata.uid, "mine");
    assert_eq!((metadata.generation, metadata.namespace.as_str()), (1, ""));
    assert_eq!(metadata.deletion_grace_period_seconds, None);
    assert!(metadata.creation_timestamp.is_some());
}

#[tokio::test]
async fn fields_are_owned_as_recorded() {
    let fixture = Fixture::new().await;
    let mut full = cluster("f-create");
    full.metadata.labels.insert("l".to_owned(), "1".to_owned());
    full.metadata
        .annotations
        .insert("a".to_owned(), "1".to_owned());
    full.spec.zones = vec!["z1".to_owned(), "z2".to_owned()];
    full.spec.taints = vec![Taint {
        key: "k".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    }];
    full.spec
        .proxy_header
        .insert("h".to_owned(), "v".to_owned());
    let created = fixture
        .registry()
        .create(full, &written_by("a-post"))
        .await
        .expect("valid");
    let mut fields = json!(created.object().metadata.managed_fields);
    fields[0]["time"] = "TIME".into();
    assert_eq!(
        fields,
        golden("fields/f-create", 0)["metadata"]["managedFields"]
    );
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let fixture = Fixture::new().await;
    fixture.create("already-exists").await;
    for options in [written_by("test"), only_tried()] {
        let again = fixture
            .registry()
            .create(cluster("already-exists"), &options)
            .await;
        assert_golden(&again.expect_err("taken"), "already-exists", 1);
    }
}

#[tokio::test]
async fn names_are_generated() {
    let fixture = Fixture::new().await;
    let mut unnamed = cluster("");
    unnamed.metadata.generate_name = "gen".to_owned();
    let created = fixture.create_with(unnamed.clone()).await;
    assert_eq!(created.name().len(), "gen".len() + 5);
    assert!(created.name().starts_with("gen"));
    assert_eq!(created.object().metadata.generate_name, "gen");
    unnamed.metadata.generate_name = "gen-".to_owned();
    let refused = fixture
        .registry()
        .create(unnamed, &written_by("test"))
        .await;
    assert_eq!(refused.expect_err("a prefix that is no name").code, 422);
    let nameless = fixture
        .registry()
        .create(cluster(""), &written_by("test"))
        .await;
    assert!(
        nameless
            .expect_err("no name")
            .message
            .ends_with("name or generateName is required")
    );
}

#[tokio::test]
async fn a_new_cluster_has_no_resource_version() {
    let fixture = Fixture::new().await;
    let mut old = cluster("a");
    old.metadata.resource_version = "7".to_owned();
    let refused = fixture.registry().create(old, &written_by("test")).await;
    let status = refused.expect_err("it cannot have one");
    assert_eq!(
        status.message,
        "resourceVersion should not be set on objects to be created"
    );
    assert_eq!((status.code, &*status.reason), (500, ""));
}

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
    let renamed = put(&fixture, "a", cluster("b"))
        .await
        .expect_err("another name");
    assert_eq!(
        (renamed.code, renamed.message.as_str()),
        (
            400,
            "the name of the object (b) does not match the name on the URL (a)"
        )
    );
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
        (last.subresource.as_str(), last.fields_v1.as_ref()),
        ("status", Some(&fields))
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

#[tokio::test]
async fn who_writes_reads_it_from_memory_at_once() {
    let fixture = Fixture::new().await;
    let any = GetOptions {
        resource_version: fleetgate_apimachinery::options::ResourceVersion::Any,
    };
    for turn in 0..50 {
        let name = format!("c{turn}");
        let created = fixture.create(&name).await;
        let read = fixture.registry().get(&name, any).await.expect("there");
        assert_eq!(read.revision(), created.revision());
    }
}

#[tokio::test]
async fn owners_are_named_once() {
    let fixture = Fixture::new().await;
    let owner = fleetgate_apimachinery::meta::OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        name: "o".to_owned(),
        uid: "u".to_owned(),
        ..Default::default()
    };
    let mut owned = cluster("a");
    owned.metadata.owner_references = vec![owner.clone(), owner.clone()];
    let created = fixture.create_with(owned).await;
    assert_eq!(created.object().metadata.owner_references, [owner]);
}
