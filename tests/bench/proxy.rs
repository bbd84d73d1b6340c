//! The way through the server against the direct way to the same member, in turns.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fleetgate_tests::{
    connection::Caller, environment::variable, fleet, http::Client, member::Member, process::Usage,
    proxy_path,
};
use serde_json::json;

use crate::{
    load::{Turn, turn},
    report::{Report, Row},
    start_up,
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

/// One pair of turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) direct: Turn,
    pub(crate) proxied: Turn,
    /// CPU time of the server for all requests of its turn.
    pub(crate) cpu: Duration,
    /// Connections that the server made to the member in its turn.
    pub(crate) handshakes: u64,
}

/// Measures, prints a table and writes `target/bench/proxy.json`.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run() -> Result<()> {
    let member = Member::new(1).await;
    prepare(&member.client()).await?;
    let bench = Bench {
        member: member.caller(),
        server: Caller::new(&fleet().server_url, &fleet().admin()),
        pid: variable("FLEET_SERVER_PID").parse().context("a number")?,
    };
    let rss_before_kib = Usage::of(bench.pid)?.rss_kib;
    let mut rows = Vec::new();
    let object = "/api/v1/namespaces/default/configmaps/bench";
    for (name, path) in [("/version", "/version"), ("2 kB object", object)] {
        for connections in CONNECTIONS {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                rounds.push(bench.round(path, connections).await?);
            }
            rows.push(Row::new(name, connections, &rounds));
        }
    }
    let report = Report {
        rows,
        rss_before_kib,
        rss_after_kib: Usage::of(bench.pid)?.rss_kib,
        start_up: start_up::measure().await?,
    };
    report.print();
    report.write()
}

struct Bench {
    member: Caller,
    server: Caller,
    pid: u32,
}

// === impl Bench ===

impl Bench {
    async fn round(&self, path: &str, connections: usize) -> Result<Round> {
        let direct = turn(&self.member, path, connections, TIME).await?;
        let before = (Usage::of(self.pid)?.cpu, self.handshakes().await?);
        let path = proxy_path("member1") + path;
        let proxied = turn(&self.server, &path, connections, TIME).await?;
        Ok(Round {
            direct,
            proxied,
            cpu: Usage::of(self.pid)?.cpu - before.0,
            handshakes: self.handshakes().await? - before.1,
        })
    }

    /// Connections that the server has made to member1.
    async fn handshakes(&self) -> Result<u64> {
        let reply = self.server.get("/metrics").await?;
        ensure!(reply.status == 200, "{reply}");
        let name = "upstream_connections_opened_total{cluster=\"member1\"} ";
        let text = reply.text();
        let count = text.lines().find_map(|line| line.strip_prefix(name));
        // Before the first request to it there is no such line.
        count.unwrap_or("0").parse().context("read the metric")
    }
}

/// The object that is read: 2 kB as it comes.
async fn prepare(member: &Client) -> Result<()> {
    let path = "/api/v1/namespaces/default/configmaps";
    member.delete(&format!("{path}/bench")).await;
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bench"},
        "data": {"text": "x".repeat(1_600)},
    });
    let made = member.post(path, &object).await;
    ensure!(made.status == 201, "{made}");
    Ok(())
}
