//! The runtime of kube-rs: watcher, reflector, Controller.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use fleetgate_tests::{
    relay::Relay,
    server::{Server, ServerSpec},
    wait::{check, until},
};
use futures::{StreamExt, TryStreamExt, pin_mut, stream};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        reflector,
        watcher::{self, Event, watcher},
    },
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::timeout;

use super::{cluster, create, delete, kubeconfig, relabel};

/// As long as kube-rs may wait before it tries again, and a little.
const LIMIT: Duration = Duration::from_secs(90);

fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("cluster.karmada.io", "v1alpha1", "Cluster");
    ApiResource::from_gvk(&kind)
}

/// The clusters at `url`, as kube-rs sees them.
async fn clusters(url: &str) -> Api<DynamicObject> {
    let config = Kubeconfig::read_from(kubeconfig(url)).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(config, &options).await;
    let client = Client::try_from(config.unwrap()).unwrap();
    Api::all_with(client, &resource())
}

async fn server(count: usize) -> Server {
    let server = ServerSpec::default().start().await;
    let writes = (0..count).map(async |number| {
        let name = format!("kube-{number}");
        create(&server, &cluster(&name, "kube", number)).await
    });
    stream::iter(writes)
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
    server
}

/// What a watcher tells from its start through a change and a deletion.
async fn watcher_tells(config: watcher::Config) {
    let server = server(5).await;
    let events = watcher(clusters(&server.url()).await, config);
    pin_mut!(events);
    let mut told = Vec::new();
    let mut tell_until = async |last: &str| {
        while told.last().is_none_or(|told| told != last) {
            let event = timeout(LIMIT, events.try_next()).await.expect(last);
            told.push(match event.unwrap().unwrap() {
                Event::Init => "init".to_owned(),
                Event::InitApply(object) => format!("initially {}", object.name_any()),
                Event::InitDone => "all".to_owned(),
                Event::Apply(object) => {
                    format!("{} {}", object.name_any(), object.labels()["value"])
                }
                Event::Delete(object) => format!("{} gone", object.name_any()),
            });
        }
    };
    tell_until("all").await;
    relabel(&server, "kube-2", "new").await;
    tell_until("kube-2 new").await;
    delete(&server, "kube-3").await;
    tell_until("kube-3 gone").await;
    let initially = (0..5).map(|number| format!("initially kube-{number}"));
    let want = ["init".to_owned()]
        .into_iter()
        .chain(initially)
        .chain(["all", "kube-2 new", "kube-3 gone"].map(str::to_owned));
    assert_eq!(told, want.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_watcher_lists_and_then_tells_each_change() {
    // In pages, which must be of one state.
    watcher_tells(watcher::Config::default().page_size(2)).await;
}

#[tokio::test]
async fn a_watcher_that_streams_its_list_tells_each_change() {
    watcher_tells(watcher::Config::default().streaming_lists()).await;
}

#[tokio::test]
async fn a_reflector_holds_what_is_there_through_a_cut_and_a_restart() {
    let mut server = server(20).await;
    let mut relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], server.port())));
    let api = clusters(&relay.https()).await;
    let writer = reflector::store::Writer::new(resource());
    let reader = writer.as_reader();
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let reflected = reflector(writer, events).for_each(async |_| ());
    let follow = async {
        timeout(LIMIT, reader.wait_until_ready())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(reader.len(), 20);
        relay.down().await;
        relabel(&server, "kube-1", "away").await;
        delete(&server, "kube-2").await;
        server.kill().await;
        server.start_again().await;
        relay.up();
        create(&server, &cluster("kube-late", "kube", 20)).await;
        let state = || {
            let objects = reader.state();
            objects
                .iter()
                .map(|object| (object.name_any(), object.labels()["value"].clone()))
                .collect::<BTreeSet<_>>()
        };
        let mut want: BTreeSet<(String, String)> = (0..20)
            .map(|n| (format!("kube-{n}"), n.to_string()))
            .collect();
        want.remove(&("kube-2".to_owned(), "2".to_owned()));
        want.remove(&("kube-1".to_owned(), "1".to_owned()));
        want.insert(("kube-1".to_owned(), "away".to_owned()));
        want.insert(("kube-late".to_owned(), "20".to_owned()));
        until("the reflector holds what is there", LIMIT, async || {
            check(state() == want, || format!("{:?}", state()))
        })
        .await;
    };
    tokio::select! {
        () = reflected => panic!("the watcher has ended"),
        () = follow => {}
    }
}

/// Who has been reconciled.
#[derive(Debug)]
struct Seen {
    api: Api<DynamicObject>,
    names: Mutex<BTreeSet<String>>,
}

#[tokio::test]
async fn a_controller_reaches_five_hundred_clusters_and_writes_each_ones_status() {
    const COUNT: usize = 500;
    let server = server(COUNT).await;
    let api = clusters(&server.url()).await;
    let seen = Arc::new(Seen {
        api: api.clone(),
        names: Mutex::default(),
    });
    let controller = Controller::new_with(api.clone(), watcher::Config::default(), resource());
    let runs = controller.run(
        reconcile,
        |_, error, _| panic!("{error}"),
        Arc::clone(&seen),
    );
    let all = runs.try_for_each(async |_| Ok(()));
    let reached = async {
        until("every cluster is reconciled", LIMIT, async || {
            let seen = seen.names.lock().len();
            check(seen == COUNT, || format!("{seen} of {COUNT}"))
        })
        .await;
    };
    tokio::select! {
        ended = all => panic!("the controller has ended: {ended:?}"),
        () = reached => {}
    }
    let list = api.list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), COUNT);
    for object in &list.items {
        assert_eq!(
            object.data["status"]["kubernetesVersion"], "v1.36.3",
            "{object:?}"
        );
    }
}

/// Writes the status, which wakes the controller again.
async fn reconcile(object: Arc<DynamicObject>, seen: Arc<Seen>) -> Result<Action, kube::Error> {
    let name = object.name_any();
    let status = json!({"status": {"kubernetesVersion": "v1.36.3"}});
    let params = PatchParams::apply("controller");
    if object.data["status"]["kubernetesVersion"] != "v1.36.3" {
        seen.api
            .patch_status(&name, &params, &Patch::Merge(status))
            .await?;
    } else {
        seen.names.lock().insert(name);
    }
    Ok(Action::await_change())
}
