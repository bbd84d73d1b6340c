//! What the server has in hand: memory, descriptors, tasks, threads.

use std::{fmt, fs, time::Duration};

use anyhow::Result;
use fleetgate_tests::{process, server::Server};
use tokio::time::{Instant, sleep};

/// Within what time kept connections have all been given up: each side's idle limits are 90 s at
/// most.
const SETTLES: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_secs(10);
/// By how much memory differs from one moment to another, all else the same.
const NOISE_KIB: u64 = 8 << 10;

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) rss_kib: u64,
    descriptors: usize,
    tasks: usize,
    threads: usize,
}

// === impl Usage ===

impl Usage {
    /// What `server` has in hand now.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(crate) async fn of(server: &Server) -> Result<Self> {
        let pid = server.pid();
        // Before it is asked: that takes a connection.
        let count = |what: &str| anyhow::Ok(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        let (descriptors, threads) = (count("fd")?, count("task")?);
        let tasks = server.series("runtime_tasks").await?;
        Ok(Self {
            rss_kib: process::Usage::of(pid)?.rss_kib,
            descriptors,
            tasks,
            threads,
        })
    }

    /// Once nobody asks any more: as soon as there is as little in hand as in `before`, or
    /// when that will not be.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub(crate) async fn settled(server: &Server, before: Self) -> Result<Self> {
        let since = Instant::now();
        loop {
            sleep(LOOK).await;
            let now = Self::of(server).await?;
            if since.elapsed() > SETTLES || now.more_than(before).is_empty() {
                return Ok(now);
            }
        }
    }

    /// What is more than it was `before`; of memory, by more than what differs anyway.
    pub(crate) fn more_than(self, before: Self) -> Vec<String> {
        let counts = [
            ("descriptors", self.descriptors, before.descriptors),
            ("tasks", self.tasks, before.tasks),
            ("threads", self.threads, before.threads),
        ];
        let more = counts.into_iter().filter(|(_, now, before)| now > before);
        let more = more.map(|(what, now, before)| format!("{what}: {now}, were {before}"));
        let (now, was) = (self.rss_kib, before.rss_kib);
        let memory = (now > was + NOISE_KIB).then(|| format!("memory: {now} KiB, was {was}"));
        more.chain(memory).collect()
    }
}

/// Whether memory grew under load: the least of the second half of `samples` against that of the
/// first.
pub(crate) fn growth(samples: &[Usage]) -> Option<String> {
    let (first, second) = samples.split_at(samples.len() / 2);
    let least = |samples: &[Usage]| samples.iter().map(|usage| usage.rss_kib).min();
    let (first, second) = (least(first)?, least(second)?);
    let grew = second > first + NOISE_KIB;
    grew.then(|| format!("memory: {second} KiB at least, was {first}"))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rss_kib,
            descriptors,
            tasks,
            threads,
        } = self;
        let mib = *rss_kib as f64 / 1024.0;
        write!(
            f,
            "{mib:.1} MiB, {descriptors} descriptors, {tasks} tasks, {threads} threads"
        )
    }
}
