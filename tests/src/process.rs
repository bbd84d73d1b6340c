//! A program that a test starts: in a process group of its own, which ends with the test.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

use crate::wait::eventually;

/// What Linux counts CPU time in for other programs (`USER_HZ`), whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    log: PathBuf,
}

/// What the kernel tells of a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Memory in RAM, in KiB.
    pub rss_kib: u64,
    /// CPU time of all its threads.
    pub cpu: Duration,
}

// === impl Process ===

impl Process {
    /// Starts `command`, its output appended to the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).unwrap();
        let err = out.try_clone().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Self {
            pid: pid.unwrap(),
            child,
            log: log.to_owned(),
        }
    }

    /// Waits until something listens at `port` of loopback. Panics with what the program said if it
    /// ends, or nothing listens after `limit`.
    pub async fn until_listening(&mut self, port: u16, limit: Duration) {
        let listening = eventually(limit, async || {
            self.assert_running();
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        });
        if listening.await.is_none() {
            panic!("nobody listens at port {port}: {}", self.output());
        }
    }

    /// Panics with what it said if it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("it ended ({status}): {}", self.output());
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end. Panics if it still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("it still runs after {limit:?}: {}", self.output()),
        }
    }

    /// What it has written.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What it uses.
    pub fn usage(&self) -> Usage {
        Usage::of(self.pid()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group may have ended already; then there is nothing to kill.
        kill_process_group(self.pid, Signal::KILL).unwrap_or_default();
    }
}

// === impl Usage ===

impl Usage {
    /// What process `pid` uses (proc(5): `stat` and `status`).
    ///
    /// # Errors
    /// If there is none, or its files are of another form.
    pub fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let status = read("status")?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.context("no VmRSS in status")?.trim();
        let rss_kib = rss.trim_end_matches(" kB").parse().context("read VmRSS")?;
        let stat = read("stat")?;
        // The program's name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").context("read stat")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>().context("read CPU time")?;
        Ok(Self {
            rss_kib,
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        })
    }
}
