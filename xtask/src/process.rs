//! Child processes that never outlive xtask.
//!
//! Each is started through xtask itself (`xtask __child`), which asks the kernel to be killed when
//! the parent dies and then becomes the program. The kernel means the parent *thread*, so children
//! are only started from the main thread, which the single-threaded runtime makes sure of. What the
//! orderly stop does not reach falls to the [guard](crate::guard).

use std::{
    cell::RefCell,
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{
    guard::{Guard, MARK},
    ui,
};

/// How long a process may take to stop after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(4);
const LOG_LINES: usize = 20;

/// Who is stopped before whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tier {
    Server,
    /// Killed at once: it is the first process of namespaces that vanish with it.
    Node,
    Apiserver,
    Etcd,
}

/// What is started.
#[derive(Debug)]
pub(crate) struct Program {
    /// Names the log file.
    pub(crate) name: String,
    pub(crate) tier: Tier,
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<OsString>,
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) log: PathBuf,
    tier: Tier,
    child: RefCell<Child>,
}

/// All children of a run.
#[derive(Debug)]
pub(crate) struct Processes {
    logs: PathBuf,
    run: String,
    all: RefCell<Vec<Rc<Process>>>,
}

// === impl Tier ===

impl Tier {
    const IN_ORDER: [Self; 4] = [Self::Server, Self::Node, Self::Apiserver, Self::Etcd];
}

// === impl Processes ===

impl Processes {
    /// `logs`: an existing directory that gets one file for each child.
    pub(crate) fn new(logs: PathBuf, guard: &Guard) -> Self {
        Self {
            logs,
            run: guard.run().to_owned(),
            all: RefCell::default(),
        }
    }

    /// Starts a child whose output goes to its log file, in a process group of its own.
    pub(crate) fn start(&self, program: Program) -> Result<Rc<Process>> {
        let log = self.logs.join(format!("{}.log", program.name));
        let out = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let err = out.try_clone().context("share the log file")?;
        let child = self
            .command(&program.path)
            .args(&program.args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.name))?;
        let pid = child
            .id()
            .context("a child that ended before it had a number")?;
        let (name, tier) = (program.name, program.tier);
        let process = Rc::new(Process {
            name,
            pid,
            log,
            tier,
            child: RefCell::new(child),
        });
        self.all.borrow_mut().push(Rc::clone(&process));
        Ok(process)
    }

    /// A command that dies with xtask and carries the run's mark; the caller adds arguments.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::from(mortal(program.as_os_str()));
        command.env(MARK, &self.run);
        command
    }

    /// Stops every child, tier by tier, each with SIGTERM and after a while SIGKILL.
    pub(crate) async fn stop(&self) {
        for tier in Tier::IN_ORDER {
            let these = self.of(tier);
            futures::future::join_all(these.iter().map(|process| process.stop())).await;
        }
    }

    fn of(&self, tier: Tier) -> Vec<Rc<Process>> {
        self.all
            .borrow()
            .iter()
            .filter(|process| process.tier == tier)
            .cloned()
            .collect()
    }

    /// The children that ended although nobody stopped them; each is told once.
    pub(crate) fn newly_ended(&self) -> Vec<(Rc<Process>, ExitStatus)> {
        let mut ended = Vec::new();
        self.all
            .borrow_mut()
            .retain(|process| match process.ended() {
                Some(status) => {
                    ended.push((Rc::clone(process), status));
                    false
                }
                None => true,
            });
        ended
    }
}

// === impl Process ===

impl Process {
    /// Awaits `ready`, asked again and again. When the child ends or time is up, prints the end of
    /// its log and fails.
    pub(crate) async fn until_ready(
        &self,
        limit: Duration,
        ready: impl AsyncFn() -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                ui::log_tail(&self.log, LOG_LINES);
                bail!("{} ended while starting: {status}", self.name);
            }
            if ready().await {
                return Ok(());
            }
            if start.elapsed() > limit {
                ui::log_tail(&self.log, LOG_LINES);
                bail!("{} is not ready after {} s", self.name, limit.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.child.borrow_mut().try_wait().ok().flatten()
    }

    async fn stop(&self) {
        let gently = self.tier != Tier::Node;
        for signal in gently
            .then_some(Signal::TERM)
            .into_iter()
            .chain([Signal::KILL])
        {
            let Some(pid) = Pid::from_raw(self.pid.cast_signed()) else {
                return;
            };
            let start = Instant::now();
            if self.ended().is_some() {
                return;
            }
            kill_process(pid, signal).ok();
            while start.elapsed() < STOP_LIMIT {
                if self.ended().is_some() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// A command that dies with xtask; the caller adds arguments.
pub(crate) fn mortal(program: &OsStr) -> std::process::Command {
    let mut command = std::process::Command::new("/proc/self/exe");
    command
        .args(["__child", &std::process::id().to_string()])
        .arg(program);
    command
}

/// `xtask __child PARENT PROGRAM ARGS…`: dies with `parent`, and otherwise is PROGRAM.
pub(crate) fn become_child(parent: u32, program: &[OsString]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("ask to die with the parent")?;
    if std::os::unix::process::parent_id() != parent {
        bail!("the parent was gone before the child began");
    }
    let (path, args) = program.split_first().context("no program to run")?;
    let error = std::process::Command::new(path).args(args).exec();
    Err(error).with_context(|| format!("run {}", path.display()))
}
