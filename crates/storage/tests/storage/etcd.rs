//! The etcd store keeps the contract on a real etcd, and through whatever happens to one.

mod faults;
mod lost_answers;
mod process;
mod relay;
mod secured;

use std::{sync::Arc, time::Duration};

use fleetgate_storage::{
    Event, Range, Store, StoreError,
    etcd::{EtcdConfig, EtcdConfigError, EtcdStore, EtcdTls},
};
use futures::{
    FutureExt, StreamExt,
    future::{join, join_all, join3},
};

use self::{
    process::{Etcd, free_ports},
    relay::{Mode, Relay},
};
use crate::contract::{
    Shared, Watch, check_store_contract, create, get, in_time, next_batch, range, try_create,
    update,
};

fn config(endpoints: &[String]) -> EtcdConfig {
    EtcdConfig {
        endpoints: endpoints.to_vec(),
        tls: EtcdTls::default(),
        request_timeout: EtcdConfig::REQUEST_TIMEOUT,
        progress_interval: Duration::from_millis(100),
    }
}

/// A store on `endpoints` that has answered once: etcd may still be starting.
async fn connect(endpoints: &[String]) -> Arc<EtcdStore> {
    let store = Arc::new(EtcdStore::new(&config(endpoints)).unwrap());
    wait_until_ready(&*store).await;
    store
}

async fn wait_until_ready(store: &dyn Store) {
    in_time("etcd to start", async {
        while store.range(Range::key("ready")).await.is_err() {}
    })
    .await;
}

/// The next `count` events.
async fn events(watch: &mut Watch, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(next_batch(watch).await.events);
    }
    events
}

fn keys(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kv.key.as_str()).collect()
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("/n/{n:03}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    let etcd = Etcd::start();
    let store = connect(&[etcd.url()]).await;
    let compacting = store.clone();
    let forget = move |revision| {
        let store = compacting.clone();
        async move { store.compact(revision).await.unwrap() }.boxed()
    };
    check_store_contract(&store, forget).await;
}

#[tokio::test]
async fn a_watch_goes_on_over_a_restart() {
    let mut etcd = Etcd::start();
    let store: Shared = connect(&[etcd.url()]).await;
    let mut watch = store.watch("/n/".to_owned(), 0);
    let names = numbered(0..60);
    let mut seen = Vec::new();
    for (round, names) in names.chunks(20).enumerate() {
        if round > 0 {
            etcd.kill();
            etcd.run();
        }
        for name in &names[..15] {
            create(&store, name, "1").await;
        }
        // Some are read before the next restart, the rest after it.
        seen.extend(events(&mut watch, 5).await);
        for name in &names[15..] {
            create(&store, name, "1").await;
        }
    }
    while seen.len() < names.len() {
        seen.extend(events(&mut watch, 1).await);
    }
    assert_eq!(keys(&seen), names);
    // And nothing comes twice: what comes next is new.
    create(&store, "/n/last", "1").await;
    assert_eq!(keys(&events(&mut watch, 1).await), ["/n/last"]);
}

