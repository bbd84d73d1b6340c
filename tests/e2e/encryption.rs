//! Values are encrypted as the operator says, with keys that change under a running server.

use std::{fs, path::Path};

use fleetgate_tests::{
    CLUSTERS,
    etcd::Etcd,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http::Method;
use serde_json::{Value, json};

const OLD: &str = "aesgcm: {keys: [{name: old, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}";
const NEW: &str =
    "secretbox: {keys: [{name: new, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}";
/// Where the cluster is.
const PATH: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/a";
/// What the store must not hold as it is.
const SECRET: &str = "nobody-reads-this";

#[tokio::test]
async fn values_in_etcd_are_encrypted_with_keys_that_change() {
    let etcd = Etcd::of_the_host();
    let prefix = format!("/encrypted-{}", std::process::id());
    let key = format!("{prefix}/cluster.karmada.io/clusters/a");
    let spec = ServerSpec::default().etcd(&etcd.url(), &prefix);
    are_encrypted(spec, &key, async |_| etcd.get(&key).await.unwrap().value).await;
}

#[tokio::test]
async fn values_in_the_embedded_store_are_encrypted_with_keys_that_change() {
    let key = "/registry/cluster.karmada.io/clusters/a";
    are_encrypted(ServerSpec::default(), key, async |server| {
        fs::read(server.dir().join("data/fleetgate.redb")).unwrap()
    })
    .await;
}

/// `kept` reads what the store has written, the value at `key` among it.
async fn are_encrypted(spec: ServerSpec, key: &str, kept: impl AsyncFn(&Server) -> Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("encryption.yaml");
    write(&path, &[OLD]);
    let spec = spec.flag("encryption-provider-config", &path.display().to_string());
    let reload = "encryption-provider-config-automatic-reload";
    let mut server = spec.flag(reload, "true").start().await;
    let cluster = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "a"}, "spec": {"syncMode": "Push", "region": SECRET},
    });
    let made = server.change(Method::POST, CLUSTERS, &cluster).await;
    let bytes = kept(&server).await;
    assert!(holds(&bytes, "k8s:enc:aesgcm:v1:old:"));
    assert_eq!(get(&server).await, made);

    // A bad file changes nothing, and is counted.
    write(&path, &["kms: {name: a}"]);
    let failed =
        "apiserver_encryption_config_controller_automatic_reloads_total{status=\"failure\"} 1";
    until("the bad file is seen", SOON, async || {
        let metrics = server.admin().get("/metrics").await.unwrap();
        check(metrics.text().contains(failed), || metrics.text())
    })
    .await;
    write(&path, &[NEW, OLD]);
    let (made, _) = until("the new key writes", SOON, async || {
        let there = get(&server).await;
        let written = server.change(Method::PUT, PATH, &there).await;
        let is_new = holds(&kept(&server).await, "k8s:enc:secretbox:v1:new:");
        check(is_new, || "only the old key is used".to_owned()).map(|()| written)
    })
    .await;
    assert!(!holds(&kept(&server).await, SECRET));

    server.kill().await;
    server.start_again().await;
    assert_eq!(get(&server).await, made);

    // Without its key the server starts, and says what it cannot read.
    write(&path, &[OLD]);
    server.kill().await;
    server.start_again().await;
    let reply = server.admin().get(PATH).await.unwrap();
    let message = format!(
        "Internal error occurred: unable to transform key {key:?}: no matching prefix found"
    );
    assert_eq!(reply.expect(500).message(), message);
}

/// A configuration for clusters, with these providers.
fn write(path: &Path, providers: &[&str]) {
    let mut config = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n\
                      resources:\n- resources: ['*.cluster.karmada.io']\n  providers:\n"
        .to_owned();
    for provider in providers {
        config += &format!("  - {provider}\n");
    }
    fs::write(path, config).unwrap();
}

async fn get(server: &Server) -> Value {
    server.admin().get(PATH).await.unwrap().expect(200).json()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
