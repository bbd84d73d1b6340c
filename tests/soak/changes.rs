//! What happens to the cluster meanwhile: its credentials and the way to it change, and its member is
//! killed and frozen.

use std::time::Duration;

use fleetgate_testkit::certs;
use fleetgate_tests::{
    CLUSTERS,
    account::{Account, Came},
    connect_front::ConnectFront,
    fleet,
    registration::{Registration, change_secret, encode},
    replica::Replica,
    told,
};
use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;

/// From one change to the next.
const ROTATION: Duration = Duration::from_secs(5);
/// From the end of one fault to the next.
const PEACE: Duration = Duration::from_secs(20);
/// How long the member is away, or frozen.
const AWAY: Duration = Duration::from_secs(3);
const FROZEN: Duration = Duration::from_secs(8);
/// What both kinds of faults take together, with the member's start.
pub(crate) const BOTH: Duration = Duration::from_secs(90);

/// Changes token, CA bundle, endpoint and forward proxy in turn, for ever. `front` is on the way of
/// what is begun while it is the proxy, and must last as long.
pub(crate) async fn rotate(
    cluster: &Cluster,
    registration: &Registration,
    front: &ConnectFront,
    account: &Account,
) {
    let tokens = [
        registration.token.clone(),
        cluster.member.impersonator("soak-other").await,
    ];
    let other = certs::Ca::new("another").pem().to_owned();
    let bundles = [registration.ca.clone(), other + &fleet().ca];
    let port = cluster.member.address().port();
    let endpoints = ["127.0.0.1", "localhost"].map(|host| format!("https://{host}:{port}"));
    let proxies = [
        Value::Null,
        Value::from(format!("http://{}", front.address())),
    ];
    let name = &registration.name;
    let rest_after = async |what: &'static str| {
        account.enter(what, Instant::now(), Came::Whole);
        sleep(ROTATION).await;
    };
    for turn in 1_usize.. {
        let which = turn % 2;
        let token = json!({"token": encode(&tokens[which])});
        change_secret(&format!("{name}-impersonator"), &token).await;
        rest_after("change of token").await;
        change_secret(name, &json!({"caBundle": encode(&bundles[which])})).await;
        rest_after("change of CA bundle").await;
        let endpoint = json!({"apiEndpoint": endpoints[which]});
        change_cluster(cluster, name, endpoint).await;
        rest_after("change of endpoint").await;
        change_cluster(cluster, name, json!({"proxyURL": proxies[which]})).await;
        rest_after("change of proxy").await;
    }
}

async fn change_cluster(cluster: &Cluster, name: &str, spec: Value) {
    let path = format!("{CLUSTERS}/{name}");
    let spec = json!({"spec": spec});
    cluster.server.change(Method::PATCH, &path, &spec).await;
}

/// Kills the member and starts it again, and freezes it and lets it go on, in turn, as often as can
/// be until `end`.
pub(crate) async fn trouble(replica: &mut Replica, account: &Account, end: Instant) {
    while Instant::now() + BOTH < end {
        sleep(PEACE).await;
        told("the member is killed");
        let since = Instant::now();
        account.fault_begins();
        replica.kill().await;
        sleep(AWAY).await;
        replica.start_again().await;
        account.fault_is_over();
        account.enter("kill", since, Came::Whole);
        sleep(PEACE).await;
        told("the member freezes");
        let since = Instant::now();
        account.fault_begins();
        replica.freeze();
        sleep(FROZEN).await;
        replica.thaw();
        account.fault_is_over();
        account.enter("freeze", since, Came::Whole);
    }
}
