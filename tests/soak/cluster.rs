//! The cluster that is used, and what is in it.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use fleetgate_tests::{
    account::Account,
    connection::Caller,
    member::Member,
    node::Node,
    proxy_path,
    replica::Replica,
    server::Server,
    users::{Asked, Users, WORD},
    wait::SOON,
};
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::patcher::Patcher;

pub(crate) const NAME: &str = "soak";
const POD: &str = "soak-pod";
const LISTED: &str = "/api/v1/namespaces/soak/configmaps";
const MARK: &str = "/api/v1/namespaces/default/configmaps/soak";
const COUNTED: &str = "/api/v1/namespaces/default/configmaps/soak-count";
const WATCHED: &str =
    "/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name%3Dsoak";
const OBJECTS: usize = 200;
const OBJECT_BYTES: usize = 5_000;
const GETTERS: usize = 20;
const LISTERS: usize = 4;
const WATCHERS: usize = 100;
const EXECS: usize = 2;
const PATCHERS: usize = 4;
/// What each run must have done, beside what a node is needed for.
const WORK: [&str; 11] = [
    "get",
    "list",
    "event",
    "patch",
    "read after patch",
    "change of token",
    "change of CA bundle",
    "change of endpoint",
    "change of proxy",
    "kill",
    "freeze",
];

/// The server, and the member behind it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) server: Server,
    pub(crate) member: Member,
    /// Where commands can be run.
    node: Option<Node>,
}

// === impl Cluster ===

impl Cluster {
    /// Puts into the member what is asked for later.
    ///
    /// # Errors
    /// If it is refused.
    pub(crate) async fn new(server: Server, replica: &Replica) -> Result<Self> {
        let member = replica.member().clone();
        let client = member.client();
        let create = async |path: &str, object: Value| {
            let made = client.post(path, &object).await;
            ensure!(matches!(made.status.as_u16(), 201 | 409), "{made}");
            anyhow::Ok(())
        };
        let namespace = json!({"metadata": {"name": "soak"}});
        create("/api/v1/namespaces", namespace).await?;
        let (mark, _) = MARK.rsplit_once('/').unwrap_or_default();
        create(mark, json!({"metadata": {"name": "soak"}})).await?;
        for number in 0..OBJECTS {
            let metadata = json!({"name": format!("object-{number}")});
            let data = json!({"text": "x".repeat(OBJECT_BYTES)});
            create(LISTED, json!({"metadata": metadata, "data": data})).await?;
        }
        for number in 0..PATCHERS {
            // What an earlier run left has counted.
            client.delete(&format!("{COUNTED}-{number}")).await;
            let metadata = json!({"name": format!("soak-count-{number}")});
            let data = json!({"count": "0"});
            create(mark, json!({"metadata": metadata, "data": data})).await?;
        }
        let node = Node::needed_by("exec in the soak");
        if let Some(node) = &node {
            node.run(&node.pod(POD, "exec sleep 2147483647")).await;
        }
        Ok(Self {
            server,
            member,
            node,
        })
    }

    /// Those who use it. Half of them speak HTTP/2.
    pub(crate) fn users(&self, account: &Arc<Account>) -> Users {
        let mut users = Users::new(account);
        let path = |inner: &str| proxy_path(NAME) + inner;
        for number in 0..GETTERS {
            users.ask(Asked {
                what: "get",
                caller: self.caller(number),
                path: path(MARK),
                every: Duration::from_millis(100),
                is_whole: |object| object["metadata"]["name"] == "soak",
            });
        }
        for number in 0..LISTERS {
            users.ask(Asked {
                what: "list",
                caller: self.caller(number),
                path: path(LISTED),
                every: Duration::from_secs(1),
                is_whole: |list| list["items"].as_array().is_some_and(|i| i.len() == OBJECTS),
            });
        }
        for number in 0..WATCHERS {
            users.watch(self.caller(number), path(WATCHED));
        }
        if self.node.is_some() {
            let said = format!("command=echo&command={WORD}&stdout=true");
            let exec = format!("/api/v1/namespaces/default/pods/{POD}/exec?{said}");
            for _ in 0..EXECS {
                let caller = self.server.admin();
                users.exec(caller, path(&exec), Duration::from_secs(1));
            }
        }
        users
    }

    /// Those who change what is in it, for ever.
    pub(crate) async fn patch(&self, account: &Account) {
        let patcher = |number| {
            let path = format!("{}{COUNTED}-{number}", proxy_path(NAME));
            Patcher::new(self.caller(number), path).run(account)
        };
        join_all((0..PATCHERS).map(patcher)).await;
    }

    /// What nobody has done in whole.
    pub(crate) fn undone(&self, account: &Account) -> Vec<&'static str> {
        let exec = self.node.is_some().then_some("exec");
        let mut work: Vec<_> = WORK.into_iter().chain(exec).collect();
        work.retain(|what| account.count(what, "whole") == 0);
        work
    }

    fn caller(&self, number: usize) -> Caller {
        match number % 2 {
            0 => self.server.admin(),
            _ => self.server.admin().http2(),
        }
    }

    /// Makes an event a second at the member itself, where it takes them, for ever.
    pub(crate) async fn make_events(&self) {
        let caller = self.member.caller();
        for number in 0_usize.. {
            let change = json!({"data": {"number": number.to_string()}});
            let made = caller.send(Method::PATCH, MARK, &change);
            // A member that is away makes none.
            drop(timeout(SOON, made).await);
            sleep(Duration::from_secs(1)).await;
        }
    }
}
