//! What lasts or is large: watches, what each costs and how soon all know; a list of 20 MB.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fleetgate_tests::{
    connection::chunk,
    http::Client,
    member::Member,
    process::Usage,
    server::{Server, ServerSpec},
};
use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    report::{Cell, Report, Table, median, text},
    scale::join,
    watchers::Watchers,
    ways::{SERVER, Way, Ways},
};

const COUNTS: [usize; 2] = [1_000, 10_000];
const WATCHED: &str = "/api/v1/namespaces/bench-watched/configmaps";
const LISTED: &str = "/api/v1/namespaces/bench-listed/configmaps";
/// So many objects of so many bytes are 20 MB.
const OBJECTS: usize = 1_000;
const OBJECT_BYTES: usize = 20_000;
const ROUNDS: usize = 5;
/// So many lists one after the other, for what they need.
const LISTS: usize = 5;
const AT_A_TIME: usize = 16;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(2);

/// Measures and publishes.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run(ways: &Ways) -> Result<()> {
    let member = Member::new(1).await;
    prepare(&member.client()).await?;
    let mut report = Report::new("streams");
    events(ways, &mut report).await?;
    memory_of_watches(&mut report).await?;
    lists(ways, &mut report).await?;
    report.publish()
}

/// How soon 1,000 know of a change, on each way.
async fn events(ways: &Ways, report: &mut Report) -> Result<()> {
    let took = in_turns(ways, event).await?;
    let columns = ["way", "event at 1,000 watches, p50 ms", "× direct"];
    let mut table = Table::new("Events", &columns);
    let ratio = rows(&mut table, &took, 2);
    report.at_most("an event at 1,000 watches: p50 × direct", ratio, 1.15, "");
    report.table(table);
    Ok(())
}

/// Milliseconds until 1,000 know of a change.
async fn event(way: &Way) -> Result<f64> {
    let mut connection = Member::new(1).await.caller().connect().await?;
    // Begins with an event: nginx keeps the head of an answer until there is more.
    let path = format!("{}{WATCHED}?watch=1", way.prefix);
    let watchers = Watchers::start(&way.caller, COUNTS[0], &path).await?;
    watchers.until(COUNTS[0]).await?;
    let change = async |unique: usize| {
        let patch = json!({"metadata": {"labels": {"unique": unique.to_string()}}});
        let path = format!("{WATCHED}/one");
        let reply = connection.send(Method::PATCH, &path, &patch).await?;
        ensure!(reply.status.is_success(), "{reply}");
        Ok(())
    };
    let took = watchers.time(COUNTS[0], change).await?;
    Ok(took.as_secs_f64() * 1e3)
}

/// What `measure` says of each way, in each round.
async fn in_turns<'a>(
    ways: &'a Ways,
    measure: impl AsyncFn(&Way) -> Result<f64>,
) -> Result<Vec<(&'a str, Vec<f64>)>> {
    let names = ways.all.iter().map(|way| (way.name.as_str(), Vec::new()));
    let mut all: Vec<_> = names.collect();
    for _ in 0..ROUNDS {
        for (way, (name, figures)) in ways.all.iter().zip(&mut all) {
            let measured = measure(way).await;
            figures.push(measured.with_context(|| format!("by way of {name}"))?);
        }
    }
    Ok(all)
}

/// Adds a row for each way: medians of the rounds. The server's figure relative to direct.
fn rows(table: &mut Table, all: &[(&str, Vec<f64>)], decimals: usize) -> f64 {
    let direct = all.first().map_or(&[][..], |(_, figures)| figures);
    let mut of_server = f64::NAN;
    for (way, figures) in all {
        let pairs = figures.iter().zip(direct);
        let ratio = median(pairs.map(|(figure, direct)| figure / direct).collect());
        table.row([
            text(*way),
            Cell::Figure(median(figures.clone()), decimals),
            Cell::Figure(ratio, 2),
        ]);
        if *way == SERVER {
            of_server = ratio;
        }
    }
    of_server
}

