//! The table for people, and the file for whoever compares runs.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::proxy::Round;

/// What is aimed at: throughput relative to direct access with 16 connections …
const AIM_RATIO: f64 = 0.5;
/// … memory after the run, …
const AIM_RSS_KIB: u64 = 40 << 10;
/// … TLS handshakes with the member per 1,000 requests, …
const AIM_HANDSHAKES: f64 = 4.0;
/// … and the time from start to ready.
const AIM_START_UP: Duration = Duration::from_millis(150);

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) rss_before_kib: u64,
    pub(crate) rss_after_kib: u64,
    /// Shortest first.
    pub(crate) start_up: Vec<Duration>,
}

/// One path with one number of connections: medians over the rounds.
#[derive(Debug)]
pub(crate) struct Row {
    what: &'static str,
    connections: usize,
    direct: Figures,
    proxied: Figures,
    /// Proxied to direct, of each round.
    ratio: Figures,
    cpu_per_request_ms: f64,
    handshakes_per_1000: f64,
}

#[derive(Clone, Copy, Debug)]
struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
}

// === impl Row ===

impl Row {
    pub(crate) fn new(what: &'static str, connections: usize, rounds: &[Round]) -> Self {
        let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let requests: usize = rounds.iter().map(|r| r.proxied.requests).sum();
        let cpu: Duration = rounds.iter().map(|r| r.cpu).sum();
        let handshakes: u64 = rounds.iter().map(|r| r.handshakes).sum();
        Self {
            what,
            connections,
            direct: Figures {
                per_second: of(&|r| r.direct.per_second),
                p50: of(&|r| ms(r.direct.p50)),
                p99: of(&|r| ms(r.direct.p99)),
            },
            proxied: Figures {
                per_second: of(&|r| r.proxied.per_second),
                p50: of(&|r| ms(r.proxied.p50)),
                p99: of(&|r| ms(r.proxied.p99)),
            },
            ratio: Figures {
                per_second: of(&|r| r.proxied.per_second / r.direct.per_second),
                p50: of(&|r| r.proxied.p50.as_secs_f64() / r.direct.p50.as_secs_f64()),
                p99: of(&|r| r.proxied.p99.as_secs_f64() / r.direct.p99.as_secs_f64()),
            },
            cpu_per_request_ms: ms(cpu) / requests as f64,
            handshakes_per_1000: handshakes as f64 * 1e3 / requests as f64,
        }
    }

    fn json(&self) -> Value {
        let ms = |figures: Figures| {
            json!({
                "requests_per_second": figures.per_second,
                "p50_ms": figures.p50, "p99_ms": figures.p99,
            })
        };
        json!({
            "what": self.what, "connections": self.connections,
            "direct": ms(self.direct), "proxied": ms(self.proxied),
            "ratio": {
                "requests_per_second": self.ratio.per_second,
                "p50": self.ratio.p50, "p99": self.ratio.p99,
            },
            "cpu_per_request_ms": self.cpu_per_request_ms,
            "handshakes_per_1000": self.handshakes_per_1000,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

// === impl Report ===

impl Report {
    pub(crate) fn print(&self) {
        println!(
            "\n{:<12} {:>5} {:>8} {:>8} {:>6} {:>7} {:>7} {:>6} {:>7} {:>7} {:>6} {:>8} {:>9}",
            "GET",
            "conns",
            "direct/s",
            "proxy/s",
            "ratio",
            "p50 ms",
            "proxy",
            "ratio",
            "p99 ms",
            "proxy",
            "ratio",
            "CPU ms",
            "TLS/1000",
        );
        for row in &self.rows {
            let Row {
                direct,
                proxied,
                ratio,
                ..
            } = row;
            println!(
                "{:<12} {:>5} {:>8.0} {:>8.0} {:>6.2} {:>7.2} {:>7.2} {:>6.2} {:>7.2} {:>7.2} \
                 {:>6.2} {:>8.3} {:>9.3}",
                row.what,
                row.connections,
                direct.per_second,
                proxied.per_second,
                ratio.per_second,
                direct.p50,
                proxied.p50,
                ratio.p50,
                direct.p99,
                proxied.p99,
                ratio.p99,
                row.cpu_per_request_ms,
                row.handshakes_per_1000,
            );
        }
        println!();
        for (what, value, met) in self.aims() {
            let met = if met { "met" } else { "MISSED" };
            println!("{what:<58} {value:>9}  {met}");
        }
    }

    /// What was aimed at, what came out, and whether that is enough.
    fn aims(&self) -> Vec<(String, String, bool)> {
        let mut aims = Vec::new();
        for row in self.rows.iter().filter(|row| row.connections == 16) {
            let what = format!(
                "{}, 16 connections: at least {AIM_RATIO} of direct",
                row.what
            );
            let ratio = row.ratio.per_second;
            aims.push((what, format!("{ratio:.2}"), ratio >= AIM_RATIO));
        }
        let most = self.rows.iter().map(|row| row.handshakes_per_1000);
        let most = most.fold(0.0, f64::max);
        aims.push((
            format!("TLS handshakes per 1,000 requests: at most {AIM_HANDSHAKES}"),
            format!("{most:.2}"),
            most <= AIM_HANDSHAKES,
        ));
        let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
        aims.push((
            format!(
                "memory after the run ({} before): at most 40 MiB",
                mib(self.rss_before_kib)
            ),
            mib(self.rss_after_kib),
            self.rss_after_kib <= AIM_RSS_KIB,
        ));
        let start_up = self.start_up[self.start_up.len() / 2];
        aims.push((
            format!("ready after start: at most {} ms", AIM_START_UP.as_millis()),
            format!("{} ms", start_up.as_millis()),
            start_up <= AIM_START_UP,
        ));
        aims
    }

    /// Writes `target/bench/proxy.json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self) -> Result<()> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
        fs::create_dir_all(&dir).context("make target/bench")?;
        let start_up = self.start_up.iter().map(|time| time.as_secs_f64() * 1e3);
        let all = json!({
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "rss_before_kib": self.rss_before_kib, "rss_after_kib": self.rss_after_kib,
            "start_up_ms": start_up.collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&all).context("format the figures")?;
        fs::write(dir.join("proxy.json"), text + "\n").context("write proxy.json")
    }
}
