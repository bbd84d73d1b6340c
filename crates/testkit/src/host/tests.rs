//! Tests of the fake itself, through its client.

use std::net::SocketAddr;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde_json::json;

use super::FakeHost;

fn secrets(client: Client) -> Api<Secret> {
    Api::namespaced(client, "ns")
}

fn token(secret: &Secret) -> &[u8] {
    &secret.data.as_ref().unwrap()["token"].0
}

fn secret(name: &str, value: &str) -> serde_json::Value {
    json!({
        "kind": "Secret", "apiVersion": "v1",
        "metadata": { "namespace": "ns", "name": name }, "data": { "token": value },
    })
}

#[tokio::test]
async fn objects_are_read_and_watched_by_name() {
    let host = FakeHost::new();
    host.put("secrets", secret("a", "b25l"));
    host.put("secrets", secret("b", "b25l"));
    let api = secrets(host.client());
    assert_eq!(token(&api.get("a").await.expect("is there")), b"one");
    assert!(api.get("c").await.is_err());
    let only_a = ListParams::default().fields("metadata.name=a");
    let list = api.list(&only_a).await.expect("listed");
    assert_eq!(list.items.len(), 1);

    let version = list.metadata.resource_version.expect("a version");
    let watch = WatchParams::default().fields("metadata.name=a");
    let mut events = api.watch(&watch, &version).await.expect("watched").boxed();
    host.put("secrets", secret("b", "dHdv"));
    host.put("secrets", secret("a", "dHdv"));
    host.delete("secrets", "ns", "a");
    let modified = events.next().await.expect("an event");
    assert!(matches!(modified, Ok(WatchEvent::Modified(secret)) if token(&secret) == b"two"));
    assert!(matches!(
        events.next().await,
        Some(Ok(WatchEvent::Deleted(_)))
    ));
    host.end_watches();
    assert!(events.next().await.is_none());

    host.compact();
    let late = api.watch(&watch, &version).await;
    assert!(matches!(late.err(), Some(kube::Error::Api(status)) if status.code == 410));
    assert_eq!(host.count("get", "secrets"), 2);
    assert_eq!(host.count("watch", "secrets"), 2);
}

#[tokio::test]
async fn metadata_alone_is_shown_where_asked_for() {
    let host = FakeHost::new();
    host.put("secrets", secret("a", "b25l"));
    let api = secrets(host.client());
    let list = api
        .list_metadata(&ListParams::default())
        .await
        .expect("listed");
    assert_eq!(list.items[0].metadata.name.as_deref(), Some("a"));
    let types = list.items[0].types.as_ref().expect("a kind");
    assert_eq!(types.kind, "PartialObjectMetadata");
    assert!(host.calls()[0].wants_metadata());
}

#[tokio::test]
async fn an_outage_lasts_until_it_is_over() {
    let host = FakeHost::new();
    host.put("secrets", secret("a", "b25l"));
    let api = secrets(host.client());
    host.fail_with(Some(503));
    assert!(api.get("a").await.is_err());
    host.fail_with(None);
    assert!(api.get("a").await.is_ok());
}

#[tokio::test]
async fn the_host_can_listen() {
    let host = FakeHost::new();
    let served = host.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let mut stream = tokio::net::TcpStream::connect(served.address())
        .await
        .expect("listens");
    let request = "GET /api/v1/secrets HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .expect("sent");
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
        .await
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(host.count("list", "secrets"), 1);
    assert_eq!(served.counts().accepted, 1);
}
