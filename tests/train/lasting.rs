//! What lasts or is large: watches, lists, upgraded connections.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fleetgate_testkit::{
    Answer, FakeMember, UpgradeScript,
    certs::{self, Ca},
};
use fleetgate_tests::{
    CLUSTERS,
    connection::{Caller, chunk},
    proxy_path,
    registration::Registration,
    server::Server,
    wait::{SOON, check, until},
    watching::Watching,
};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{NAME, NAMESPACE, of_member};

const WATCHES: usize = 100;
const EVENTS: usize = 50;
const LISTS: usize = 20;
const UPGRADES: usize = 8;
/// What goes each way in an upgraded connection.
const PIECE: usize = 32 << 10;
const PIECES: usize = 256;

/// Watches of an object of the member and of the cluster, over both protocols, while both change.
pub(crate) async fn watches(caller: &Caller) -> Result<()> {
    let config_maps = of_member(&format!("{NAMESPACE}/configmaps"));
    let selected = "watch=true&fieldSelector=metadata.name%3D";
    let kinds = [
        (
            format!("{config_maps}/small"),
            format!("{config_maps}?{selected}small"),
        ),
        (
            format!("{CLUSTERS}/{NAME}"),
            format!("{CLUSTERS}?{selected}{NAME}"),
        ),
    ];
    for (changed, watched) in kinds {
        let watching = [
            Watching::start(caller, WATCHES, &watched).await?,
            Watching::start(&caller.clone().http2(), WATCHES, &watched).await?,
        ];
        let mut connection = caller.connect().await?;
        let mut version = String::new();
        for number in 0..EVENTS {
            let patch = json!({"metadata": {"labels": {"event": number.to_string()}}});
            let reply = connection.send(Method::PATCH, &changed, &patch).await?;
            ensure!(reply.status == 200, "{reply}");
            let told = reply.json()["metadata"]["resourceVersion"].clone();
            version = told.as_str().context("a version")?.to_owned();
        }
        until("all watches tell of the last change", SOON, async || {
            let mut seen = watching.iter().flat_map(Watching::seen);
            let other = seen.find(|seen| seen.version != version);
            check(other.is_none(), || format!("{other:?}"))
        })
        .await;
    }
    Ok(())
}

/// Lists of megabytes, over both protocols.
pub(crate) async fn large_lists(caller: &Caller) -> Result<()> {
    let path = of_member(&format!("{NAMESPACE}/configmaps"));
    for caller in [caller.clone(), caller.clone().http2()] {
        let mut connection = caller.connect().await?;
        for _ in 0..LISTS {
            let mut body = connection.watch(&path).await?;
            while chunk(&mut body).await?.is_some() {}
        }
    }
    Ok(())
}

/// Upgraded connections to a member that sends back what comes.
pub(crate) async fn upgrades(server: &Server, ca: &Ca) -> Result<()> {
    let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
    let echo = |_: &_| Answer::Upgrade(UpgradeScript::EchoThen(Bytes::new()));
    let member = FakeMember::tls(&leaf).start(echo).await;
    let cluster = Registration {
        ca: ca.pem().to_owned(),
        ..Registration::new("train-upgrades", &member.url())
    };
    server.register(&cluster).await;
    let path = proxy_path(&cluster.name) + "/api/v1/namespaces/default/pods/p/portforward";
    let piece = vec![0; PIECE];
    for _ in 0..UPGRADES {
        let mut connection = server.admin().connect().await?;
        let stream = connection.upgrade(&path, "SPDY/3.1").await?;
        let (mut from, mut to) = tokio::io::split(stream);
        let sent = async {
            for _ in 0..PIECES {
                to.write_all(&piece).await?;
            }
            to.shutdown().await
        };
        let mut got = Vec::new();
        let (sent, read) = tokio::join!(sent, from.read_to_end(&mut got));
        sent.context("send")?;
        ensure!(read.context("read")? == PIECE * PIECES, "bytes are missing");
    }
    cluster.remove().await;
    Ok(())
}
