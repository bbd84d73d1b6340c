//! The registration fails: a secret is missing, or the cluster goes while it is in use.

use fleetgate_testkit::{Answer, FakeMember, UpgradeScript, certs};
use fleetgate_tests::{
    CLUSTERS,
    connection::chunk,
    fleet,
    member::Member,
    proxy_path,
    registration::Registration,
    server::{SECRETS, Server},
    wait::SOON,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{assert_refused, registration, server, until_refused, version};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn without_its_secret_a_cluster_is_refused_until_there_is_one_again() {
    let (server, member) = (server().await, Member::new(1).await);
    let cluster = registration("faults-secret", &member, member.url());
    server.join(&cluster).await;
    let host = fleet().at_host(&fleet().admin());
    let secret = format!("{SECRETS}/faults-secret-impersonator");

    host.delete(&secret).await.expect(200);
    let message = "cluster faults-secret: credentials: a secret is missing";
    let (reply, _) = until_refused(&server, "faults-secret", message).await;
    assert_refused(&reply, 503, "ServiceUnavailable", message);
    assert_eq!(reply.header("retry-after"), "1", "{reply}");

    let [_, impersonator] = cluster.secrets();
    host.post(SECRETS, &impersonator).await.expect(201);
    let (reply, _) = version(&server, "faults-secret").await;
    assert_eq!(reply.status, 200, "the very next request: {reply}");
    cluster.remove().await;
}

#[tokio::test]
async fn a_cluster_that_is_deleted_takes_its_watches_and_upgrades_with_it() {
    let (server, member) = (server().await, Member::new(1).await);
    let cluster = registration("faults-deleted", &member, member.url());
    server.join(&cluster).await;
    let mut caller = server.admin().connect().await.unwrap();
    let path = proxy_path("faults-deleted") + "/api/v1/namespaces?watch=true";
    let mut watch = caller.watch(&path).await.unwrap();
    chunk(&mut watch)
        .await
        .unwrap()
        .expect("the first namespace");

    delete(&server, "faults-deleted").await;
    let ended = async {
        while chunk(&mut watch).await?.is_some() {}
        anyhow::Ok(())
    };
    let ended = timeout(SOON, ended)
        .await
        .expect("the watch ends with the cluster");
    ended.expect("it ends as watches do");
    let message = "clusters.cluster.karmada.io \"faults-deleted\" not found";
    let (reply, _) = until_refused(&server, "faults-deleted", message).await;
    assert_refused(&reply, 404, "NotFound", message);

    server.join(&cluster).await;
    cluster.remove().await;
}

#[tokio::test]
async fn an_upgraded_connection_ends_with_its_cluster() {
    let server = server().await;
    let ca = certs::Ca::new("faults-upgrade");
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let member = FakeMember::tls(&leaf).start(|received| match received.header("upgrade") {
        "" => Answer::Echo,
        _ => Answer::Upgrade(UpgradeScript::EchoThen("bye".into())),
    });
    let member = member.await;
    let cluster = Registration {
        ca: ca.pem().to_owned(),
        ..Registration::new("faults-upgrade", &member.url())
    };
    server.join(&cluster).await;
    let mut caller = server.admin().connect().await.unwrap();
    let path = proxy_path("faults-upgrade") + "/exec";
    let mut stream = caller.upgrade(&path, "SPDY/3.1").await.unwrap();
    stream.write_all(b"echo").await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"echo");

    delete(&server, "faults-upgrade").await;
    let ended = timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
    // Whether in order or cut off, the caller sees that it is over.
    ended
        .expect("the stream ends with the cluster")
        .unwrap_or_default();
    let member = timeout(SOON, member.wait_upgraded(1)).await;
    member.expect("the member's side ends too");
    cluster.remove().await;
}

async fn delete(server: &Server, cluster: &str) {
    let path = format!("{CLUSTERS}/{cluster}");
    server.change(Method::DELETE, &path, &json!({})).await;
}
