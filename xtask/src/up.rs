//! `xtask up`: a fleet that lives as long as a command runs, or until Ctrl-C.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, bail};
use tokio::time::Instant;

use crate::{
    assets,
    certs::{Authority, TokenKey},
    command,
    environment::Environment,
    fleet::{Fleet, FleetSpec},
    guard::Guard,
    hints,
    node::Wish,
    plane::Ground,
    ports::Ports,
    process::Processes,
    server::{ServerBinary, Storage},
    signals::Signals,
    state::{Afterwards, StateDir},
    ui,
};

/// How much of the server's log is shown when a command has failed.
const LOG_LINES: usize = 30;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct UpSpec {
    pub(crate) members: u8,
    pub(crate) node: Wish,
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
        command::check(program)?;
    }
    if spec.members == 0 && spec.node != Wish::No {
        bail!("the node belongs to member1: there must be a member");
    }
    let node = spec.node.choose()?;
    let assets = assets::find(node.need()).await?;
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
        guard,
    };
    let fleet = FleetSpec {
        members: spec.members,
        storage: spec.storage,
        node,
        binary,
    };
    let outcome = live(&ground, fleet, &spec.command, &mut signals).await;
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
    spec: FleetSpec,
    command: &[OsString],
    signals: &mut Signals,
) -> Result<ExitCode> {
    let start = Instant::now();
    let fleet = tokio::select! {
        fleet = Fleet::start(ground, spec) => fleet?,
        interrupt = signals.next() => return Ok(interrupt.exit_code()),
    };
    let environment = Environment::of(ground, &fleet)?;
    environment.write(&ground.dir.join("env"))?;
    ui::step(format_args!(
        "fleet is up after {:.1} s",
        start.elapsed().as_secs_f32()
    ));
    if command.is_empty() {
        hints::print(&ground.dir, &fleet);
        watch(ground, signals).await;
        return Ok(ExitCode::SUCCESS);
    }
    let code = command::run(&ground.processes, &environment, command, signals).await?;
    tell_ended(ground);
    if code != ExitCode::SUCCESS {
        ui::log_tail(&fleet.server.process.log, LOG_LINES);
    }
    Ok(code)
}

/// Waits for Ctrl-C; tells of children that end before.
async fn watch(ground: &Ground, signals: &mut Signals) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = signals.next() => return,
            _ = second.tick() => tell_ended(ground),
        }
    }
}

fn tell_ended(ground: &Ground) {
    for (process, status) in ground.processes.newly_ended() {
        let log = process.log.display();
        ui::warn(format_args!(
            "{} has ended ({status}), its log is {log}",
            process.name
        ));
    }
}

/// Stops the children in order; a second signal leaves the rest to the guard.
async fn stop(ground: &Ground, signals: &mut Signals) {
    tokio::select! {
        () = ground.processes.stop() => {}
        _ = signals.next() => ui::note("stopping at once"),
    }
}
