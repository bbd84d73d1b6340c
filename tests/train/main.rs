//! Typical load on a server for a minute or two, for a build that counts what of it is executed:
//! from these counts the program that is shipped is laid out.
//!
//! `cargo xtask dist` runs it in a fleet of its own.

mod lasting;

use std::time::Duration;

use anyhow::{Result, ensure};
use fleetgate_testkit::certs::Ca;
use fleetgate_tests::{
    CLUSTERS, Credential,
    connection::Caller,
    environment::variable,
    fleet,
    http::Client,
    load::Load,
    member::Member,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
    told,
};
use http::{Method, header::CONTENT_TYPE};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::lasting::{large_lists, upgrades, watches};

/// The cluster, a name for member1.
const NAME: &str = "train";
const NAMESPACE: &str = "/api/v1/namespaces/train";
/// How long each kind of caller goes on.
const TIME: Duration = Duration::from_secs(4);
/// So many callers at a time.
const CALLERS: [usize; 3] = [1, 16, 64];
const WRITES: usize = 200;
/// So many objects of so many bytes are a large list.
const OBJECTS: usize = 100;
const OBJECT_BYTES: usize = 20_000;

#[tokio::main]
async fn main() -> Result<()> {
    let member = Member::new(1).await;
    prepare(&member.client()).await?;
    let cluster = Registration {
        token: member.token.clone(),
        ..Registration::new(NAME, member.url())
    };
    let embedded = ServerSpec::default();
    let etcd = ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), "/train");
    for (store, spec) in [("embedded", embedded), ("etcd", etcd)] {
        told(&format!("a server with {store} storage"));
        train(spec, &cluster).await?;
    }
    through_the_host().await?;
    cluster.remove().await;
    Ok(())
}

async fn train(spec: ServerSpec, cluster: &Registration) -> Result<()> {
    let mut server = spec.start().await;
    server.join(cluster).await;
    short_requests(&server).await?;
    writes(&server.admin()).await?;
    refusals(&server).await?;
    told("watches, large lists, upgrades");
    watches(&server.admin()).await?;
    large_lists(&server.admin()).await?;
    upgrades(&server, &Ca::new("train")).await?;
    // Only a program that ends in order writes down what it counted.
    server.terminate();
    let ended = server.ended().await;
    ensure!(ended.success(), "the server ended with {ended}");
    Ok(())
}

/// What is asked for later.
async fn prepare(member: &Client) -> Result<()> {
    let config_maps = format!("{NAMESPACE}/configmaps");
    create(
        member,
        "/api/v1/namespaces",
        json!({"metadata": {"name": NAME}}),
    )
    .await?;
    create(member, &config_maps, config_map("small", 1_600)).await?;
    for number in 0..OBJECTS {
        let large = config_map(&format!("large-{number}"), OBJECT_BYTES);
        create(member, &config_maps, large).await?;
    }
    Ok(())
}

async fn create(member: &Client, path: &str, object: Value) -> Result<()> {
    let made = member.post(path, &object).await;
    // It is there from a run before in the same fleet.
    ensure!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    Ok(())
}

fn config_map(name: &str, bytes: usize) -> Value {
    json!({"metadata": {"name": name}, "data": {"text": "x".repeat(bytes)}})
}

/// The path of what is at `inner` of the member.
fn of_member(inner: &str) -> String {
    proxy_path(NAME) + inner
}

/// Callers of every kind, to the member and for clusters.
async fn short_requests(server: &Server) -> Result<()> {
    let paths = short().map(|inner| of_member(&inner));
    for callers in CALLERS {
        get(&server.admin(), callers, &paths).await?;
    }
    get(&server.admin().http2(), CALLERS[1], &paths).await?;
    let clusters = [CLUSTERS.to_owned(), format!("{CLUSTERS}/{NAME}")];
    get(&server.admin(), CALLERS[1], &clusters).await
}

/// The fleet's own server, behind the host's aggregation layer, counts as well.
async fn through_the_host() -> Result<()> {
    let paths = short().map(|inner| proxy_path("member1") + &inner);
    for caller in [fleet().admin(), fleet().user()] {
        let host = Caller::new(&fleet().host_url, &caller);
        get(&host, CALLERS[1], &paths).await?;
    }
    Ok(())
}

/// What the member is asked for.
fn short() -> [String; 3] {
    [
        "/version".to_owned(),
        format!("{NAMESPACE}/configmaps/small"),
        "/api/v1/namespaces?limit=5".to_owned(),
    ]
}

async fn get(caller: &Caller, callers: usize, paths: &[String]) -> Result<()> {
    let load = Load::start(caller, callers, paths);
    sleep(TIME).await;
    let outcome = load.end().await;
    ensure!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    let answered = outcome.answered;
    told(&format!(
        "{callers} callers, {answered} answers: {}",
        paths[0]
    ));
    Ok(())
}

/// Changes of an object of the member, and of the cluster: patches, and applies of a label.
async fn writes(caller: &Caller) -> Result<()> {
    let mut connection = caller.connect().await?;
    let config_map = of_member(&format!("{NAMESPACE}/configmaps/small"));
    for (path, version, kind) in [
        (config_map, "v1", "ConfigMap"),
        (
            format!("{CLUSTERS}/{NAME}"),
            "cluster.karmada.io/v1alpha1",
            "Cluster",
        ),
    ] {
        let applied = format!("{path}?fieldManager=train&force=true");
        for number in 0..WRITES {
            let labels = json!({"labels": {"number": number.to_string()}});
            let patch = json!({"metadata": labels});
            let reply = connection.send(Method::PATCH, &path, &patch).await?;
            ensure!(reply.status == 200, "{reply}");
            let apply = json!({"apiVersion": version, "kind": kind, "metadata": labels});
            let request = connection
                .request(Method::PATCH, &applied)
                .header(CONTENT_TYPE, "application/apply-patch+yaml");
            let request = request.body(Full::from(apply.to_string()))?;
            let reply = connection.exchange(request).await?;
            ensure!(reply.status == 200, "{reply}");
        }
    }
    Ok(())
}

/// What is often refused: who is not known, what is not there, what is not allowed.
async fn refusals(server: &Server) -> Result<()> {
    let anybody = server.caller(&Credential::Anonymous);
    let user = server.caller(&fleet().user());
    for (caller, path, code) in [
        (&anybody, of_member("/version"), 403),
        (&user, of_member("/version"), 403),
        (&server.admin(), proxy_path("nowhere") + "/version", 404),
    ] {
        let mut connection = caller.connect().await?;
        for _ in 0..WRITES {
            let reply = connection.get(&path).await?;
            ensure!(reply.status == code, "{reply}");
        }
    }
    Ok(())
}
