//! A shared informer of client-go, while its server is killed and its store forgets: it misses
//! nothing, and ends with what a list shows.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use fleetgate_tests::{
    CLUSTERS,
    clients::Client,
    command::Running,
    environment::variable,
    etcd::Etcd,
    relay::Relay,
    server::{Server, ServerSpec},
};
use serde_json::{Value, json};

use super::{cluster, create, delete, kubeconfig, relabel, version};

/// How long an informer may wait before it tries again: client-go's longest.
const LIMIT: Duration = Duration::from_secs(60);
const CLUSTERS_AT_FIRST: usize = 10;
const CHANGES: usize = 50;

/// How an informer learns what is there at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// By a list.
    List,
    /// By a watch that begins with everything (`sendInitialEvents`).
    Watch,
}

/// How much of the past a server tells after it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// What its store holds.
    Past,
    /// What is there, and what comes: the revision of a shared etcd goes on by the writes of others,
    /// and the server cannot tell that none was to a cluster. The original's does so too.
    Present,
}

/// An informer behind a relay, and what it has told.
struct Informer {
    relay: Relay,
    running: Running,
    /// The values of each cluster, as they came.
    values: BTreeMap<String, Vec<String>>,
    /// The last version of each cluster.
    versions: BTreeMap<String, Value>,
    /// What was asked for and how that was answered.
    requests: Vec<String>,
    errors: Vec<String>,
}

impl Informer {
    /// Starts one that looks at the clusters of `server` with the label group=informer, and waits
    /// until it knows them all. `None` where there is no Go.
    async fn start(server: &Server, first: First) -> Option<Self> {
        let relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], server.port())));
        let go = Client::Go.needed_by("client-go informer", kubeconfig(&relay.https()));
        let watch_list = match first {
            First::List => "false",
            First::Watch => "true",
        };
        let running = go
            .await?
            .words("informer group=informer")
            .env("KUBE_FEATURE_WatchListClient", watch_list)
            .env("CLIENTS_TELL_REQUESTS", "1")
            .start();
        let mut this = Self {
            relay,
            running,
            values: BTreeMap::new(),
            versions: BTreeMap::new(),
            requests: Vec::new(),
            errors: Vec::new(),
        };
        while this.next().await.get("synced").is_none() {}
        Some(this)
    }

    /// The next line, noted.
    async fn next(&mut self) -> Value {
        let line = self.running.line(LIMIT).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        if let Some(event) = line["event"].as_str() {
            let name = line["name"].as_str().unwrap().to_owned();
            let version = line["version"].clone();
            let before = self.versions.insert(name.clone(), version.clone());
            let values = self.values.entry(name).or_default();
            match event {
                "delete" => values.push("gone".to_owned()),
                // After it began anew, it is told what it knows.
                "update" if before == Some(version) => {}
                _ => values.push(line["value"].as_str().unwrap().to_owned()),
            }
        }
        if let Some(request) = line["request"].as_str() {
            self.requests.push(format!("{} {request}", line["status"]));
        }
        if let Some(error) = line["error"].as_str() {
            self.errors.push(error.to_owned());
        }
        line
    }

    /// Reads on until the last that came of `name` is `value`.
    async fn until(&mut self, name: &str, value: &str) {
        let last = |this: &Self| {
            this.values
                .get(name)
                .and_then(|values| values.last().cloned())
        };
        while last(self).is_none_or(|last| last != value) {
            self.next().await;
        }
    }

    /// How often everything was asked for.
    fn first_looks(&self) -> usize {
        let first = |request: &&String| {
            request.contains("sendInitialEvents=true") || !request.contains("watch=true")
        };
        self.requests.iter().filter(first).count()
    }

    /// Ends it, and returns the versions of what it holds.
    async fn end(mut self) -> Value {
        self.running.close_stdin();
        loop {
            let mut line = self.next().await;
            if line["store"].is_object() {
                return line["store"].take();
            }
        }
    }
}

/// The versions of what a list shows.
async fn listed(server: &Server) -> Value {
    let path = format!("{CLUSTERS}?labelSelector=group%3Dinformer");
    let list = server.admin().get(&path).await.unwrap();
    let list = list.expect(200).json();
    let items = list["items"].as_array().unwrap();
    let versions = items.iter().map(|item| {
        let name = item["metadata"]["name"].as_str().unwrap();
        (name.to_owned(), json!(version(item)))
    });
    Value::Object(versions.collect())
}

fn name(number: usize) -> String {
    format!("informed-{}", number % CLUSTERS_AT_FIRST)
}

/// Changes that are to be seen one by one, with the values `from` and following.
async fn change(server: &Server, from: usize) {
    for number in from..from + CHANGES {
        relabel(server, &name(number), &number.to_string()).await;
    }
}

