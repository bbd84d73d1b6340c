//! A real member dies, freezes, or loses its etcd while requests and watches are under way: each of
//! them comes to its end in a way that says so, and service comes back by itself.

use std::{sync::Arc, time::Duration};

use fleetgate_tests::{
    account::Account,
    environment::content,
    proxy_path,
    registration::Registration,
    relay::{Behaviour, Relay},
    replica::Replica,
    server::Server,
    told,
    users::{Asked, Users},
    wait::{SOON, check, until},
};
use http::Method;
use serde_json::json;
use tokio::time::Instant;

use super::{AT_ONCE, registration, server};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WATCHES: usize = 20;
const GETTERS: usize = 10;
const OPEN: &str = "upstream_circuit_open";

/// A cluster with its users, who expect only what a fault explains.
struct Used {
    server: Server,
    cluster: Registration,
    account: Arc<Account>,
    users: Users,
}

// === impl Used ===

impl Used {
    /// The cluster `name`, whose member is `replica`, once all of its users are served.
    async fn start(name: &str, replica: &Replica) -> Self {
        let server = server().await;
        let cluster = registration(name, replica.member(), replica.member().url());
        let object = json!({"metadata": {"name": name}});
        let member = replica.member().client();
        let made = member.post(CONFIG_MAPS, &object).await;
        assert!(matches!(made.status.as_u16(), 201 | 409), "{made}");
        server.join(&cluster).await;
        let account = Arc::new(Account::new());
        let mut users = Users::new(&account);
        for number in 0..GETTERS {
            let (what, path) = match number % 2 {
                0 => ("version", "/version".to_owned()),
                _ => ("get", format!("{CONFIG_MAPS}/{name}")),
            };
            users.ask(Asked {
                what,
                caller: server.admin(),
                path: proxy_path(name) + &path,
                every: Duration::from_millis(50),
                is_whole: |object| object.is_object(),
            });
        }
        let watched = format!("watch=true&fieldSelector=metadata.name%3D{name}");
        for _ in 0..WATCHES {
            let path = format!("{}{CONFIG_MAPS}?{watched}", proxy_path(name));
            users.watch(server.admin(), path);
        }
        let this = Self {
            server,
            cluster,
            account,
            users,
        };
        this.all_are_served().await;
        this
    }

    /// Waits until everybody is served again, and watches tell of an event.
    async fn all_are_served(&self) {
        let served = || {
            let count = |what| self.account.count(what, "whole");
            [count("version"), count("get"), count("event")]
        };
        let before = served();
        until("all are served", SOON, async || {
            // Each watch tells the object as it is when it begins, or now.
            self.mark().await;
            let now = served();
            let want = [
                before[0] + GETTERS,
                before[1] + GETTERS,
                before[2] + WATCHES,
            ];
            let all = now.iter().zip(want).all(|(now, want)| *now >= want);
            check(all, || format!("{now:?}, want {want:?}"))
        })
        .await;
    }

    /// Makes an event, if the member takes it.
    async fn mark(&self) {
        let name = &self.cluster.name;
        let path = format!("{}{CONFIG_MAPS}/{name}", proxy_path(name));
        let mark = format!("{:?}", Instant::now());
        let change = json!({"data": {"mark": mark}});
        let admin = self.server.admin();
        let made = admin.send(Method::PATCH, &path, &change);
        made.await.expect("an answer");
    }

    /// Waits until somebody asks for `what` and gets `kind`.
    async fn gets(&self, what: &str, kind: &str) {
        until(&format!("{what}: {kind}"), SOON, async || {
            let lines = self.account.lines();
            let got = self.account.count(what, kind) > 0;
            check(got, || lines.join("\n"))
        })
        .await;
    }

    /// Waits until the member is given up, and tells how long that took.
    async fn given_up(&self, what: &str) {
        let name = &self.cluster.name;
        let (_, took) = until("the member is given up", AT_ONCE, async || {
            let open = self.server.metric(OPEN, name).await;
            check(open == 1, || format!("{OPEN} {open}"))
        })
        .await;
        told(&format!("a member that {what} is given up after {took:?}"));
    }

    /// Panics unless every response is accounted for.
    async fn end(self) {
        self.users.leave().await;
        self.cluster.remove().await;
        let lines = self.account.lines().join("\n");
        let (count, first) = self.account.unexplained();
        assert_eq!(count, 0, "{first:#?}\nof {lines}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_killed_under_load_is_told_as_refused_and_its_watches_are_reset() {
    let mut replica = Replica::start(2).await;
    let used = Used::start("faults-killed", &replica).await;
    used.account.fault_begins();
    replica.kill().await;
    used.given_up("is killed").await;
    let refused = "503: cluster faults-killed: connect: connection refused";
    used.gets("get", refused).await;
    used.gets("watch", "reset").await;
    used.gets("watch", refused).await;

    replica.start_again().await;
    used.account.fault_is_over();
    used.all_are_served().await;
    used.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_frozen_under_load_is_told_as_silent_and_its_watches_go_on_after() {
    let replica = Replica::start(2).await;
    let used = Used::start("faults-frozen", &replica).await;
    used.account.fault_begins();
    replica.freeze();
    used.given_up("freezes").await;
    used.gets("get", "504: cluster faults-frozen: request: timed out")
        .await;
    used.gets("get", "503: cluster faults-frozen: tls: timed out")
        .await;

    replica.thaw();
    used.account.fault_is_over();
    used.all_are_served().await;
    let ended = used.account.count("watch", "");
    assert_eq!(ended, 0, "of {}", used.account.lines().join("\n"));
    used.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_etcd_is_silent_is_not_given_up() {
    let command = content("FLEET_MEMBER2_CMD");
    let etcd = "--etcd-servers=http://";
    let etcd = command.lines().find_map(|word| word.strip_prefix(etcd));
    let relay = Relay::start(etcd.unwrap().parse().unwrap());
    let through = format!("--etcd-servers=http://{}", relay.address());
    let replica = Replica::with(2, &[through]).await;
    let used = Used::start("faults-etcd", &replica).await;
    used.account.fault_begins();
    relay.behave(Behaviour::Stall);
    used.gets("get", "504: cluster faults-etcd: request: timed out")
        .await;

    relay.behave(Behaviour::Pass);
    used.account.fault_is_over();
    used.all_are_served().await;
    let opened = used
        .server
        .metric("upstream_circuit_opened_total", "faults-etcd");
    assert_eq!(opened.await, 0);
    let version = used.account.count("version", "");
    assert_eq!(used.account.count("version", "whole"), version);
    used.end().await;
}
