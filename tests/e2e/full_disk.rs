//! The embedded store's disk is full: what was acknowledged stays, what was refused never was.

use fleetgate_tests::{
    CLUSTERS,
    http::Reply,
    server::{Server, ServerSpec},
    small_disk::SmallDisk,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// Mebibytes: more than the file of an empty store takes.
const SMALL: usize = 12;
const LARGE: usize = 64;
/// Bytes of a cluster. Less than what annotations may take.
const SIZE: usize = 200 << 10;

async fn create(server: &Server, name: &str) -> Reply {
    let cluster = json!({
        "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": name, "annotations": {"filler": "x".repeat(SIZE)}},
        "spec": {"syncMode": "Push"},
    });
    let reply = server.admin().send(Method::POST, CLUSTERS, &cluster).await;
    reply.unwrap()
}

/// The clusters, each as it is served alone and in a list.
async fn clusters(server: &Server) -> Vec<Value> {
    let mut caller = server.admin().connect().await.unwrap();
    let list = caller.get(CLUSTERS).await.unwrap().expect(200).json();
    let items = list["items"].as_array().unwrap();
    for item in items {
        let name = item["metadata"]["name"].as_str().unwrap();
        let there = caller.get(&format!("{CLUSTERS}/{name}")).await.unwrap();
        let mut there = there.expect(200).json();
        for field in ["kind", "apiVersion"] {
            there.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(there, *item);
    }
    items.clone()
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let test = "a_full_disk_loses_nothing_that_was_acknowledged";
    let Some(disk) = SmallDisk::needed_by(test, SMALL).await else {
        return;
    };
    let mut server = ServerSpec::default().on(&disk).start().await;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let name = format!("c{:03}", acknowledged.len());
        let reply = create(&server, &name).await;
        if reply.status != StatusCode::CREATED {
            break reply;
        }
        acknowledged.push(reply.json());
        let size = acknowledged.len() * SIZE;
        assert!(size < SMALL * MIB, "{size} bytes on a small disk");
    };
    assert!(!acknowledged.is_empty());
    let status = refused.expect(500).json();
    let message = "Internal error occurred: the store refused the request";
    assert_eq!(
        (&status["kind"], &status["reason"], &status["message"]),
        (&json!("Status"), &json!("InternalError"), &json!(message)),
    );
    for object in &mut acknowledged {
        for field in ["kind", "apiVersion"] {
            object.as_object_mut().unwrap().remove(field);
        }
    }
    // Again and again it reads, and refuses what there is no room for.
    for _ in 0..3 {
        assert_eq!(clusters(&server).await, acknowledged);
        create(&server, "refused").await.expect(500);
    }

    server.kill().await;
    disk.resize(LARGE).await;
    server.start_again().await;
    assert_eq!(clusters(&server).await, acknowledged);
    create(&server, "refused").await.expect(201);
    server.process().assert_running();
}
