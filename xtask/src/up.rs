//! `xtask up`: a fleet that lives as long as a command runs, or until Ctrl-C.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Child, time::Instant};

use crate::{
    assets::{self, Need},
    certs::{Authority, TokenKey},
    environment::Environment,
    fleet::{Fleet, FleetSpec},
    guard::Guard,
    hints,
    plane::{Ground, Reach},
    ports::Ports,
    process::Processes,
    server::{ServerBinary, Storage},
    signals::{Interrupt, Signals},
    state::{Afterwards, StateDir},
    ui,
};

/// How long a command that was asked to end may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Debug)]
pub(crate) struct UpSpec {
    pub(crate) members: u8,
    pub(crate) storage: Storage,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) afterwards: Afterwards,
    pub(crate) server: ServerBinary,
    /// Program and arguments; empty: run until Ctrl-C.
    pub(crate) command: Vec<OsString>,
}

/// Starts a fleet, runs the command in it (or waits), stops everything. The exit code is the
/// command's.
pub(crate) async fn run(spec: UpSpec) -> Result<ExitCode> {
    if let Some(program) = spec.command.first() {
        on_path(program)?;
    }
    let assets = assets::find(Need::ControlPlane).await?;
    let binary = spec.server.path()?;
    let mut signals = Signals::listen()?;
    let guard = Guard::start()?;
    let state = StateDir::make(spec.dir.as_deref(), spec.afterwards, &guard)?;
    let pki = state.path.join("pki");
    let ground = Ground {
        assets,
        ports: Ports::new(),
        processes: Processes::new(state.path.join("logs"), &guard),
        ca: Authority::new(&pki, "ca")?,
        token_key: TokenKey::new(&pki)?,
        dir: state.path.clone(),
    };
    let outcome = live(&ground, &spec, binary, &mut signals).await;
    stop(&ground, &mut signals).await;
    if spec.afterwards == Afterwards::Keep {
        ui::step(format_args!("kept {}", state.path.display()));
    } else if outcome.is_err() {
        ui::note("with --keep the logs stay");
    }
    outcome
}

async fn live(
    ground: &Ground,
    spec: &UpSpec,
    binary: PathBuf,
    signals: &mut Signals,
) -> Result<ExitCode> {
    let start = Instant::now();
    let wanted = FleetSpec {
        members: spec.members,
        storage: spec.storage,
        member1: Reach::Loopback,
        binary,
    };
    let fleet = tokio::select! {
        fleet = Fleet::start(ground, wanted) => fleet?,
        interrupt = signals.next() => return Ok(interrupt.exit_code()),
    };
    let environment = Environment::of(ground, &fleet)?;
    environment.write(&ground.dir.join("env"))?;
    ui::step(format_args!(
        "fleet is up after {:.1} s",
        start.elapsed().as_secs_f32()
    ));
    if spec.command.is_empty() {
        hints::print(&ground.dir, &fleet);
        watch(ground, signals).await;
        return Ok(ExitCode::SUCCESS);
    }
    run_command(ground, &environment, &spec.command, signals).await
}

/// Waits for Ctrl-C; tells of children that end before.
async fn watch(ground: &Ground, signals: &mut Signals) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = signals.next() => return,
            _ = second.tick() => {
                for (process, status) in ground.processes.newly_ended() {
                    let log = process.log.display();
                    ui::warn(format_args!("{} ended ({status}): see {log}", process.name));
                }
            }
        }
    }
}

async fn run_command(
    ground: &Ground,
    environment: &Environment,
    command: &[OsString],
    signals: &mut Signals,
) -> Result<ExitCode> {
    let (program, args) = command.split_first().context("an empty command")?;
    let mut child = ground
        .processes
        .command(Path::new(program))
        .args(args)
        .envs(environment.for_command())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let status = tokio::select! {
        status = child.wait() => status.context("wait for the command")?,
        interrupt = signals.next() => end(&mut child, interrupt).await?,
    };
    Ok(exit_code(status))
}

/// Ends a command. Ctrl-C in a terminal has reached it already.
async fn end(child: &mut Child, interrupt: Interrupt) -> Result<ExitStatus> {
    if interrupt == Interrupt::Int
        && let Ok(status) = tokio::time::timeout(Duration::from_secs(1), child.wait()).await
    {
        return status.context("wait for the command");
    }
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM).ok();
    }
    match tokio::time::timeout(COMMAND_LIMIT, child.wait()).await {
        Ok(status) => status.context("wait for the command"),
        Err(_) => {
            child.kill().await.context("kill the command")?;
            child.wait().await.context("wait for the command")
        }
    }
}

/// Stops the children in order; a second signal leaves the rest to the guard.
async fn stop(ground: &Ground, signals: &mut Signals) {
    tokio::select! {
        () = ground.processes.stop() => {}
        _ = signals.next() => ui::note("stopping at once"),
    }
}

/// As a shell says it: a signal is 128 and its number.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Says at once, not after the fleet has started, that a command does not exist.
fn on_path(program: &OsString) -> Result<()> {
    let as_path = Path::new(program);
    let is_kubectl = program == "kubectl";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if as_path.components().count() > 1 {
        as_path.exists()
    } else {
        is_kubectl || std::env::split_paths(&path).any(|dir| dir.join(as_path).exists())
    };
    if !found {
        bail!("there is no command {}", program.display());
    }
    Ok(())
}
