//! What karmada-aggregated-apiserver has left in etcd: served as it stands, and written back as it
//! would write it, so that either server may follow the other.

use std::collections::BTreeMap;

use fleetgate_tests::{
    CLUSTERS,
    connection::chunk,
    etcd::Etcd,
    server::{Server, ServerSpec},
    wait::SOON,
};
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

/// The values by the name of their cluster.
fn recorded() -> BTreeMap<String, String> {
    let all: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../golden/etcd.json")).unwrap();
    all.into_iter()
        .map(|(key, stored)| {
            let name = key.rsplit_once('/').unwrap().1;
            (
                name.to_owned(),
                stored["value"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// A server with a prefix of its own in the host's etcd.
struct Shared {
    server: Server,
    etcd: Etcd,
    prefix: String,
}

impl Shared {
    async fn start(name: &str) -> Self {
        let etcd = Etcd::of_the_host();
        let prefix = format!("/{name}-{}", std::process::id());
        let spec = ServerSpec::default().etcd(&etcd.url(), &prefix);
        Self {
            server: spec.start().await,
            etcd,
            prefix,
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/cluster.karmada.io/clusters/{name}", self.prefix)
    }

    /// The value of `name`, put there by the other server, or by this one since.
    async fn text(&self, name: &str) -> String {
        let stored = self.etcd.get(&self.key(name)).await.unwrap();
        String::from_utf8(stored.value).unwrap()
    }

    /// Puts `value` there as another server would, and waits until this one serves it.
    async fn put(&self, name: &str, value: &str) {
        let mut caller = self.server.admin().connect().await.unwrap();
        let watch = format!("{CLUSTERS}?watch=true&fieldSelector=metadata.name%3D{name}");
        let mut watch = caller.watch(&watch).await.unwrap();
        self.etcd.put(&self.key(name), value.as_bytes()).await;
        let event = timeout(SOON, chunk(&mut watch)).await.expect("an event");
        let event: Value = serde_json::from_slice(&event.unwrap().unwrap()).unwrap();
        assert_eq!(event["type"], "ADDED", "{event}");
        assert_eq!(event["object"], self.served(name, value).await);
    }

    /// What must be served of the bytes `value`: all of it, and the revision.
    async fn served(&self, name: &str, value: &str) -> Value {
        let mut object: Value = serde_json::from_str(value).unwrap();
        let stored = self.etcd.get(&self.key(name)).await.unwrap();
        object["metadata"]["resourceVersion"] = json!(stored.revision.to_string());
        object
    }

    async fn get(&self, name: &str) -> Value {
        let path = format!("{CLUSTERS}/{name}");
        let reply = self.server.admin().get(&path).await.unwrap();
        reply.expect(200).json()
    }

    async fn label(&self, name: &str, value: Option<&str>) {
        let path = format!("{CLUSTERS}/{name}?fieldManager=stored");
        let patch = json!({"metadata": {"labels": {"stored": value}}});
        self.server.change(Method::PATCH, &path, &patch).await;
    }
}

#[tokio::test]
async fn recorded_values_are_served_as_they_stand() {
    let shared = Shared::start("stored-served").await;
    for (name, value) in recorded() {
        shared.put(&name, &value).await;
        assert_eq!(shared.get(&name).await, shared.served(&name, &value).await);
    }
    let list = shared.server.admin().get(CLUSTERS).await.unwrap();
    let list = list.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), recorded().len());
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_recorded_values_alone() {
    let shared = Shared::start("stored-unchanged").await;
    for (name, value) in recorded() {
        shared.put(&name, &value).await;
        let before = shared.etcd.get(&shared.key(&name)).await;
        let object = shared.get(&name).await;
        let path = format!("{CLUSTERS}/{name}");
        let put = shared.server.change(Method::PUT, &path, &object).await;
        assert_eq!(put, object);
        let status = format!("{path}/status");
        shared.server.change(Method::PUT, &status, &object).await;
        shared.server.change(Method::PATCH, &path, &json!({})).await;
        assert_eq!(shared.etcd.get(&shared.key(&name)).await, before);
    }
}

#[tokio::test]
async fn a_value_that_is_changed_and_changed_back_has_its_recorded_bytes_again() {
    let shared = Shared::start("stored-back").await;
    for (name, value) in recorded() {
        shared.put(&name, &value).await;
        shared.label(&name, Some("yes")).await;
        let between = shared.text(&name).await;
        assert!(between.contains(r#""stored":"yes""#), "{between}");
        shared.label(&name, None).await;
        assert_eq!(shared.text(&name).await, value, "{name}");
    }
}
