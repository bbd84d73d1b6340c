//! Short requests: through the server, nginx and peers, against the member itself, in turns.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fleetgate_tests::{environment::variable, http::Client, member::Member, process::Usage};
use serde_json::json;

use crate::{
    load::{Ask, Turn, drive, turn},
    report::{Cell, Report, Table, median, text},
    start_up,
    ways::{DIRECT, SERVER, Way, Ways},
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);
/// Many callers who each ask seldom.
const CLIENTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// What is read: name, path, and the least throughput relative to direct.
const OBJECTS: [(&str, &str, f64); 2] = [
    ("/version", "/version", 0.70),
    (
        "2 kB object",
        "/api/v1/namespaces/default/configmaps/bench",
        0.80,
    ),
];
const COLUMNS: [&str; 12] = [
    "GET",
    "connections",
    "way",
    "requests/s",
    "of direct",
    "p50 ms",
    "× direct",
    "p99 ms",
    "× direct",
    "CPU ms",
    "MiB",
    "member's CPU ms",
];

/// One path with one number of connections, over one way: medians over the rounds.
#[derive(Clone, Debug)]
struct Figures {
    way: String,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Relative to direct, of each round.
    ratio: f64,
    p50_ratio: f64,
    p99_ratio: f64,
    /// CPU time of the processes on the way, for one request.
    cpu_ms: Option<f64>,
    /// Memory of the processes on the way, after a turn.
    mib: Option<f64>,
    /// CPU time of the member's kube-apiserver, for one request.
    member_cpu_ms: f64,
}

/// What came of one way's turn.
#[derive(Clone, Copy, Debug)]
struct Taken {
    turn: Turn,
    cpu: Option<Duration>,
    rss_kib: Option<u64>,
    member_cpu: Duration,
}

/// Measures and publishes.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run(ways: &Ways) -> Result<()> {
    prepare(&Member::new(1).await.client()).await?;
    let server = ways.all.iter().find(|way| way.name == SERVER);
    let server = server.context("the server is no way")?;
    let pid = *server.pids.first().context("the server has no process")?;
    let before = Usage::of(pid)?;
    let open = seldom(server).await?;
    let opened = metric(server, "upstream_connections_opened_total").await?;
    let (mut report, mut table) = (Report::new("requests"), Table::new("Requests", &COLUMNS));
    let mut requests = 0;
    for (name, path, least) in OBJECTS {
        for connections in CONNECTIONS {
            let (figures, sent) = measure(ways, path, connections).await?;
            requests += sent;
            let what = format!("{name}, {connections} connections");
            aims(&mut report, &what, connections, least, &figures);
            for figures in figures {
                table.row(figures.row(name, connections));
            }
        }
    }
    report.table(table);
    let opened = metric(server, "upstream_connections_opened_total").await? - opened;
    let what = "connections to the member, 100 clients at 10 requests/s";
    report.at_most(what, open, 8.0, "");
    let handshakes = opened * 1e3 / requests as f64;
    report.at_most("TLS handshakes per 1,000 requests", handshakes, 4.0, "");
    let mib = |usage: Usage| usage.rss_kib as f64 / 1024.0;
    report.at_most("memory before the run", mib(before), 15.0, "MiB");
    report.at_most("memory after the run", mib(Usage::of(pid)?), 40.0, "MiB");
    let times = start_up::measure().await?;
    let ready = times[times.len() / 2].as_secs_f64() * 1e3;
    report.at_most("ready after start", ready, 150.0, "ms");
    report.publish()
}

/// Each way in turn, some rounds; and how many requests the server got.
async fn measure(ways: &Ways, path: &str, connections: usize) -> Result<(Vec<Figures>, usize)> {
    let mut taken = vec![Vec::new(); ways.all.len()];
    for _ in 0..ROUNDS {
        for (way, taken) in ways.all.iter().zip(&mut taken) {
            taken.push(take(way, path, connections).await?);
        }
    }
    let direct = ways.all.iter().position(|way| way.name == DIRECT);
    let direct = taken[direct.context("direct is no way")?].clone();
    let mut sent = 0;
    let mut figures = Vec::new();
    for (way, taken) in ways.all.iter().zip(&taken) {
        if way.name == SERVER {
            sent += taken.iter().map(|taken| taken.turn.requests).sum::<usize>();
        }
        figures.push(Figures::of(&way.name, taken, &direct));
    }
    Ok((figures, sent))
}

async fn take(way: &Way, path: &str, connections: usize) -> Result<Taken> {
    let member: u32 = variable("FLEET_MEMBER1_PID").parse().context("a number")?;
    let before = (cpu(&way.pids)?, cpu(&[member])?);
    let path = format!("{}{path}", way.prefix);
    let turn = turn(&way.caller, &path, connections, TIME).await;
    let turn = turn.with_context(|| format!("by way of {}", way.name))?;
    let on_the_way = cpu(&way.pids)? - before.0;
    Ok(Taken {
        turn,
        cpu: (!way.pids.is_empty()).then_some(on_the_way),
        rss_kib: (!way.pids.is_empty()).then_some(rss_kib(&way.pids)?),
        member_cpu: cpu(&[member])? - before.1,
    })
}

