//! Steadiness: what a member that is dead takes from others, and what readers who are slow cost.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fleetgate_testkit::{
    Answer, FakeMember, RawServer, Received,
    certs::{self, Ca},
};
use fleetgate_tests::{
    connection::{Caller, chunk},
    process::Usage,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
};
use http::{Method, StatusCode};
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, interval_at, sleep, timeout},
};

use crate::{
    load::{Ask, drive},
    report::{Cell, Report, Table, median, text},
    streams::Peak,
};

const ROUNDS: usize = 5;
const TURN: Duration = Duration::from_secs(5);
/// Those whose answers are timed, and the rest of each between two requests.
const CONNECTIONS: usize = 8;
const REST: Duration = Duration::from_millis(40);
/// Callers of the other member, each of whom asks once a second.
const OTHERS: usize = 200;
const SECOND: Duration = Duration::from_secs(1);

const READERS: usize = 50;
const LIST_BYTES: usize = 20_000_000;
/// How long a slow reader rests between two pieces.
const PAUSE: Duration = Duration::from_secs(1);
/// When the memory of slow readers is looked at, and again.
const LOOKS: Duration = Duration::from_secs(5);

/// Measures and publishes.
///
/// # Errors
/// If anything is refused.
pub(crate) async fn run() -> Result<()> {
    let mut report = Report::new("steady");
    let member = member().await;
    dead_members(&member, &mut report).await?;
    slow_readers(&member, &mut report).await?;
    report.publish()
}

/// A member with a small answer, and a large one.
async fn member() -> FakeMember {
    let leaf = Ca::new("bench").sign(&certs::server(&["127.0.0.1"]));
    let large = Bytes::from(vec![b'x'; LIST_BYTES]);
    let script = move |received: &Received| Answer::Full {
        status: StatusCode::OK,
        headers: Vec::new(),
        body: match received.path.as_str() {
            "/large" => large.clone(),
            _ => Bytes::from_static(b"{}"),
        },
    };
    FakeMember::tls(&leaf).start(script).await
}

async fn register(server: &Server, name: &str, url: &str) {
    let cluster = Registration {
        spec: json!({"insecureSkipTLSVerification": true}),
        ..Registration::new(name, url)
    };
    server.register(&cluster).await;
}

