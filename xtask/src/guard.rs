//! What is left to do when xtask is gone: a process of its own that outlives it by a moment.
//!
//! The guard reads a pipe whose other end only xtask holds. When the pipe ends (orderly end, panic
//! or SIGKILL alike) it ends every process that still carries the run's mark in its environment and
//! removes what it was told to remove. It sits in a process group of its own, so that Ctrl-C in a
//! terminal does not reach it.

use std::{
    fs,
    io::{BufRead, ErrorKind, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// The environment variable that marks every process of a run.
pub(crate) const MARK: &str = "FLEETGATE_RUN";
/// How long what is left may take to end after SIGTERM, in tenths of a second.
const PATIENCE: u32 = 30;

/// xtask's side: holds the pipe.
#[derive(Debug)]
pub(crate) struct Guard {
    run: String,
    child: Child,
}

/// What is removed at the end. Written to the pipe one a line.
#[derive(Clone, Debug)]
pub(crate) enum Remove {
    /// Everything in a directory, not the directory.
    Contents(PathBuf),
    /// A directory and everything in it.
    Directory(PathBuf),
    /// A control group and those below it: directories whose files cannot be removed.
    Groups(PathBuf),
}

// === impl Guard ===

impl Guard {
    pub(crate) fn start() -> Result<Self> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let run = format!("{}-{}", std::process::id(), now.as_nanos());
        let child = Command::new("/proc/self/exe")
            .args(["__guard", &run])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start the guard process")?;
        Ok(Self { run, child })
    }

    /// The value of [`MARK`] for every process of this run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Has `what` removed at the end, however that comes.
    pub(crate) fn remove_at_end(&self, what: &Remove) -> Result<()> {
        let mut pipe = self
            .child
            .stdin
            .as_ref()
            .context("the guard's pipe is closed")?;
        writeln!(pipe, "{}", what.encode()).context("tell the guard what to remove")
    }
}

impl Drop for Guard {
    /// Ends the pipe and waits until the guard has done its work.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

// === impl Remove ===

impl Remove {
    fn encode(&self) -> String {
        let (kind, path) = match self {
            Self::Contents(path) => ("contents", path),
            Self::Directory(path) => ("directory", path),
            Self::Groups(path) => ("groups", path),
        };
        format!("{kind} {}", path.display())
    }

    fn decode(line: &str) -> Option<Self> {
        let (kind, path) = line.split_once(' ')?;
        match kind {
            "contents" => Some(Self::Contents(path.into())),
            "directory" => Some(Self::Directory(path.into())),
            "groups" => Some(Self::Groups(path.into())),
            _ => None,
        }
    }

    /// Again for a while: what was just ended may need a moment to let go.
    fn insist(&self) -> std::io::Result<()> {
        for _ in 0..PATIENCE {
            match self.carry_out() {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(_) => sleep(Duration::from_millis(100)),
            }
        }
        self.carry_out()
    }

    fn carry_out(&self) -> std::io::Result<()> {
        match self {
            Self::Contents(path) => {
                for entry in fs::read_dir(path)? {
                    let path = entry?.path();
                    if path.is_dir() && !path.is_symlink() {
                        fs::remove_dir_all(path)?;
                    } else {
                        fs::remove_file(path)?;
                    }
                }
                Ok(())
            }
            Self::Directory(path) => fs::remove_dir_all(path),
            Self::Groups(path) => remove_groups(path),
        }
    }
}

/// The guard's own side: waits for the end of standard input, then cleans up.
pub(crate) fn main(run: &str) -> Result<()> {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let removals: Vec<Remove> = lines.filter_map(|line| Remove::decode(&line)).collect();
    end_marked(run);
    for what in removals {
        if let Err(error) = what.insist() {
            crate::ui::warn(format_args!("cannot remove {}: {error}", what.encode()));
        }
    }
    Ok(())
}

/// SIGTERM to every process of the run, then SIGKILL to those that stay.
fn end_marked(run: &str) {
    let mark = format!("{MARK}={run}");
    let mut empty = 0;
    for round in 0..PATIENCE * 2 {
        let marked = marked(&mark);
        // A process shows no environment for an instant while it becomes its program.
        empty = if marked.is_empty() { empty + 1 } else { 0 };
        if empty == 2 {
            return;
        }
        let signal = if round < PATIENCE {
            Signal::TERM
        } else {
            Signal::KILL
        };
        for pid in marked {
            kill_process(pid, signal).ok();
        }
        sleep(Duration::from_millis(100));
    }
}

fn marked(mark: &str) -> Vec<Pid> {
    let own = Pid::from_raw(std::process::id().cast_signed());
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let found = environment
            .split(|byte| *byte == 0)
            .any(|var| var == mark.as_bytes());
        found.then_some(pid)
    });
    pids.filter(|pid| Some(*pid) != own).collect()
}

/// Those below it first.
fn remove_groups(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{MARK, Remove, end_marked};

    #[test]
    fn removals_survive_the_pipe() {
        let sent = Remove::Directory("/tmp/a dir with spaces".into());
        assert_eq!(
            Remove::decode(&sent.encode()).unwrap().encode(),
            sent.encode()
        );
        assert!(Remove::decode("everything /").is_none());
    }

    #[test]
    fn marked_processes_end_and_others_stay() {
        let start = |run: &str| {
            Command::new("sleep")
                .arg("60")
                .env(MARK, run)
                .stdin(Stdio::null())
                .spawn()
                .expect("sleep is everywhere")
        };
        let (mut ours, mut theirs) = (start("guard-test"), start("guard-test-2"));
        end_marked("guard-test");
        assert!(!ours.wait().unwrap().success());
        assert!(theirs.try_wait().unwrap().is_none());
        theirs.kill().unwrap();
        theirs.wait().unwrap();
    }
}
