//! The Cluster API on both stores against the host's kube-apiserver with ConfigMaps of the same size.

mod bare;
mod contender;
mod report;
mod watches;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use fleetgate_tests::{environment::variable, process::Usage, server::ServerSpec};

use self::{
    contender::Contender,
    report::{Figures, Row},
    watches::FanOut,
};
use crate::{
    load::{Ask, Turn, drive},
    report::Report,
};

/// So many clusters there are.
const OBJECTS: usize = 5_000;
/// So many while they are watched.
const WATCHED: usize = 500;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);
const LISTS: usize = 5;

/// Measures and publishes.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run() -> Result<()> {
    let embedded = ServerSpec::default().start().await;
    let etcd = ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), "/bench");
    let etcd = etcd.start().await;
    let clusters = Contender::clusters("embedded", &embedded);
    let size = clusters.size_of_one().await?;
    let contenders = [
        clusters,
        Contender::clusters("etcd", &etcd),
        Contender::config_maps(size).await?,
    ];
    let mut report = Report::new("clusters");
    let mut watches = Vec::new();
    for contender in &contenders {
        fill(contender, 0, WATCHED).await?;
        watches.push((contender.name, FanOut::measure(contender).await?));
    }
    report::watches(&mut report, &watches);
    let list = async |contender: &Contender| lists(contender, "").await;
    let any = async |contender: &Contender| lists(contender, "?resourceVersion=0").await;
    let rows = [
        in_turns("create", &contenders, 1, create).await?,
        in_turns("get", &contenders, ROUNDS, get).await?,
        in_turns("update", &contenders, ROUNDS, update).await?,
        in_turns("apply", &contenders, ROUNDS, apply).await?,
        in_turns("list of 5,000", &contenders, ROUNDS, list).await?,
        in_turns("list of 5,000, any state", &contenders, ROUNDS, any).await?,
    ];
    report::operations(&mut report, size, &rows);
    for contender in &contenders {
        let rss_kib = Usage::of(contender.pid)?.rss_kib;
        report::memory(&mut report, contender.name, rss_kib);
    }
    report.publish()
}

/// Rounds in which one contender after the other takes its turn.
async fn in_turns(
    what: &'static str,
    contenders: &[Contender],
    rounds: usize,
    turn: impl AsyncFn(&Contender) -> Result<Turn>,
) -> Result<Row> {
    let mut figures = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            let before = Usage::of(contender.pid)?.cpu;
            let turn = turn(contender).await?;
            let cpu = Usage::of(contender.pid)?.cpu - before;
            figures.push(Figures::of(&turn, cpu));
        }
    }
    let names = contenders.iter().map(|contender| contender.name);
    Ok(Row::new(what, names.zip(figures).collect()))
}

/// Creates the objects from number `from` on, until there are `to`.
async fn fill(contender: &Contender, from: usize, to: usize) -> Result<Turn> {
    let next = AtomicUsize::new(from);
    let maker = contender.maker();
    drive(&contender.caller, CONNECTIONS, move |_, _| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < to).then(|| maker.create(number))
    })
    .await
}

async fn create(contender: &Contender) -> Result<Turn> {
    fill(contender, WATCHED, OBJECTS).await
}

async fn get(contender: &Contender) -> Result<Turn> {
    each(contender, |maker, number, _| Ask::get(&maker.path(number))).await
}

async fn update(contender: &Contender) -> Result<Turn> {
    each(contender, contender::Maker::update).await
}

async fn apply(contender: &Contender) -> Result<Turn> {
    each(contender, contender::Maker::apply).await
}

/// What `ask` makes of one object after the other, for the time of a turn. It is told a number
/// that is never the same.
async fn each(
    contender: &Contender,
    ask: impl Fn(&contender::Maker, usize, usize) -> Ask + Send + Sync + 'static,
) -> Result<Turn> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let maker = Arc::new(contender.maker());
    drive(&contender.caller, CONNECTIONS, move |_, elapsed| {
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        (elapsed < TIME).then(|| ask(&maker, unique % OBJECTS, unique))
    })
    .await
}

/// Lists everything some times, one after the other on one connection.
async fn lists(contender: &Contender, query: &str) -> Result<Turn> {
    let path = format!("{}{query}", contender.maker().collection());
    let left = AtomicUsize::new(LISTS);
    drive(&contender.caller, 1, move |_, _| {
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        before.is_ok().then(|| Ask::get(&path))
    })
    .await
}
