//! What stands in etcd: the original's values are served and stay, and values are encrypted as the
//! operator says, with keys that change under a running server.

use std::{collections::BTreeMap, fs, time::Duration};

use fleetgate_storage::{
    KeyValue, Range, Store, Write, WriteResult,
    etcd::{EtcdConfig, EtcdStore, EtcdTls},
};
use fleetgate_tests::{
    CLUSTERS,
    environment::variable,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http::Method;
use serde_json::{Value, json};

/// The fleet's etcd, past every server.
fn etcd() -> EtcdStore {
    EtcdStore::new(&EtcdConfig {
        endpoints: vec![variable("FLEET_ETCD_URL")],
        tls: EtcdTls::default(),
        request_timeout: EtcdConfig::REQUEST_TIMEOUT,
        progress_interval: Duration::from_secs(1),
    })
    .unwrap()
}

fn prefix(name: &str) -> String {
    format!("/{name}-{}", std::process::id())
}

fn key(prefix: &str, name: &str) -> String {
    format!("{prefix}/cluster.karmada.io/clusters/{name}")
}

async fn put(key: String, value: String) {
    let value = value.into();
    let written = etcd().write(Write::Create { key, value }).await.unwrap();
    assert!(
        matches!(written, WriteResult::Committed { .. }),
        "{written:?}"
    );
}

async fn get(key: String) -> KeyValue {
    let found = etcd().range(Range::key(key)).await.unwrap();
    found.items.into_iter().next().unwrap()
}

/// Replaces the cluster called `name` by what it is.
async fn replace(server: &Server, name: &str) {
    let path = format!("{CLUSTERS}/{name}");
    let there = server.admin().get(&path).await.unwrap().expect(200).json();
    server.change(Method::PUT, &path, &there).await;
}

#[tokio::test]
async fn the_originals_values_are_served_and_stay() {
    let prefix = prefix("stored");
    let golden = include_str!("../golden/etcd.json");
    let golden: BTreeMap<String, Value> = serde_json::from_str(golden).unwrap();
    for (key, stored) in &golden {
        let value = stored["value"].as_str().unwrap().to_owned();
        put(key.replace("/registry", &prefix), value).await;
    }
    let newer = "{\"kind\":\"Cluster\",\"apiVersion\":\"cluster.karmada.io/v1alpha1\",\"metadata\":\
                 {\"name\":\"newer\"},\"spec\":{\"new\":[1],\"syncMode\":\"Push\"},\"status\":{}}\n";
    put(key(&prefix, "newer"), newer.to_owned()).await;
    let spec = ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), &prefix);
    let server = spec.start().await;
    for (original, stored) in &golden {
        let name = original.rsplit('/').next().unwrap();
        let path = format!("{CLUSTERS}/{name}");
        let mut served = server.admin().get(&path).await.unwrap().expect(200).json();
        served["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        let value = stored["value"].as_str().unwrap();
        assert_eq!(served, serde_json::from_str::<Value>(value).unwrap());
        replace(&server, name).await;
        let after = get(original.replace("/registry", &prefix)).await;
        assert_eq!((&after.value[..], after.version), (value.as_bytes(), 1));
    }
    let path = format!("{CLUSTERS}/newer");
    let mut there = server.admin().get(&path).await.unwrap().expect(200).json();
    assert_eq!(there["spec"], json!({"syncMode": "Push"}));
    there["spec"]["region"] = "r".into();
    server.change(Method::PUT, &path, &there).await;
    let after: Value = serde_json::from_slice(&get(key(&prefix, "newer")).await.value).unwrap();
    assert_eq!(
        after["spec"],
        json!({"new": [1], "syncMode": "Push", "region": "r"})
    );
}

/// A configuration for clusters, with these providers.
fn encryption(providers: &[&str]) -> String {
    let mut config = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n\
                      resources:\n- resources: ['*.cluster.karmada.io']\n  providers:\n"
        .to_owned();
    for provider in providers {
        config += &format!("  - {provider}\n");
    }
    config
}

#[tokio::test]
async fn values_are_encrypted_with_keys_that_change() {
    const OLD: &str = "aesgcm: {keys: [{name: old, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}";
    const NEW: &str =
        "secretbox: {keys: [{name: new, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}";
    let prefix = prefix("encrypted");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("encryption.yaml");
    fs::write(&path, encryption(&[OLD])).unwrap();
    let spec = ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), &prefix);
    let spec = spec.flag("encryption-provider-config", &path.display().to_string());
    let reload = "encryption-provider-config-automatic-reload";
    let mut server = spec.flag(reload, "true").start().await;
    let cluster = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "a"}, "spec": {"syncMode": "Push"},
    });
    server.change(Method::POST, CLUSTERS, &cluster).await;
    let kept = get(key(&prefix, "a")).await;
    assert!(
        kept.value.starts_with(b"k8s:enc:aesgcm:v1:old:"),
        "{kept:?}"
    );

    // A bad file changes nothing, and is counted.
    fs::write(&path, encryption(&["kms: {name: a}"])).unwrap();
    let failed =
        "apiserver_encryption_config_controller_automatic_reloads_total{status=\"failure\"} 1";
    until("the bad file is seen", SOON, async || {
        let metrics = server.admin().get("/metrics").await.unwrap();
        check(metrics.text().contains(failed), || metrics.text())
    })
    .await;
    fs::write(&path, encryption(&[NEW, OLD])).unwrap();
    until("the new key writes", SOON, async || {
        replace(&server, "a").await;
        let kept = get(key(&prefix, "a")).await;
        let is_new = kept.value.starts_with(b"k8s:enc:secretbox:v1:new:");
        check(is_new, || format!("{kept:?}"))
    })
    .await;

    // Without its key the server starts, and says what it cannot read.
    fs::write(&path, encryption(&[OLD])).unwrap();
    server.kill().await;
    server.start_again().await;
    let reply = server.admin().get(&format!("{CLUSTERS}/a")).await.unwrap();
    let message = format!(
        "Internal error occurred: unable to transform key {:?}: no matching prefix found",
        key(&prefix, "a")
    );
    assert_eq!(reply.expect(500).json()["message"], message);
}
