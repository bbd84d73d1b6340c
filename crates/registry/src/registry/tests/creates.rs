//! Creation.

use fleetgate_api::{Cluster, Taint};
use fleetgate_apimachinery::options::GetOptions;
use serde_json::json;

use super::{only_tried, value};
use crate::testing::{Fixture, assert_golden, cluster, golden, written_by};

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
    let mut both = unnamed.clone();
    both.metadata.name = created.name().to_owned();
    let taken = fixture.registry().create(both, &written_by("test")).await;
    let taken = taken.expect_err("taken");
    let want = format!(
        "clusters.cluster.karmada.io \"{}\" already exists, the server was not able to generate a \
         unique name for the object",
        created.name()
    );
    assert_eq!((taken.code, taken.message.as_str()), (409, want.as_str()));
    assert_eq!(taken.retry_after_seconds(), Some(1));
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
async fn a_resource_version_of_a_new_cluster_that_is_none_or_only_tried_does_not_matter() {
    let fixture = Fixture::new().await;
    let tried = only_tried();
    for (version, options) in [
        ("7", &tried),
        ("x", &tried),
        ("0", &written_by("test")),
        ("x", &written_by("test")),
    ] {
        let name = format!("c{version}{}", options.field_manager);
        let mut object = cluster(&name);
        object.metadata.resource_version = version.to_owned();
        fixture
            .registry()
            .create(object, options)
            .await
            .expect("it is not looked at");
    }
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