/// All that came of each cluster are its values up to `end`, each once and in order.
#[track_caller]
fn assert_none_missed(informer: &Informer, end: usize) {
    for first in 0..CLUSTERS_AT_FIRST {
        let values = (first..end).step_by(CLUSTERS_AT_FIRST);
        let want: Vec<String> = values.map(|value| value.to_string()).collect();
        assert_eq!(informer.values[&name(first)], want, "{}", name(first));
    }
}

/// Through a restart of the server.
async fn an_informer_misses_nothing(spec: ServerSpec, memory: Memory, first: First) {
    let mut server = spec.start().await;
    for number in 0..CLUSTERS_AT_FIRST {
        create(&server, &cluster(&name(number), "informer", number)).await;
    }
    let Some(mut informer) = Informer::start(&server, first).await else {
        return;
    };
    let mut end = CLUSTERS_AT_FIRST;
    change(&server, end).await;
    end += CHANGES;
    informer.until(&name(end - 1), &(end - 1).to_string()).await;
    assert_none_missed(&informer, end);

    server.kill().await;
    match memory {
        // All of it happens before the informer is back.
        Memory::Past => {
            informer.relay.down().await;
            server.start_again().await;
            change(&server, end).await;
            informer.relay.up();
        }
        Memory::Present => {
            server.start_again().await;
            create(&server, &cluster("informed-back", "informer", 0)).await;
            informer.until("informed-back", "0").await;
            change(&server, end).await;
        }
    }
    end += CHANGES;
    informer.until(&name(end - 1), &(end - 1).to_string()).await;
    assert_none_missed(&informer, end);
    let by_list = informer.requests.iter().any(|r| !r.contains("watch=true"));
    assert_eq!(by_list, first == First::List, "{:#?}", informer.requests);
    let looks = informer.first_looks();
    let most = if memory == Memory::Past { 1 } else { 2 };
    assert!(looks <= most, "{looks}: {:#?}", informer.requests);
    assert_eq!(informer.end().await, listed(&server).await);
}

/// Through a compaction while it watches, which it does not notice, and one while it is away, after
/// which it begins anew.
async fn an_informer_begins_anew_after_a_compaction(first: First) {
    let etcd = Etcd::start().await;
    let mut server = ServerSpec::default()
        .etcd(&etcd.url(), "/registry")
        .start()
        .await;
    for number in 0..CLUSTERS_AT_FIRST {
        create(&server, &cluster(&name(number), "informer", number)).await;
    }
    let Some(mut informer) = Informer::start(&server, first).await else {
        return;
    };
    etcd.compact().await;
    change(&server, CLUSTERS_AT_FIRST).await;
    let mut end = CLUSTERS_AT_FIRST + CHANGES;
    informer.until(&name(end - 1), &(end - 1).to_string()).await;
    assert_none_missed(&informer, end);
    assert_eq!(informer.first_looks(), 1, "{:#?}", informer.requests);

    informer.relay.down().await;
    change(&server, end).await;
    end += CHANGES;
    delete(&server, &name(0)).await;
    create(&server, &cluster("informed-late", "informer", 7)).await;
    // What the server remembers by itself goes with it.
    server.kill().await;
    etcd.compact().await;
    server.start_again().await;
    informer.relay.up();
    informer.until("informed-late", "7").await;
    informer.until(&name(0), "gone").await;
    informer.until(&name(end - 1), &(end - 1).to_string()).await;
    assert_eq!(informer.first_looks(), 2, "{:#?}", informer.requests);

    // And from there on all is as before.
    relabel(&server, "informed-late", "8").await;
    informer.until("informed-late", "8").await;
    assert_eq!(informer.values["informed-late"], ["7", "8"]);
    assert_eq!(informer.end().await, listed(&server).await);
}

fn etcd_of(test: &str) -> ServerSpec {
    let prefix = format!("/{test}-{}", std::process::id());
    ServerSpec::default().etcd(&variable("FLEET_ETCD_URL"), &prefix)
}

#[tokio::test]
async fn an_informer_that_lists_misses_nothing_on_etcd() {
    an_informer_misses_nothing(etcd_of("informer-lists"), Memory::Present, First::List).await;
}

#[tokio::test]
async fn an_informer_that_watches_from_the_first_misses_nothing_on_etcd() {
    an_informer_misses_nothing(etcd_of("informer-watches"), Memory::Present, First::Watch).await;
}

#[tokio::test]
async fn an_informer_that_lists_misses_nothing_on_the_embedded_store() {
    an_informer_misses_nothing(ServerSpec::default(), Memory::Past, First::List).await;
}

#[tokio::test]
async fn an_informer_that_watches_from_the_first_misses_nothing_on_the_embedded_store() {
    an_informer_misses_nothing(ServerSpec::default(), Memory::Past, First::Watch).await;
}

#[tokio::test]
async fn an_informer_that_lists_begins_anew_after_a_compaction() {
    an_informer_begins_anew_after_a_compaction(First::List).await;
}

#[tokio::test]
async fn an_informer_that_watches_from_the_first_begins_anew_after_a_compaction() {
    an_informer_begins_anew_after_a_compaction(First::Watch).await;
}