#[tokio::test]
async fn a_frozen_etcd_is_noticed_and_used_again() {
    let etcd = Etcd::start();
    // Longer than it takes to notice.
    let request_timeout = Duration::from_secs(7);
    let config = EtcdConfig {
        request_timeout,
        ..config(&[etcd.url()])
    };
    let store: Shared = Arc::new(EtcdStore::new(&config).unwrap());
    wait_until_ready(&*store).await;
    let start = create(&store, "/n/a", "1").await;
    let mut watch = store.watch("/n/".to_owned(), start);
    create(&store, "/n/b", "1").await;
    assert_eq!(keys(&events(&mut watch, 1).await), ["/n/b"]);

    etcd.freeze();
    // The watch is polled all the while, so that it meets what a watch cache's would.
    let seen = in_time("requests to end", async {
        // More than etcd is asked at once: some wait for others.
        let reads = (0..4).map(|_| store.range(Range::key("/n/a")));
        let requests = join(join_all(reads), try_create(&store, "/n/c", "1"));
        tokio::select! {
            seen = next_batch(&mut watch) => panic!("{seen:?} from a frozen etcd"),
            answers = requests => answers,
        }
    });
    let (reads, write) = seen.await;
    for read in reads {
        let Err(StoreError::Unavailable { source }) = read else {
            panic!("{read:?}")
        };
        // Noticed before the time was over: there is a failure to tell.
        assert!(source.source().is_some(), "{source:?}");
    }
    assert!(
        matches!(write, Err(StoreError::Uncertain { .. })),
        "{write:?}"
    );

    etcd.thaw();
    wait_until_ready(&*store).await;
    create(&store, "/n/d", "1").await;
    let mut seen = events(&mut watch, 1).await;
    if seen[0].kv.key == "/n/c" && seen.len() == 1 {
        // The uncertain write was committed.
        seen.extend(events(&mut watch, 1).await);
    }
    let there = range(&store, Range::prefix("/n/").starting_at("/n/c"))
        .await
        .items;
    let there: Vec<_> = there.iter().map(|kv| kv.key.as_str()).collect();
    let mut sorted = keys(&seen);
    sorted.sort_unstable();
    assert_eq!(sorted, there);
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over() {
    let etcd = Etcd::start();
    let dead = format!("http://127.0.0.1:{}", free_ports(1)[0]);
    let store: Shared = connect(&[dead, etcd.url()]).await;
    let revision = create(&store, "/n/a", "1").await;
    let mut watch = store.watch("/n/".to_owned(), revision - 1);
    assert_eq!(keys(&events(&mut watch, 1).await), ["/n/a"]);
}

#[tokio::test]
async fn a_silent_endpoint_is_left() {
    let etcd = Etcd::start();
    let relay = Relay::to(&etcd.url()).await;
    let store: Shared = connect(&[relay.url(), etcd.url()]).await;
    let start = create(&store, "/n/a", "1").await;
    let mut watch = store.watch("/n/".to_owned(), start);
    create(&store, "/n/b", "1").await;
    assert_eq!(keys(&events(&mut watch, 1).await), ["/n/b"]);

    relay.set(Mode::SwallowAnswers);
    let (read, write, seen) = in_time(
        "the other endpoint",
        join3(
            range(&store, Range::key("/n/a")),
            create(&store, "/n/c", "1"),
            events(&mut watch, 1),
        ),
    )
    .await;
    assert_eq!(read.items.len(), 1);
    assert_eq!(keys(&seen), ["/n/c"]);
    assert_eq!(
        seen[0].kv.mod_revision, write,
        "the lost answer is found: not a conflict"
    );
}

#[tokio::test]
async fn a_cluster_of_three_bears_the_loss_of_one() {
    let mut members = Etcd::cluster(3);
    let urls: Vec<_> = members.iter().map(Etcd::url).collect();
    for url in &urls {
        connect(std::slice::from_ref(url)).await;
    }
    let store: Shared = connect(&urls).await;
    let names = numbered(0..40);
    let mut watch = store.watch("/n/".to_owned(), 0);
    let mut seen = Vec::new();
    for (n, name) in names.iter().enumerate() {
        match n {
            // The one that is in use dies, comes back, and then the next one freezes.
            10 => members[0].kill(),
            20 => {
                members[0].run();
                connect(&urls[..1]).await;
            }
            30 => members[1].freeze(),
            _ => {}
        }
        create(&store, name, "1").await;
        if n % 10 == 5 {
            let missing = n - seen.len();
            seen.extend(events(&mut watch, missing).await);
        }
    }
    let missing = names.len() - seen.len();
    seen.extend(events(&mut watch, missing).await);
    assert_eq!(keys(&seen), names);
    members[1].thaw();
}

#[tokio::test]
async fn a_watch_that_was_away_for_too_long_says_so() {
    let etcd = Etcd::start();
    let relay = Relay::to(&etcd.url()).await;
    let direct = connect(&[etcd.url()]).await;
    let distant: Shared = connect(&[relay.url()]).await;
    let mut watch = distant.watch("/n/".to_owned(), 0);
    let store: Shared = direct.clone();
    let revision = create(&store, "/n/a", "1").await;
    let seen = events(&mut watch, 1).await;
    assert_eq!(keys(&seen), ["/n/a"]);

    relay.cut(Mode::Refuse);
    let revision = update(&store, "/n/a", "2", revision).await;
    let revision = update(&store, "/n/a", "3", revision).await;
    direct.compact(revision).await.unwrap();
    relay.set(Mode::Pass);
    let error = loop {
        match in_time("the watch", watch.next())
            .await
            .expect("not without an error")
        {
            // Progress from before the cut.
            Ok(batch) => assert_eq!(batch.events, []),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Compacted { .. }), "{error:?}");
    assert!(watch.next().await.is_none());
}

/// etcd ends connections on which a client pings too often with nothing else going on.
#[tokio::test]
async fn a_quiet_watch_keeps_its_connection() {
    let etcd = Etcd::start();
    let relay = Relay::to(&etcd.url()).await;
    let direct: Shared = connect(&[etcd.url()]).await;
    let usual = EtcdConfig {
        // Shortened to the longest that is good.
        progress_interval: Duration::from_secs(3_600),
        ..config(&[relay.url()])
    };
    let distant = EtcdStore::new(&usual).unwrap();
    let mut watch = distant.watch("/n/".to_owned(), 0);
    for n in 0..4 {
        let revision = create(&direct, &format!("/elsewhere/{n}"), "1").await;
        while next_batch(&mut watch).await.revision < revision {}
    }
    assert_eq!(relay.count(), 1);
}

#[tokio::test]
async fn servers_share_the_work_of_compaction() {
    let etcd = Etcd::start();
    let [one, other] = [connect(&[etcd.url()]).await, connect(&[etcd.url()]).await];
    let store: Shared = one.clone();
    let old = create(&store, "/n/a", "1").await;
    let new = update(&store, "/n/a", "2", old).await;
    let interval = Duration::from_millis(200);
    let since = tokio::time::Instant::now();
    let forgotten = async {
        while store
            .range(Range::key("/n/a").at_revision(old))
            .await
            .is_ok()
        {}
        store.range(Range::key("/n/a").at_revision(old)).await
    };
    let result = in_time("a compaction", async {
        tokio::select! {
            result = forgotten => result,
            () = one.compact_every(interval) => unreachable!("it goes on for ever"),
            () = other.compact_every(interval) => unreachable!("it goes on for ever"),
        }
    });
    let result = result.await;
    assert!(
        matches!(result, Err(StoreError::Compacted { .. })),
        "{result:?}"
    );
    assert_eq!(get(&store, "/n/a").await.unwrap().mod_revision, new);
    let race = get(&store, "compact_rev_key")
        .await
        .expect("as kube-apiserver calls it");
    let said: i64 = String::from_utf8(race.value.to_vec())
        .unwrap()
        .parse()
        .unwrap();
    assert!(said >= new, "compacted at {said}");
    // One of them wins each round.
    let rounds = since.elapsed().as_millis() / interval.as_millis();
    let wins = u128::try_from(race.version).unwrap();
    assert!(wins <= rounds + 1, "{wins} wins in {rounds} rounds");
}

#[tokio::test]
async fn a_config_that_cannot_work_is_refused() {
    #[track_caller]
    fn check(endpoints: &[&str], tls: EtcdTls, want: &str) {
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|&endpoint| endpoint.to_owned())
            .collect();
        let error = EtcdStore::new(&EtcdConfig {
            tls,
            ..config(&endpoints)
        })
        .unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    let none = EtcdTls::default;
    let ca = || EtcdTls {
        ca: Some("/nowhere/ca.crt".into()),
        identity: None,
    };
    check(&[], none(), "no etcd endpoint is configured");
    check(
        &["ftp://etcd"],
        none(),
        "cannot use \"ftp://etcd\" as an etcd endpoint",
    );
    check(&["https://etcd:2379"], ca(), "cannot read /nowhere/ca.crt");
    // Files that no endpoint needs are not looked at.
    let store: Result<_, EtcdConfigError> = EtcdStore::new(&EtcdConfig {
        tls: ca(),
        ..config(&["http://etcd:2379".to_owned()])
    });
    assert!(store.is_ok());
}
