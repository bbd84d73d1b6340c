//! The command that a fleet is started for.

use std::{
    ffi::{OsStr, OsString},
    io::IsTerminal,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Child, time::Instant};

use crate::{
    environment::Environment,
    process::Processes,
    signals::{Interrupt, Signals},
};

/// How long a command that was asked to end may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Within what time a second Ctrl-C ends a command that ignores it.
const TWICE: Duration = Duration::from_secs(2);

/// Runs `command` in `environment` and returns its exit code.
pub(crate) async fn run(
    processes: &Processes,
    environment: &Environment,
    command: &[OsString],
    signals: &mut Signals,
) -> Result<ExitCode> {
    let (program, args) = command.split_first().context("an empty command")?;
    let mut child = processes
        .command(Path::new(program))
        .args(args)
        .envs(environment.for_command())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut last = None;
    let status = loop {
        let interrupt = tokio::select! {
            status = child.wait() => break status.context("wait for the command")?,
            interrupt = signals.next() => interrupt,
        };
        if !is_left_to_command(interrupt, &mut last) {
            break end(&mut child, interrupt).await?;
        }
    };
    Ok(exit_code(status))
}

/// Ctrl-C in a terminal has reached the command too, which may have a use for it, as a shell has.
/// Twice in a row means us.
fn is_left_to_command(interrupt: Interrupt, last: &mut Option<Instant>) -> bool {
    let first = last
        .replace(Instant::now())
        .is_none_or(|last| last.elapsed() > TWICE);
    interrupt == Interrupt::Int && std::io::stdin().is_terminal() && first
}

/// Ends a command, with some patience where Ctrl-C may have reached it already.
async fn end(child: &mut Child, interrupt: Interrupt) -> Result<ExitStatus> {
    if interrupt == Interrupt::Int
        && let Ok(status) = tokio::time::timeout(Duration::from_secs(1), child.wait()).await
    {
        return status.context("wait for the command");
    }
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM).ok();
    }
    match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(status) => status.context("wait for the command"),
        Err(_) => {
            child.kill().await.context("kill the command")?;
            child.wait().await.context("wait for the command")
        }
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
pub(crate) fn check(program: &OsStr) -> Result<()> {
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
