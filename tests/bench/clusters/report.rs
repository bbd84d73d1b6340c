//! The figures of the Cluster API, and what they are to be.

use std::time::Duration;

use super::{contender::KUBE, watches::FanOut};
use crate::{
    load::Turn,
    report::{Cell, Report, Table, median, text},
};

/// The time until a thousand know, relative to that until ten do, the bytes on the wire apart.
const AIM_FAN_OUT: f64 = 1.2;
/// Throughput relative to the kube-apiserver.
const AIMS: [(&str, f64); 3] = [("get", 3.0), ("list of 5,000", 2.0), ("apply", 1.0)];
const OPERATIONS: [&str; 7] = [
    "operation",
    "server",
    "per second",
    "of kube-apiserver",
    "p50 ms",
    "p99 ms",
    "CPU ms",
];
const WATCHES: [&str; 7] = [
    "server",
    "event at 10, ms",
    "at 1,000, ms",
    "bytes alone, ms",
    "sender alone, at 1,000, ms",
    "idle MiB",
    "1,000 watches MiB",
];

/// One operation, by each contender: medians over the rounds.
#[derive(Debug)]
pub(crate) struct Row {
    what: &'static str,
    by: Vec<(&'static str, Figures)>,
}

/// What came of turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
}

/// Operations on objects of `size` bytes each.
pub(crate) fn operations(report: &mut Report, size: usize, rows: &[Row]) {
    let mut table = Table::new(
        format!("Operations on objects of {size} bytes"),
        &OPERATIONS,
    );
    for row in rows {
        row.add_to(&mut table);
        let aim = AIMS.iter().find(|(what, _)| *what == row.what);
        for (name, _) in row.by.iter().filter(|(name, _)| *name != KUBE) {
            if let Some((what, least)) = aim {
                let figure = format!("{what}, {name}: × {KUBE}");
                report.at_least(&figure, row.ratio(name), *least, "");
            }
        }
    }
    report.table(table);
}

/// Watches by each contender.
pub(crate) fn watches(report: &mut Report, all: &[(&'static str, FanOut)]) {
    let mut table = Table::new("Watches of 500 objects", &WATCHES);
    for (name, fan_out) in all {
        table.row([
            text(*name),
            Cell::Figure(ms(fan_out.few), 2),
            Cell::Figure(ms(fan_out.many), 2),
            Cell::Figure(ms(fan_out.wire), 2),
            Cell::Figure(ms(fan_out.bare), 2),
            Cell::Figure(mib(fan_out.idle_kib), 1),
            Cell::Figure(mib(fan_out.watched_kib), 1),
        ]);
        if *name != KUBE {
            let more = fan_out.watched_kib.saturating_sub(fan_out.idle_kib);
            let figure = format!("1,000 watches, {name}: above idle");
            report.at_most(&figure, mib(more), 25.0, "MiB");
            let most = fan_out.few.mul_f64(AIM_FAN_OUT) + fan_out.wire;
            let figure = format!("an event at 1,000, {name}: {AIM_FAN_OUT} × at 10, and its bytes");
            report.at_most(&figure, ms(fan_out.many), ms(most), "ms");
        }
    }
    report.table(table);
}

/// Memory with all clusters.
pub(crate) fn memory(report: &mut Report, name: &str, rss_kib: u64) {
    if name != KUBE {
        let figure = format!("memory with 5,000 clusters, {name}");
        report.at_most(&figure, mib(rss_kib), 150.0, "MiB");
    }
}

// === impl Figures ===

impl Figures {
    /// Of one turn, for which the server took `cpu`.
    pub(crate) fn of(turn: &Turn, cpu: Duration) -> Self {
        Self {
            per_second: turn.per_second,
            p50_ms: ms(turn.p50),
            p99_ms: ms(turn.p99),
            cpu_ms: ms(cpu) / turn.requests as f64,
        }
    }

    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            per_second: of(|figures| figures.per_second),
            p50_ms: of(|figures| figures.p50_ms),
            p99_ms: of(|figures| figures.p99_ms),
            cpu_ms: of(|figures| figures.cpu_ms),
        }
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn new(what: &'static str, rounds: Vec<(&'static str, Vec<Figures>)>) -> Self {
        let by = rounds.into_iter();
        let by = by.map(|(name, rounds)| (name, Figures::median(&rounds)));
        Self {
            what,
            by: by.collect(),
        }
    }

    /// The throughput of `name` relative to the kube-apiserver.
    fn ratio(&self, name: &str) -> f64 {
        let of = |wanted: &str| {
            let found = self.by.iter().find(|(name, _)| *name == wanted);
            found.map_or(f64::NAN, |(_, figures)| figures.per_second)
        };
        of(name) / of(KUBE)
    }

    fn add_to(&self, table: &mut Table) {
        for (name, figures) in &self.by {
            table.row([
                text(self.what),
                text(*name),
                Cell::Figure(figures.per_second, 1),
                Cell::Figure(self.ratio(name), 2),
                Cell::Figure(figures.p50_ms, 2),
                Cell::Figure(figures.p99_ms, 2),
                Cell::Figure(figures.cpu_ms, 3),
            ]);
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
