//! What upgrades a connection: exec sessions a second, and megabytes a second through a forwarded
//! port, on member1's real node.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fleetgate_tests::{
    Credential, Kubectl,
    connection::Caller,
    exec::{self, Session},
    fleet,
    member::Member,
    node::Node,
    proxy_path,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    report::{Cell, Report, Table, median, text},
    ways::{DIRECT, SERVER},
};

const POD: &str = "bench-pod";
const ROUNDS: usize = 5;
/// So many at a time, each so often, in a round.
const CLIENTS: usize = 4;
const SESSIONS: usize = 10;
const BYTES: usize = 200 << 20;
const SOON: Duration = Duration::from_secs(60);

/// One way to the pod.
struct Way {
    name: &'static str,
    caller: Caller,
    prefix: String,
    kubectl: Kubectl,
}

/// Measures and publishes; leaves it out where there is no node.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run() -> Result<()> {
    let Some(node) = Node::needed_by("bench pods") else {
        return Ok(());
    };
    let script = format!(
        "mkdir /www && head -c {BYTES} /dev/zero > /www/zeros \
         && httpd -p 127.0.0.1:18090 -h /www && exec sleep 2147483647"
    );
    node.run(&node.pod(POD, &script)).await;
    let ways = ways().await;
    let mut report = Report::new("pods");
    let mut table = Table::new("Pods", &["what", "way", "a second", "× direct"]);
    let sessions = in_turns(&ways, sessions).await?;
    let ratio = rows(&mut table, "exec sessions", &sessions);
    report.at_least("exec sessions a second × direct", ratio, 0.8, "");
    let megabytes = in_turns(&ways, port_forward).await?;
    let ratio = rows(&mut table, "MB by port-forward", &megabytes);
    report.at_least("port-forward MB/s × direct", ratio, 0.9, "");
    report.table(table);
    report.publish()
}

async fn ways() -> [Way; 2] {
    let member = Member::new(1).await;
    let prefix = proxy_path("member1");
    let url = format!("{}{prefix}", fleet().server_url);
    [
        Way {
            name: DIRECT,
            caller: member.caller(),
            kubectl: Credential::Token(member.token.clone()).kubectl(member.url()),
            prefix: String::new(),
        },
        Way {
            name: SERVER,
            caller: Caller::new(&fleet().server_url, &fleet().admin()),
            kubectl: fleet().admin().kubectl(&url),
            prefix,
        },
    ]
}

/// What `measure` says of each way: medians of rounds.
async fn in_turns(
    ways: &[Way],
    measure: impl AsyncFn(&Way) -> Result<f64>,
) -> Result<Vec<(&'static str, f64)>> {
    let mut figures = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, figures) in ways.iter().zip(&mut figures) {
            let measured = measure(way).await;
            figures.push(measured.with_context(|| format!("by way of {}", way.name))?);
        }
    }
    let names = ways.iter().map(|way| way.name);
    Ok(names.zip(figures.into_iter().map(median)).collect())
}

/// Adds a row for each way. The last one's figure relative to the first one's.
fn rows(table: &mut Table, what: &str, figures: &[(&'static str, f64)]) -> f64 {
    let direct = figures.first().map_or(f64::NAN, |(_, figure)| *figure);
    for (way, figure) in figures {
        table.row([
            text(what),
            text(*way),
            Cell::Figure(*figure, 1),
            Cell::Figure(figure / direct, 2),
        ]);
    }
    figures
        .last()
        .map_or(f64::NAN, |(_, figure)| figure / direct)
}

/// Sessions of `exec` a second, from the request to the end of the command.
async fn sessions(way: &Way) -> Result<f64> {
    let path = format!(
        "{}/api/v1/namespaces/default/pods/{POD}/exec?command=true&stdout=true",
        way.prefix
    );
    let since = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (caller, path) = (way.caller.clone(), path.clone());
        clients.spawn(async move {
            for _ in 0..SESSIONS {
                timeout(SOON, session(&caller, &path))
                    .await
                    .context("a session")??;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client.context("a client")??;
    }
    Ok((CLIENTS * SESSIONS) as f64 / since.elapsed().as_secs_f64())
}

async fn session(caller: &Caller, path: &str) -> Result<()> {
    match exec::session(caller.connect().await?, path).await? {
        Session::Said(said) => ensure!(!said.is_empty(), "nothing was said"),
        Session::Refused(reply) => bail!("{reply}"),
    }
    Ok(())
}

/// Megabytes a second from the pod's web server through `kubectl port-forward`.
async fn port_forward(way: &Way) -> Result<f64> {
    let words = format!("port-forward pod/{POD} :18090");
    let mut forward = way.kubectl.call(&words).start();
    let line = forward.line_with(SOON, "Forwarding from 127.0.0.1:").await;
    let (_, rest) = line.rsplit_once("127.0.0.1:").context("a port")?;
    let (port, _) = rest.split_once(' ').context("a port")?;
    let address = format!("127.0.0.1:{port}");
    let since = Instant::now();
    let bytes = timeout(SOON, fetch(&address))
        .await
        .context("a download")??;
    let seconds = since.elapsed().as_secs_f64();
    forward.kill().await;
    ensure!(bytes > BYTES, "{bytes} bytes");
    Ok(bytes as f64 / 1e6 / seconds)
}

async fn fetch(address: &str) -> Result<usize> {
    let mut tcp = TcpStream::connect(address).await.context("connect")?;
    let sent = tcp.write_all(b"GET /zeros HTTP/1.0\r\n\r\n").await;
    sent.context("ask")?;
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match tcp.read(&mut buffer).await.context("read")? {
            0 => return Ok(bytes),
            read => bytes += read,
        }
    }
}
