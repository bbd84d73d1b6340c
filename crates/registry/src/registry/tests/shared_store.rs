//! One store with another server: what that wrote is served, and what of it is unknown here stays.

use std::collections::BTreeMap;

use fleetgate_api::Cluster;
use fleetgate_apimachinery::options::{DeleteOptions, GetOptions, ListOptions};
use fleetgate_storage::{Store, Write};
use serde_json::{Value, json};

use super::{only_tried, patch, patch_part, put, value};
use crate::{Change, Deleted, Part, testing::Fixture};

const DIRECTORY: &str = "/registry/cluster.karmada.io/clusters/";

/// What a newer server may have stored.
fn newer() -> Value {
    json!({
        "kind": "Cluster", "apiVersion": "cluster.karmada.io/v1alpha1",
        "metadata": {"name": "a", "uid": "u", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["example.com/hold"], "new": {"in": "metadata"},
            "managedFields": [{"manager": "newer", "operation": "Update",
                "apiVersion": "cluster.karmada.io/v1alpha1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:syncMode": {}}}}]},
        "spec": {"syncMode": "Push", "secretRef": {"namespace": "n", "name": "s", "new": 1},
            "taints": [{"key": "k", "effect": "NoSchedule", "new": 2}], "new": [1.5, {"a": null}]},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "r", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "new": 3}], "new": "status"},
        "new": true,
    })
}

async fn store(fixture: &Fixture, name: &str, value: &str) {
    let write = Write::Create {
        key: format!("{DIRECTORY}{name}"),
        value: value.to_owned().into(),
    };
    fixture.store.write(write).await.expect("a new key");
}

async fn stored(fixture: &Fixture) -> Value {
    let text = value(fixture, "a").await.expect("it is there");
    serde_json::from_str(&text).expect("JSON")
}

/// The paths at which `value` has a field called `new`.
fn news(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, it)| (n.to_string(), it))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let mut found = Vec::new();
    for (name, value) in inner {
        if name == "new" {
            found.push(format!("new={value}"));
        }
        found.extend(news(value).into_iter().map(|path| format!("{name}.{path}")));
    }
    found
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    store(&fixture, "a", &newer().to_string()).await;
    fixture
}

/// Nothing tells this server of another's write before the store does.
#[tokio::test]
async fn a_list_shows_what_another_server_has_just_changed() {
    let fixture = Fixture::new().await;
    let revision = fixture.create("a").await.revision();
    let value = value(&fixture, "a").await.expect("it is there");
    let write = Write::Update {
        key: format!("{DIRECTORY}a"),
        value: value.replace(r#""Push""#, r#""Pull""#).into(),
        mod_revision: revision,
    };
    fixture.store.write(write).await.expect("a newer value");
    let list = fixture.registry().list(&ListOptions::default()).await;
    let list = list.expect("a list");
    assert_eq!(list.items[0].object().spec.sync_mode, "Pull");
}

#[tokio::test]
async fn every_kind_of_write_keeps_what_is_unknown() {
    let fixture = fixture().await;
    let all = news(&newer());
    assert_eq!(all.len(), 7);
    let got = fixture.registry().get("a", GetOptions::default()).await;
    let got = got.expect("a cluster");
    assert_eq!(
        news(&serde_json::from_slice(&got.json()).expect("JSON")),
        [""; 0]
    );

    put(&fixture, "a", got.object().clone())
        .await
        .expect("valid");
    assert_eq!(stored(&fixture).await, newer(), "nothing changed");
    let mut replaced = got.object().clone();
    replaced.spec.region = "r".to_owned();
    put(&fixture, "a", replaced).await.expect("valid");
    assert_eq!(news(&stored(&fixture).await), all, "replaced");
    let status = |cluster: &mut Cluster| {
        cluster.status.kubernetes_version = "v1".to_owned();
        cluster.status.conditions[0].status = "False".to_owned();
    };
    let change = patch_part(&fixture, "a", Part::Status, status).await;
    change.expect("valid");
    assert_eq!(news(&stored(&fixture).await), all, "of another status");
    let deleted = fixture
        .registry()
        .delete("a", &DeleteOptions::default())
        .await;
    assert!(matches!(deleted, Ok(Deleted::Held(_))), "{deleted:?}");
    assert_eq!(news(&stored(&fixture).await), all, "held");
    let finalizers = |cluster: &mut Cluster| {
        cluster
            .metadata
            .finalizers
            .push("example.com/more".to_owned());
    };
    let change = patch(&fixture, "a", finalizers).await;
    assert!(change.is_err(), "no finalizer is added to what is deleted");
    let label = |cluster: &mut Cluster| {
        cluster
            .metadata
            .labels
            .insert("a".to_owned(), "b".to_owned());
    };
    patch(&fixture, "a", label).await.expect("valid");
    assert_eq!(news(&stored(&fixture).await), all, "labelled");
    let fields = stored(&fixture).await["metadata"]["managedFields"].to_string();
    assert!(
        !fields.contains("new\"") && !fields.contains("f:new"),
        "{fields}"
    );
}

#[tokio::test]
async fn what_is_unknown_goes_with_what_it_is_part_of() {
    let fixture = fixture().await;
    let less = |cluster: &mut Cluster| {
        cluster.spec.secret_ref = None;
        cluster.spec.taints.clear();
        cluster.metadata.finalizers.clear();
    };
    patch(&fixture, "a", less).await.expect("valid");
    let kept = news(&stored(&fixture).await);
    let want = [
        "metadata.new={\"in\":\"metadata\"}",
        "new=true",
        "spec.new=[1.5,{\"a\":null}]",
        "status.conditions.0.new=3",
        "status.new=\"status\"",
    ];
    assert_eq!(kept, want);

    let deleted = fixture
        .registry()
        .delete("a", &DeleteOptions::default())
        .await;
    assert!(matches!(deleted, Ok(Deleted::Gone(_))), "{deleted:?}");
    fixture.create("a").await;
    assert_eq!(news(&stored(&fixture).await), [""; 0], "another object");
}

#[tokio::test]
async fn what_is_only_tried_shows_and_changes_nothing() {
    let fixture = fixture().await;
    let mut changed = fixture
        .registry()
        .get("a", GetOptions::default())
        .await
        .expect("a cluster")
        .object()
        .clone();
    changed.spec.region = "r".to_owned();
    let tried = fixture
        .registry()
        .update("a", Part::Main, Change::Replace(changed), &only_tried())
        .await
        .expect("valid");
    assert_eq!(
        news(&serde_json::from_slice(&tried.json()).expect("JSON")),
        [""; 0]
    );
    assert_eq!(stored(&fixture).await, newer());
}

/// The values that the original wrote.
fn golden() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/etcd.json");
    let text = std::fs::read_to_string(path).expect("the golden files are in the repository");
    let values: BTreeMap<String, Value> = serde_json::from_str(&text).expect("keys with values");
    let text = |value: Value| value["value"].as_str().expect("a value").to_owned();
    values
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect()
}

