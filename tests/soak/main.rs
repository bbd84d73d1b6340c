//! A server under load for minutes, while the credentials of its member change and the member dies
//! and freezes. In the end every response is accounted for, every kind of work was done, and the
//! server has nothing in hand that it had not before.
//!
//! `cargo xtask soak [--minutes N] [--node]` runs it in a fleet of its own, everything optimised.

mod changes;
mod cluster;
mod patcher;
mod usage;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Result;
use clap::{Parser, error::ErrorKind};
use fleetgate_tests::{
    account::Account, connect_front::ConnectFront, registration::Registration, replica::Replica,
    server::ServerSpec, told,
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use self::{cluster::Cluster, usage::Usage};

/// How often it is told how it goes.
const MINUTE: Duration = Duration::from_secs(60);
/// Once the server is up, until it rests.
const START: Duration = Duration::from_secs(15);

#[derive(Debug, Parser)]
struct Args {
    /// How long the load lasts; 2 at least.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let lasts = MINUTE * args.minutes;
    if lasts <= changes::BOTH {
        let need = changes::BOTH;
        let message = format!("--minutes is too few: the faults of the member need {need:?}\n");
        clap::Error::raw(ErrorKind::ValueValidation, message).exit();
    }
    let mut replica = Replica::start(1).await;
    let spec = ServerSpec::default().flag("member-connect-timeout", "2s");
    let server = spec.flag("member-request-timeout", "5s").start().await;
    let cluster = Cluster::new(server, &replica).await?;
    let registration = Registration {
        token: cluster.member.token.clone(),
        ..Registration::new(cluster::NAME, cluster.member.url())
    };
    cluster.server.register(&registration).await;
    sleep(START).await;
    let before = Usage::of(&cluster.server).await?;
    told(&format!("before: {before}"));

    let front = ConnectFront::start(cluster.member.address()).await;
    let account = Arc::new(Account::new());
    let users = cluster.users(&account);
    let samples = Mutex::default();
    let end = Instant::now() + lasts;
    let load = async {
        tokio::join!(
            cluster.make_events(),
            cluster.patch(&account),
            changes::rotate(&cluster, &registration, &front, &account),
            changes::trouble(&mut replica, &account, end),
            tell(&cluster, &account, &samples),
        )
    };
    // Most of them never end.
    drop(timeout_at(end, Box::pin(load)).await);
    users.leave().await;
    told("everybody has left");
    let after = Usage::settled(&cluster.server, before).await?;
    registration.remove().await;
    told(&format!("before: {before}"));
    told(&format!("after:  {after}"));
    let mut more = after.more_than(before);
    more.extend(usage::growth(&samples.lock()));
    Ok(verdict(&account, &more, &cluster.undone(&account)))
}

/// Says each minute what the server has in hand, and keeps it in `samples`.
async fn tell(cluster: &Cluster, account: &Account, samples: &Mutex<Vec<Usage>>) {
    let since = Instant::now();
    loop {
        sleep(MINUTE).await;
        let minutes = since.elapsed().as_secs() / 60;
        let (unexplained, _) = account.unexplained();
        match Usage::of(&cluster.server).await {
            Ok(usage) => {
                samples.lock().push(usage);
                told(&format!(
                    "after {minutes} min: {usage}; {unexplained} unexplained"
                ));
            }
            Err(error) => told(&format!("after {minutes} min: {error:#}")),
        }
    }
}

fn verdict(account: &Account, more: &[String], undone: &[&str]) -> ExitCode {
    account.lines().iter().for_each(|line| told(line));
    more.iter().for_each(|more| told(&format!("MORE {more}")));
    undone
        .iter()
        .for_each(|what| told(&format!("NEVER WHOLE {what}")));
    let (count, first) = account.unexplained();
    first
        .iter()
        .for_each(|line| told(&format!("UNEXPLAINED {line}")));
    told(&format!("{count} responses that nothing explains"));
    if more.is_empty() && undone.is_empty() && count == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