fn cpu(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|&pid| Ok(Usage::of(pid)?.cpu)).sum()
}

fn rss_kib(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|&pid| Ok(Usage::of(pid)?.rss_kib)).sum()
}

fn aims(report: &mut Report, what: &str, connections: usize, least: f64, all: &[Figures]) {
    let of = |name: &str| all.iter().find(|figures| figures.way == name);
    let (Some(server), Some(direct)) = (of(SERVER), of(DIRECT)) else {
        return;
    };
    if connections == 1 {
        let added = server.p50_ms - direct.p50_ms;
        report.at_most(&format!("{what}: added"), added, 0.15, "ms");
        return;
    }
    if let Some(nginx) = of("nginx") {
        let figure = format!("{what}: of nginx's throughput");
        report.at_least(&figure, server.ratio / nginx.ratio, 1.0, "");
    }
    let aim = |figure: &str| format!("{what}: {figure} × direct");
    report.at_least(&aim("throughput"), server.ratio, least, "");
    report.at_most(&aim("p50"), server.p50_ratio, 1.5, "");
    report.at_most(&aim("p99"), server.p99_ratio, 2.0, "");
    let cpu = server.cpu_ms.unwrap_or(f64::NAN);
    report.at_most(&format!("{what}: CPU a request"), cpu, 0.06, "ms");
}

/// Connections that are open to the member while many ask seldom.
async fn seldom(server: &Way) -> Result<f64> {
    let path = format!("{}/version", server.prefix);
    let next = move |_, elapsed: Duration| (elapsed < TIME).then(|| Ask::get(&path).after(PAUSE));
    drive(&server.caller, CLIENTS, next).await?;
    metric(server, "upstream_connections").await
}

/// A metric of the server about member1.
async fn metric(server: &Way, name: &str) -> Result<f64> {
    let reply = server.caller.get("/metrics").await?;
    ensure!(reply.status == 200, "{reply}");
    let line = format!("{name}{{cluster=\"member1\"}} ");
    let text = reply.text();
    let value = text.lines().find_map(|text| text.strip_prefix(&line));
    // Before the first request to it there is no such line.
    value.unwrap_or("0").parse().context("read the metric")
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

// === impl Figures ===

impl Figures {
    fn of(way: &str, taken: &[Taken], direct: &[Taken]) -> Self {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let of = |figure: &dyn Fn(&Turn) -> f64| {
            median(taken.iter().map(|taken| figure(&taken.turn)).collect())
        };
        let ratio = |figure: &dyn Fn(&Turn) -> f64| {
            let pairs = taken.iter().zip(direct);
            median(
                pairs
                    .map(|(taken, direct)| figure(&taken.turn) / figure(&direct.turn))
                    .collect(),
            )
        };
        let requests: usize = taken.iter().map(|taken| taken.turn.requests).sum();
        let cpu: Option<Duration> = taken.iter().map(|taken| taken.cpu).sum();
        let rss_kib: Option<Vec<_>> = taken.iter().map(|taken| taken.rss_kib).collect();
        let mib = |kib: Vec<u64>| median(kib.iter().map(|&kib| kib as f64 / 1024.0).collect());
        let member_cpu: Duration = taken.iter().map(|taken| taken.member_cpu).sum();
        Self {
            way: way.to_owned(),
            per_second: of(&|turn| turn.per_second),
            p50_ms: of(&|turn| ms(turn.p50)),
            p99_ms: of(&|turn| ms(turn.p99)),
            ratio: ratio(&|turn| turn.per_second),
            p50_ratio: ratio(&|turn| ms(turn.p50)),
            p99_ratio: ratio(&|turn| ms(turn.p99)),
            cpu_ms: cpu.map(|cpu| ms(cpu) / requests as f64),
            mib: rss_kib.map(mib),
            member_cpu_ms: ms(member_cpu) / requests as f64,
        }
    }

    fn row(self, name: &str, connections: usize) -> [Cell; 12] {
        let known = |figure: Option<f64>, decimals| match figure {
            Some(figure) => Cell::Figure(figure, decimals),
            None => text(""),
        };
        [
            text(name),
            text(connections.to_string()),
            text(self.way),
            Cell::Figure(self.per_second, 0),
            Cell::Figure(self.ratio, 2),
            Cell::Figure(self.p50_ms, 2),
            Cell::Figure(self.p50_ratio, 2),
            Cell::Figure(self.p99_ms, 2),
            Cell::Figure(self.p99_ratio, 2),
            known(self.cpu_ms, 3),
            known(self.mib, 1),
            Cell::Figure(self.member_cpu_ms, 3),
        ]
    }
}
