//! Token, CA bundle, endpoint and forward proxy of a cluster are changed one after the other while
//! many requests and watches are under way: not one of them is lost.

use std::time::Duration;

use anyhow::Result;
use fleetgate_testkit::certs;
use fleetgate_tests::{
    CLUSTERS, Credential,
    connect_front::ConnectFront,
    connection::Caller,
    fleet,
    load::{Load, Pace},
    member::Member,
    proxy_path,
    registration::{Registration, change_secret, encode},
    relay::Relay,
    server::{Server, ServerSpec},
    told,
    wait::{SOON, check, until},
    watching::{Seen, Watching},
};
use http::Method;
use serde_json::{Value, json};

const NAME: &str = "rotation-load";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WATCHES: usize = 200;
const CLIENTS: usize = 50;
const PER_SECOND: u32 = 500;
/// Requests after each change.
const MORE: usize = 500;

/// The cluster while it is used.
struct Used {
    server: Server,
    member: Member,
    load: Load,
    watching: Watching,
}

// === impl Used ===

impl Used {
    async fn start(server: Server, member: Member) -> Result<Self> {
        let mark = format!("{CONFIG_MAPS}/{NAME}");
        member.client().delete(&mark).await;
        let object = json!({"metadata": {"name": NAME}, "data": {"mark": "0"}});
        let made = member.client().post(CONFIG_MAPS, &object).await.expect(201);
        let version = made.json()["metadata"]["resourceVersion"].to_string();
        let version = version.trim_matches('"');
        let selected = format!("fieldSelector=metadata.name%3D{NAME}");
        let since = format!("resourceVersion={version}");
        let path = format!("{CONFIG_MAPS}?watch=true&{selected}&{since}");
        let watched = proxy_path(NAME) + &path;
        let watching = Watching::start(&server.admin(), WATCHES, &watched).await?;
        let asked = ["/version", "/api/v1/namespaces/default", &mark[..]];
        let asked = asked.map(|path| proxy_path(NAME) + path);
        let load = Load::paced(
            &server.admin(),
            CLIENTS,
            &asked,
            Pace::PerSecond(PER_SECOND),
        );
        load.go_on(MORE).await;
        Ok(Self {
            server,
            member,
            load,
            watching,
        })
    }

    /// Waits until new connections were made beyond the `before` that there were, for `what` was
    /// changed. Many requests later each watch still tells what happens at the member.
    async fn goes_on(&self, what: &str, before: usize) {
        until(&format!("{what} is used"), SOON, async || {
            let now = self.connections().await;
            check(now > before, || format!("{now} connections"))
        })
        .await;
        self.load.go_on(MORE).await;
        self.all_watches_go_on(what).await;
    }

    async fn all_watches_go_on(&self, what: &str) {
        let mark = format!("{CONFIG_MAPS}/{NAME}");
        let patch = self.member.client().call(Method::PATCH, &mark);
        let patch = patch.header("content-type", "application/merge-patch+json");
        let patched = patch.json(&json!({"data": {"mark": what}})).send().await;
        let patched = patched.expect(200).json();
        let version = patched["metadata"]["resourceVersion"].as_str().unwrap();
        let want = Seen {
            version: version.to_owned(),
            ended: None,
        };
        until(&format!("all watches see {what}"), SOON, async || {
            let seen = self.watching.seen();
            let other = seen.into_iter().find(|seen| *seen != want);
            check(other.is_none(), || format!("{other:?}"))
        })
        .await;
    }

    /// How many connections the server has made to the member.
    async fn connections(&self) -> usize {
        let opened = "upstream_connections_opened_total";
        self.server.metric(opened, NAME).await
    }

    async fn change_cluster(&self, spec: Value) {
        let cluster = format!("{CLUSTERS}/{NAME}");
        let spec = json!({"spec": spec});
        self.server.change(Method::PATCH, &cluster, &spec).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_ca_endpoint_and_proxy_change_under_load_and_nothing_is_lost() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let [former, relay] = [(); 2].map(|()| Relay::start(member.address()));
    let front = ConnectFront::start(member.address()).await;
    let [old, new] = ["rotation-load-old", "rotation-load-new"];
    let old_token = member.impersonator(old).await;
    let new_token = member.impersonator(new).await;
    let cluster = Registration {
        token: old_token.clone(),
        ..Registration::new(NAME, &former.https())
    };
    server.join(&cluster).await;
    let used = Used::start(server, member).await.unwrap();

    let token = json!({"token": encode(&new_token)});
    let impersonator = format!("{NAME}-impersonator");
    let before = used.connections().await;
    change_secret(&impersonator, &token).await;
    used.goes_on("a token", before).await;
    // Whoever still used it would be refused by the member from here on.
    used.member.impersonator(old).await;
    let revoked = Caller::new(used.member.url(), &Credential::Token(old_token));
    until("the member refuses the old token", SOON, async || {
        let reply = revoked.get("/api/v1/namespaces/default").await.unwrap();
        check(reply.status == 401, || reply.to_string())
    })
    .await;

    let bundle = certs::Ca::new("another").pem().to_owned() + &fleet().ca;
    let bundle = json!({"caBundle": encode(&bundle)});
    let before = used.connections().await;
    change_secret(NAME, &bundle).await;
    used.goes_on("a CA bundle", before).await;

    let endpoint = json!({"apiEndpoint": relay.https()});
    let before = used.connections().await;
    used.change_cluster(endpoint).await;
    used.goes_on("an endpoint", before).await;
    assert!(relay.counts().handshakes > 0);
    let left_alone = former.counts();

    let proxy = json!({"proxyURL": format!("http://{}", front.address())});
    let before = used.connections().await;
    used.change_cluster(proxy).await;
    used.goes_on("a forward proxy", before).await;
    assert!(!front.heads().is_empty());
    assert_eq!(former.counts(), left_alone, "nobody goes the former way");

    let outcome = used.load.end().await;
    assert_eq!(outcome.failures, [""; 0], "of {}", outcome.answered);
    let rate = outcome.answered as f64 / outcome.took.max(Duration::from_secs(1)).as_secs_f64();
    let answered = outcome.answered;
    told(&format!(
        "rotation under load: {answered} requests, {rate:.0} a second of {PER_SECOND}, \
         and {WATCHES} watches; none was lost"
    ));
    cluster.remove().await;
}
