//! A large fleet: memory and start with 1,000 clusters, secrets that are nobody's, the program.

use std::fs;

use anyhow::{Context, Result, ensure};
use fleetgate_tests::{
    environment::variable,
    fleet,
    http::Client,
    member::Member,
    process::Usage,
    proxy_path,
    registration::{Registration, change_secret, encode, secret},
    server::{SECRETS, Server, ServerSpec},
    wait::{SOON, check, until},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::process::Command;

use crate::report::Report;

const CLUSTERS: usize = 1_000;
const USED: usize = 100;
const UNRELATED: usize = 5_000;
const SECRET_BYTES: usize = 20_000;
const AT_A_TIME: usize = 16;

/// Measures and publishes.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run() -> Result<()> {
    let mut report = Report::new("scale");
    unrelated_secrets(&mut report).await?;
    many_clusters(&mut report).await?;
    program(&mut report).await?;
    report.publish()
}

/// Registers cluster `bench-NUMBER` at `server`, a name for member1.
pub(crate) async fn join(server: &Server, number: usize) {
    let member = Member::new(1).await;
    let cluster = Registration {
        token: member.token.clone(),
        ..Registration::new(&format!("bench-{number}"), member.url())
    };
    server.register(&cluster).await;
}

async fn unrelated_secrets(report: &mut Report) -> Result<()> {
    // A run that was stopped has left them.
    each_unrelated(remove).await?;
    let more = memory_of_unrelated().await;
    each_unrelated(remove).await?;
    let figure = "5,000 unrelated secrets of 20 kB: memory";
    report.at_most(figure, more?, 0.5, "MiB");
    Ok(())
}

/// MiB that a server gains while they are made beside the secrets of its cluster.
async fn memory_of_unrelated() -> Result<f64> {
    let server = ServerSpec::default().start().await;
    join(&server, 1).await;
    server.until_answers("bench-1").await;
    let before = Usage::of(server.pid())?.rss_kib;
    each_unrelated(create).await?;
    // It is told of changes in their order: when it knows of this one, it was told of all.
    let other = json!({"token": encode("another")});
    change_secret("bench-1-impersonator", &other).await;
    let (caller, path) = (server.admin(), proxy_path("bench-1") + "/version");
    until("the token is another", SOON, async || {
        let reply = caller.get(&path).await.map_err(|error| error.to_string())?;
        check(reply.status == 401, || reply.to_string())
    })
    .await;
    let more = Usage::of(server.pid())?.rss_kib.saturating_sub(before);
    Ok(more as f64 / 1024.0)
}

/// Does `act` for the number of each secret, some at a time.
async fn each_unrelated(act: impl AsyncFn(&Client, usize) -> Result<()>) -> Result<()> {
    let host = fleet().at_host(&fleet().admin());
    let all = stream::iter(0..UNRELATED).map(|number| act(&host, number));
    all.buffer_unordered(AT_A_TIME).try_collect().await
}

async fn create(host: &Client, number: usize) -> Result<()> {
    let data = json!({"data": encode(&"x".repeat(SECRET_BYTES))});
    let secret = secret(&format!("unrelated-{number}"), &data);
    let made = host.post(SECRETS, &secret).await;
    ensure!(made.status == 201, "{made}");
    Ok(())
}

async fn remove(host: &Client, number: usize) -> Result<()> {
    let path = format!("{SECRETS}/unrelated-{number}");
    let removed = host.delete(&path).await;
    ensure!(matches!(removed.status.as_u16(), 200 | 404), "{removed}");
    Ok(())
}

async fn many_clusters(report: &mut Report) -> Result<()> {
    let mut server = ServerSpec::default().start().await;
    let joins = stream::iter(1..=CLUSTERS).map(|number| join(&server, number));
    joins.buffer_unordered(AT_A_TIME).collect::<()>().await;
    server.terminate();
    server.ended().await;
    let ready = server.start_again().await;
    for number in 1..=USED {
        server.until_answers(&format!("bench-{number}")).await;
    }
    let caller = server.admin();
    for number in 1..=USED {
        let path = proxy_path(&format!("bench-{number}")) + "/version";
        let reply = caller.get(&path).await?;
        ensure!(reply.status == 200, "{reply}");
    }
    let rss = Usage::of(server.pid())?.rss_kib as f64 / 1024.0;
    report.at_most("1,000 clusters, 100 in use: memory", rss, 120.0, "MiB");
    let ready = ready.as_secs_f64() * 1e3;
    report.at_most("1,000 clusters: ready after start", ready, 500.0, "ms");
    Ok(())
}

/// The program without what only a debugger reads.
async fn program(report: &mut Report) -> Result<()> {
    let dir = tempfile::tempdir_in(fleet().scratch()).context("make a directory")?;
    let stripped = dir.path().join("server");
    let strip = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(variable("FLEET_SERVER_BIN"))
        .status();
    ensure!(strip.await.context("run strip")?.success(), "strip failed");
    let bytes = fs::metadata(&stripped)
        .context("look at the program")?
        .len();
    report.at_most("the program, stripped", bytes as f64 / 1e6, 20.0, "MB");
    Ok(())
}