/// The p99 of one member's callers, alone and while 200 requests a second go to another.
async fn dead_members(member: &FakeMember, report: &mut Report) -> Result<()> {
    let server = ServerSpec::default().start().await;
    register(&server, "steady-alive", &member.url()).await;
    server.until_answers("steady-alive").await;
    let silent = RawServer::tcp(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let silent = silent.await;
    let (listener, _queued) = black_hole().await?;
    let dropping = format!("https://{}", listener.local_addr().context("its address")?);
    let others = [
        ("answers", member.url()),
        ("accepts, and never answers", silent.https()),
        ("drops packets", dropping),
    ];
    for (number, (_, url)) in others.iter().enumerate() {
        register(&server, &other(number), url).await;
    }
    let (mut alone, mut beside) = (Vec::new(), vec![Vec::new(); others.len()]);
    let mut took = vec![Vec::new(); others.len()];
    for _ in 0..ROUNDS {
        alone.push(p99(&server.admin()).await?);
        for (number, beside) in beside.iter_mut().enumerate() {
            let storm = Storm::start(&server.admin(), &other(number)).await?;
            beside.push(p99(&server.admin()).await?);
            took[number].extend(storm.end().await?);
        }
    }
    let names = others.map(|(name, _)| name);
    tell(report, &names, median(alone), beside.into_iter().zip(took));
    Ok(())
}

/// `alone` and beside the other member of each name, its callers' p99 in milliseconds; and how long
/// the answers of the other took.
fn tell(
    report: &mut Report,
    names: &[&str],
    alone: f64,
    figures: impl Iterator<Item = (Vec<f64>, Vec<Duration>)>,
) {
    let columns = [
        "other member",
        "p99, ms",
        "× alone",
        "its own answers, p99 ms",
    ];
    let mut table = Table::new("One member, while 200 requests/s go to another", &columns);
    table.row([
        text("none"),
        Cell::Figure(alone, 2),
        Cell::Figure(1.0, 2),
        text(""),
    ]);
    for (number, (what, (beside, mut took))) in names.iter().zip(figures).enumerate() {
        let beside = median(beside);
        took.sort_unstable();
        let own = took[took.len() * 99 / 100].as_secs_f64() * 1e3;
        table.row([
            text(*what),
            Cell::Figure(beside, 2),
            Cell::Figure(beside / alone, 2),
            Cell::Figure(own, 1),
        ]);
        if number > 0 {
            let figure = format!("another member {what}: p99 × alone");
            report.at_most(&figure, beside / alone, 1.2, "");
            let figure = format!("a member that {what}: p99 of its callers");
            report.at_most(&figure, own, 1000.0, "ms");
        }
    }
    report.table(table);
}

fn other(number: usize) -> String {
    format!("steady-other-{number}")
}

/// A listener whose queue is full: the kernel drops what else would connect.
async fn black_hole() -> Result<(TcpListener, Vec<TcpStream>)> {
    let socket = TcpSocket::new_v4().context("a socket")?;
    socket.bind(([127, 0, 0, 1], 0).into()).context("a port")?;
    let listener = socket.listen(0).context("listen")?;
    let address = listener.local_addr().context("its address")?;
    let mut queued = Vec::new();
    let moment = Duration::from_millis(200);
    while let Ok(stream) = timeout(moment, TcpStream::connect(address)).await {
        queued.push(stream.context("a connection that nobody accepts")?);
        ensure!(queued.len() < 16, "the queue does not fill");
    }
    Ok((listener, queued))
}

/// In milliseconds.
async fn p99(caller: &Caller) -> Result<f64> {
    let path = proxy_path("steady-alive") + "/version";
    let ask = move |_, elapsed| (elapsed < TURN).then(|| Ask::get(&path).after(REST));
    let turn = drive(caller, CONNECTIONS, ask).await?;
    Ok(turn.p99.as_secs_f64() * 1e3)
}

/// Requests to one cluster, 200 a second, whatever they are answered with.
struct Storm {
    took: Arc<Mutex<Vec<Duration>>>,
    tasks: JoinSet<Result<()>>,
}

// === impl Storm ===

impl Storm {
    async fn start(caller: &Caller, cluster: &str) -> Result<Self> {
        let path = proxy_path(cluster) + "/version";
        let took = Arc::<Mutex<Vec<Duration>>>::default();
        let mut open = Vec::new();
        for _ in 0..OTHERS {
            open.push(caller.connect().await?);
        }
        let mut tasks = JoinSet::new();
        let since = Instant::now();
        for (number, mut connection) in (0..).zip(open) {
            let (path, took) = (path.clone(), Arc::clone(&took));
            tasks.spawn(async move {
                let mut ticks = interval_at(since + SECOND * number / OTHERS as u32, SECOND);
                loop {
                    let asked = ticks.tick().await;
                    let request = connection.request(Method::GET, &path).body(Full::default());
                    let reply = connection.exchange(request.context("a request")?).await?;
                    ensure!(matches!(reply.status.as_u16(), 200 | 503 | 504), "{reply}");
                    took.lock().push(asked.elapsed());
                }
            });
        }
        // The member is known to be dead by then.
        sleep(2 * SECOND).await;
        Ok(Self { took, tasks })
    }

    /// How long each answer took.
    async fn end(mut self) -> Result<Vec<Duration>> {
        if let Some(ended) = self.tasks.try_join_next() {
            ended.context("a caller")??;
        }
        self.tasks.shutdown().await;
        let took = std::mem::take(&mut *self.took.lock());
        ensure!(!took.is_empty(), "no answer");
        Ok(took)
    }
}

/// What a server holds for those who read a large answer slowly.
async fn slow_readers(member: &FakeMember, report: &mut Report) -> Result<()> {
    let server = ServerSpec::default().start().await;
    register(&server, "steady-large", &member.url()).await;
    server.until_answers("steady-large").await;
    let (caller, path) = (server.admin(), proxy_path("steady-large") + "/large");
    let idle = Usage::of(server.pid())?.rss_kib;
    let peak = Peak::of(server.pid());
    let mut readers: JoinSet<Result<()>> = JoinSet::new();
    for _ in 0..READERS {
        let mut connection = caller.connect().await?;
        let mut body = connection.watch(&path).await?;
        readers.spawn(async move {
            let _open = connection;
            while chunk(&mut body).await?.is_some() {
                sleep(PAUSE).await;
            }
            Ok(())
        });
    }
    sleep(LOOKS).await;
    let first = Usage::of(server.pid())?.rss_kib;
    sleep(LOOKS).await;
    let second = Usage::of(server.pid())?.rss_kib;
    ensure!(readers.try_join_next().is_none(), "a reader is done");
    let mib = |kib: u64| kib as f64 / 1024.0;
    let held = peak.kib().saturating_sub(idle);
    let figure = "50 slow readers of 20 MB: memory above idle";
    report.at_most(figure, mib(held), 50.0, "MiB");
    let figure = "50 slow readers of 20 MB: memory gained within 5 s";
    report.at_most(figure, mib(second.saturating_sub(first)), 1.0, "MiB");
    Ok(())
}
