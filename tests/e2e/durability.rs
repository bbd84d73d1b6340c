//! The server is killed while clients write: what was acknowledged is there, and versions go on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use fleetgate_tests::{
    CLUSTERS,
    connection::{Caller, Connection, chunk},
    environment::variable,
    http::Reply,
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};

const WRITERS: usize = 8;
/// How often the server is killed.
const ROUNDS: usize = 3;
/// How many writes are acknowledged before it is.
const WRITES: usize = 150;

/// What writers were told.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Whether each cluster is there, and the least value of its label.
    clusters: Mutex<BTreeMap<String, State>>,
    /// The highest resourceVersion.
    version: AtomicUsize,
    writes: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// With this value, or one that was sent later and never answered.
    Present(usize),
    /// It was deleted.
    Absent,
    /// A delete was sent and never answered; before it had this value.
    Unknown,
}

#[tokio::test]
async fn the_embedded_store_keeps_what_it_acknowledged_when_the_server_is_killed() {
    survive(ServerSpec::default()).await;
}

#[tokio::test]
async fn etcd_keeps_what_it_acknowledged_when_the_server_is_killed() {
    let prefix = format!("/durability-{}", std::process::id());
    survive(ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), &prefix)).await;
}

async fn survive(spec: ServerSpec) {
    let mut server = spec.start().await;
    let acknowledged = Arc::new(Acknowledged::default());
    for round in 0..ROUNDS {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (caller, acknowledged) = (server.admin(), Arc::clone(&acknowledged));
            writers.spawn(write(caller, format!("r{round}-w{writer}"), acknowledged));
        }
        let enough = (round + 1) * WRITES;
        until("writes are acknowledged", SOON, async || {
            let writes = acknowledged.writes.load(Ordering::SeqCst);
            check(writes >= enough, || format!("{writes} of {enough}"))
        })
        .await;
        server.kill().await;
        // Every writer ends with the connection.
        writers.join_all().await;
        server.start_again().await;
        look(&server, &acknowledged).await;
    }
}

/// Creates, changes and now and then deletes clusters until the server is gone.
async fn write(caller: Caller, prefix: String, acknowledged: Arc<Acknowledged>) {
    let Ok(mut connection) = caller.connect().await else {
        return;
    };
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        if life(&mut connection, &name, number, &acknowledged)
            .await
            .is_err()
        {
            return;
        }
    }
}

/// One cluster's life.
async fn life(
    connection: &mut Connection,
    name: &str,
    number: usize,
    acknowledged: &Acknowledged,
) -> anyhow::Result<()> {
    let object = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": name, "labels": {"value": "0"}},
        "spec": {"syncMode": "Push", "apiEndpoint": "https://127.0.0.1:1"},
    });
    let path = format!("{CLUSTERS}/{name}");
    let reply = connection.send(Method::POST, CLUSTERS, &object).await?;
    acknowledged.note(name, State::Present(0), &reply);
    for value in 1..4 {
        let patch = json!({"metadata": {"labels": {"value": value.to_string()}}});
        let reply = connection.send(Method::PATCH, &path, &patch).await?;
        acknowledged.note(name, State::Present(value), &reply);
    }
    if number % 3 == 2 {
        acknowledged
            .clusters
            .lock()
            .insert(name.to_owned(), State::Unknown);
        let reply = connection.send(Method::DELETE, &path, &json!({})).await?;
        acknowledged.note(name, State::Absent, &reply);
    }
    Ok(())
}

/// Everything acknowledged is there, a new write has a version of its own above all, and a watch
/// from the list on sees it.
async fn look(server: &Server, acknowledged: &Acknowledged) {
    let list = server
        .admin()
        .get(CLUSTERS)
        .await
        .unwrap()
        .expect(200)
        .json();
    let items = list["items"].as_array().unwrap();
    let found: BTreeMap<&str, usize> = items.iter().map(|item| (name(item), value(item))).collect();
    for (name, state) in acknowledged.clusters.lock().iter() {
        let found = found.get(name.as_str());
        match state {
            State::Present(least) => {
                assert!(
                    found.is_some_and(|value| value >= least),
                    "{name}: {found:?} of {state:?}"
                );
            }
            State::Absent => assert_eq!(found, None, "{name} was deleted"),
            State::Unknown => {}
        }
    }
    let highest = acknowledged.version.load(Ordering::SeqCst);
    let listed = version(&list);
    assert!(
        listed >= highest,
        "list of {listed}, acknowledged {highest}"
    );

    let mut caller = server.admin().connect().await.unwrap();
    let watch = format!("{CLUSTERS}?watch=true&resourceVersion={listed}");
    let mut watch = caller.watch(&watch).await.unwrap();
    let object = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": format!("after-{highest}")},
        "spec": {"syncMode": "Push"},
    });
    let made = server.change(Method::POST, CLUSTERS, &object).await;
    assert!(version(&made) > listed, "{made} after {listed}");
    let event = timeout(SOON, chunk(&mut watch)).await.expect("an event");
    let event: Value = serde_json::from_slice(&event.unwrap().unwrap()).unwrap();
    assert_eq!(
        (&event["type"], name(&event["object"])),
        (&json!("ADDED"), name(&made))
    );
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

fn value(object: &Value) -> usize {
    let value = object["metadata"]["labels"]["value"].as_str();
    value.map_or(0, |value| value.parse().unwrap())
}

fn version(object: &Value) -> usize {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.unwrap().parse().unwrap()
}

// === impl Acknowledged ===

impl Acknowledged {
    fn note(&self, name: &str, state: State, reply: &Reply) {
        assert!(reply.status.is_success(), "{name}: {reply}");
        self.clusters.lock().insert(name.to_owned(), state);
        self.writes.fetch_add(1, Ordering::SeqCst);
        // What a delete answers is a Status without a version, or the object.
        let object = reply.json();
        if object["kind"] == "Cluster" {
            self.version.fetch_max(version(&object), Ordering::SeqCst);
        }
    }
}