/// What a watch costs a server that has done nothing else.
async fn memory_of_watches(report: &mut Report) -> Result<()> {
    for count in COUNTS {
        let server = one_member().await;
        let caller = server.admin();
        let prefix = fleetgate_tests::proxy_path("bench-1");
        let list = caller.get(&format!("{prefix}{WATCHED}")).await?;
        ensure!(list.status == 200, "{list}");
        let idle = Usage::of(server.pid())?.rss_kib;
        let path = format!("{prefix}{WATCHED}?watch=1");
        let watchers = Watchers::start(&caller, count, &path).await?;
        watchers.until(count).await?;
        let more = Usage::of(server.pid())?.rss_kib.saturating_sub(idle);
        let figure = format!("memory of a watch, {count} of them");
        report.at_most(&figure, more as f64 / count as f64, 25.0, "KiB");
    }
    Ok(())
}

/// How long a large list takes on each way, and what a server needs for it.
async fn lists(ways: &Ways, report: &mut Report) -> Result<()> {
    let took = in_turns(ways, list).await?;
    let columns = ["way", "20 MB list, s", "× direct"];
    let mut table = Table::new("Large lists", &columns);
    let ratio = rows(&mut table, &took, 3);
    report.at_most("a 20 MB list: × direct", ratio, 1.1, "");
    report.table(table);
    let server = one_member().await;
    let way = Way {
        name: "fresh".to_owned(),
        caller: server.admin(),
        prefix: fleetgate_tests::proxy_path("bench-1"),
        pids: vec![server.pid()],
    };
    let small = way.caller.get(&format!("{}/version", way.prefix)).await?;
    ensure!(small.status == 200, "{small}");
    let idle = Usage::of(server.pid())?.rss_kib;
    let peak = Peak::of(server.pid());
    for _ in 0..LISTS {
        list(&way).await?;
    }
    let more = peak.kib().saturating_sub(idle);
    report.at_most(
        "a 20 MB list: memory above idle",
        more as f64 / 1024.0,
        8.0,
        "MiB",
    );
    Ok(())
}

/// Seconds for one list of everything, read and let go of as it comes.
async fn list(way: &Way) -> Result<f64> {
    let mut connection = way.caller.connect().await?;
    let since = Instant::now();
    let mut body = connection.watch(&format!("{}{LISTED}", way.prefix)).await?;
    let mut bytes = 0;
    while let Some(piece) = chunk(&mut body).await? {
        bytes += piece.len();
    }
    ensure!(
        bytes > OBJECTS * OBJECT_BYTES,
        "{} gave {bytes} bytes",
        way.name
    );
    Ok(since.elapsed().as_secs_f64())
}

/// A fresh server with member1 as its one cluster, bench-1.
async fn one_member() -> Server {
    let server = ServerSpec::default().start().await;
    join(&server, 1).await;
    server.until_answers("bench-1").await;
    server
}

async fn prepare(member: &Client) -> Result<()> {
    let namespaces = "/api/v1/namespaces";
    for name in ["bench-watched", "bench-listed"] {
        let namespace = json!({"metadata": {"name": name}});
        let made = member.post(namespaces, &namespace).await;
        ensure!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    }
    // What an earlier run left has that run's labels.
    member.delete(&format!("{WATCHED}/one")).await;
    create(member, WATCHED, config_map("one".to_owned(), 100)).await?;
    let objects = stream::iter(0..OBJECTS).map(|number| {
        create(
            member,
            LISTED,
            config_map(format!("object-{number}"), OBJECT_BYTES),
        )
    });
    objects.buffer_unordered(AT_A_TIME).try_collect().await
}

fn config_map(name: String, bytes: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"text": "x".repeat(bytes)},
    })
}

async fn create(member: &Client, path: &str, object: Value) -> Result<()> {
    let made = member.post(path, &object).await;
    // It is there from a run before in the same fleet.
    ensure!(matches!(made.status.as_u16(), 201 | 409), "{made}");
    Ok(())
}

/// The most memory that a process has while this lives.
pub(crate) struct Peak {
    kib: Arc<AtomicU64>,
    _sampler: JoinSet<()>,
}

// === impl Peak ===

impl Peak {
    pub(crate) fn of(pid: u32) -> Self {
        let kib = Arc::new(AtomicU64::new(0));
        let most = Arc::clone(&kib);
        let mut sampler = JoinSet::new();
        sampler.spawn(async move {
            while let Ok(usage) = Usage::of(pid) {
                most.fetch_max(usage.rss_kib, Ordering::Relaxed);
                sleep(SAMPLE).await;
            }
        });
        Self {
            kib,
            _sampler: sampler,
        }
    }

    pub(crate) fn kib(&self) -> u64 {
        self.kib.load(Ordering::Relaxed)
    }
}