#[tokio::test]
async fn the_originals_values_are_served_and_stay_as_they_are() {
    let fixture = Fixture::new().await;
    assert_eq!(golden().len(), 2);
    for (key, before) in golden() {
        let name = key.strip_prefix(DIRECTORY).expect("the key of a cluster");
        store(&fixture, name, &before).await;
        let got = fixture.registry().get(name, GetOptions::default()).await;
        let got = got.expect("a cluster");
        let mut served: Value = serde_json::from_slice(&got.json()).expect("JSON");
        let metadata = served["metadata"].as_object_mut().expect("metadata");
        let version = metadata.remove("resourceVersion");
        assert_eq!(version, Some(got.revision().to_string().into()));
        let want: Value = serde_json::from_str(&before).expect("JSON");
        assert_eq!(served, want, "{name}");

        put(&fixture, name, got.object().clone())
            .await
            .expect("valid");
        patch(&fixture, name, |_| {}).await.expect("valid");
        patch_part(&fixture, name, Part::Status, |_| {})
            .await
            .expect("valid");
        let after = value(&fixture, name).await.expect("it is there");
        assert_eq!(after, before, "{name}, after updates that change nothing");
    }
}

#[tokio::test]
async fn a_change_to_the_originals_values_changes_nothing_else() {
    let fixture = Fixture::new().await;
    for (key, before) in golden() {
        let name = key.strip_prefix(DIRECTORY).expect("the key of a cluster");
        store(&fixture, name, &before).await;
        let label = |cluster: &mut Cluster| {
            cluster
                .metadata
                .labels
                .insert("zz".to_owned(), "new".to_owned());
        };
        patch(&fixture, name, label).await.expect("valid");
        let after = value(&fixture, name).await.expect("it is there");
        let mut after: Value = serde_json::from_str(&after).expect("JSON");
        let mut before: Value = serde_json::from_str(&before).expect("JSON");
        before["metadata"]["labels"]["zz"] = "new".into();
        let fields = after["metadata"]["managedFields"].take();
        let known = before["metadata"]["managedFields"].take();
        assert_eq!(after, before, "{name}");
        let known = known.as_array().expect("a list");
        let fields = fields.as_array().expect("a list");
        assert_eq!(&fields[..known.len()], known, "{name}");
        assert_eq!(fields.len(), known.len() + 1, "{name}");
    }
}
