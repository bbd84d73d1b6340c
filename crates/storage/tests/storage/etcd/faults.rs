//! What happens to an etcd while many write and watch, checked by [`crate::checker`].

use std::{
    io::{Read, Write as _},
    net::TcpStream,
    time::Duration,
};

use fleetgate_storage::{
    Range, Store,
    etcd::{EtcdConfig, EtcdStore},
};

use super::{Mode, Relay, config, connect, process::Etcd};
use crate::{
    checker::{Progress, check},
    contract::in_time,
};

const WRITES: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted() {
    let mut etcd = Etcd::start();
    let store = connect(&[etcd.url()]).await;
    let stores: [&dyn Store; 1] = [&*store];
    let checker = check(&stores, WRITES, async |mut progress: Progress<'_>| {
        for round in 1..4 {
            progress.reached(round * WRITES / 5).await;
            etcd.kill();
            etcd.run();
        }
    });
    assert_eq!(checker.await.forgotten(), [0; 9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_leader() {
    let mut members = Etcd::cluster(3);
    let urls: Vec<_> = members.iter().map(Etcd::url).collect();
    for url in &urls {
        connect(std::slice::from_ref(url)).await;
    }
    let stores = [connect(&urls).await, connect(&urls[1..]).await];
    let stores: [&dyn Store; 2] = [&*stores[0], &*stores[1]];
    let checker = check(&stores, WRITES, async |mut progress: Progress<'_>| {
        for round in 1..3 {
            progress.reached(round * WRITES / 4).await;
            let leader = leader(&urls).await;
            members[leader].kill();
            // Somebody else leads now: writes go on without it.
            let now = progress.count();
            progress.reached(now + WRITES / 10).await;
            members[leader].run();
            connect(&urls[leader..=leader]).await;
        }
    });
    assert_eq!(checker.await.forgotten(), [0; 9]);
}

/// Which of `urls` leads.
async fn leader(urls: &[String]) -> usize {
    let find = async {
        loop {
            let leads = |url: &String| metrics(url).contains("\netcd_server_is_leader 1\n");
            match urls.iter().position(leads) {
                Some(leader) => break leader,
                None => tokio::task::yield_now().await,
            }
        }
    };
    in_time("a leader", find).await
}

fn metrics(url: &str) -> String {
    let address = url.trim_start_matches("http://");
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().unwrap_or_default()
}

/// Compacted up to the present again and again: under watches that are up to date, which go on, and
/// under watches that were away, which are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compacted() {
    let etcd = Etcd::start();
    let relay = Relay::to(&etcd.url()).await;
    let direct = connect(&[etcd.url()]).await;
    let distant = connect(&[relay.url()]).await;
    let stores: [&dyn Store; 2] = [&*direct, &*distant];
    let checker = check(&stores, WRITES, async |mut progress: Progress<'_>| {
        for round in 1..5 {
            progress.reached(round * WRITES / 6).await;
            relay.cut(Mode::Refuse);
            let now = progress.count();
            progress.reached(now + WRITES / 20).await;
            let found = direct.range(Range::prefix("/load/")).await;
            direct.compact(found.unwrap().revision).await.unwrap();
            relay.set(Mode::Pass);
        }
    });
    let forgotten = checker.await.forgotten();
    // The odd ones are behind the relay. One that comes late may have missed it all.
    for number in [1, 3, 7] {
        assert!(forgotten[number] > 0, "{forgotten:?}");
    }
}

/// Frozen for as long as a request may take, which is 10 s: writes under way end without an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen() {
    let etcd = Etcd::start();
    let store = EtcdStore::new(&config(&[etcd.url()])).unwrap();
    super::wait_until_ready(&store).await;
    let stores: [&dyn Store; 1] = [&store];
    let checker = check(&stores, WRITES, async |mut progress: Progress<'_>| {
        progress.reached(WRITES / 2).await;
        etcd.freeze();
        let since = tokio::time::Instant::now();
        progress.refused(1).await;
        // The request began a moment before.
        assert!(since.elapsed() >= EtcdConfig::REQUEST_TIMEOUT - Duration::from_secs(1));
        etcd.thaw();
    });
    let checker = checker.await;
    assert_eq!(checker.forgotten(), [0; 9]);
    assert!(checker.uncertain() > 0, "nobody was kept waiting");
}
