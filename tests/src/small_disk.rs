//! A filesystem of a test's own, small enough to be filled: a tmpfs that only those see who enter
//! its mount namespace.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    environment::optional,
    fleet, left_out,
    process::Process,
    wait::{SOON, eventually},
};

/// A mounted tmpfs. It goes with this.
#[derive(Debug)]
pub struct SmallDisk {
    /// Holds the namespaces.
    holder: Process,
    dir: TempDir,
}

// === impl SmallDisk ===

impl SmallDisk {
    /// A disk of `mebibytes`, or `None` where namespaces cannot be made, which `test` says aloud.
    /// With `FLEET_REQUIRE_NODE` set, that fails the test.
    pub async fn needed_by(test: &str, mebibytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
            .arg("mount -t tmpfs -o \"$2\" tmpfs \"$1\"; mkdir \"$1/mounted\"; exec sleep infinity")
            .args(["sh".as_ref(), dir.path()])
            .arg(size(mebibytes));
        let mut holder = Process::start(command, &dir.path().join("log"));
        let mounted = PathBuf::from(format!("/proc/{}/root", holder.pid()))
            .join(dir.path().strip_prefix("/").unwrap())
            .join("mounted");
        let settled = eventually(SOON, async || {
            (mounted.exists() || holder.has_ended()).then_some(())
        });
        settled.await.unwrap();
        if mounted.exists() {
            return Some(Self { holder, dir });
        }
        let (required, reason) = (optional("FLEET_REQUIRE_NODE"), holder.output());
        assert!(required.is_none(), "{test} needs a disk: {reason}");
        left_out(test, reason.trim());
        None
    }

    /// Where it is, for those who are in its namespace.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What stands before the command of a program that shall see it.
    pub fn entering(&self) -> Vec<String> {
        let target = self.holder.pid().to_string();
        let words = [
            "nsenter",
            "--target",
            &target,
            "--user",
            "--preserve-credentials",
            "--mount",
        ];
        words.map(str::to_owned).into()
    }

    /// Makes it `mebibytes` large.
    pub async fn resize(&self, mebibytes: usize) {
        let entering = self.entering();
        let mut command = Command::new(&entering[0]);
        command
            .args(&entering[1..])
            .args(["mount", "-o", &format!("remount,{}", size(mebibytes))])
            .arg(self.path());
        let status = command.status().await.unwrap();
        assert!(status.success(), "{command:?}: {status}");
    }
}

fn size(mebibytes: usize) -> String {
    format!("size={mebibytes}m")
}
