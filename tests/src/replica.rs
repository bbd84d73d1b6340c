//! A second kube-apiserver over a member's etcd, which a test may kill, freeze and start again.

use std::{path::PathBuf, time::Duration};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    environment::content,
    fleet,
    member::Member,
    ports,
    process::Process,
    wait::{SOON, check, until},
};

/// Within what time a kube-apiserver is ready on a busy machine.
const START: Duration = Duration::from_secs(120);

/// A kube-apiserver at a port that it keeps. Runs until this is dropped.
#[derive(Debug)]
pub struct Replica {
    member: Member,
    words: Vec<String>,
    dir: TempDir,
    process: Process,
}

// === impl Replica ===

impl Replica {
    /// A replica of member `number`, which is ready.
    pub async fn start(number: u8) -> Self {
        Self::with(number, &[]).await
    }

    /// The same with other flags, `--name=value` each, in place of what the member has.
    pub async fn with(number: u8, flags: &[String]) -> Self {
        let port = ports::take();
        let command = content(&format!("FLEET_MEMBER{number}_CMD"));
        let mut words: Vec<String> = command.lines().map(str::to_owned).collect();
        let own = [format!("--secure-port={port}")];
        for flag in own.iter().chain(flags) {
            let (name, _) = flag.split_once('=').unwrap();
            words.retain(|word| word.split_once('=').is_none_or(|(other, _)| other != name));
            words.push(flag.clone());
        }
        let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
        let mut this = Self {
            member: Member::new(number).await.at(port),
            process: run(&words, &dir.path().join("log")),
            words,
            dir,
        };
        this.until_ready().await;
        this
    }

    /// The member, at this address.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.ended(SOON).await;
    }

    /// Nothing of it runs any more until [`Self::thaw`].
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Starts it again at its port, and waits until it is ready.
    pub async fn start_again(&mut self) {
        self.process = run(&self.words, &self.log());
        self.until_ready().await;
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    async fn until_ready(&mut self) {
        let caller = self.member.caller();
        until("the replica is ready", START, async || {
            self.process.assert_running();
            match caller.get("/readyz").await {
                Ok(reply) => check(reply.status == 200, || reply.to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await;
    }
}

fn run(words: &[String], log: &std::path::Path) -> Process {
    let (program, flags) = words.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(flags);
    Process::start(command, log)
}
