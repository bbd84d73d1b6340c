//! The Python client: lists in pages, and a watch that goes on where it was cut.

use std::{net::SocketAddr, time::Duration};

use fleetgate_tests::{
    clients::Client,
    command::Running,
    relay::Relay,
    server::{Server, ServerSpec},
};
use serde_json::{Value, json};

use super::{cluster, create, delete, kubeconfig, relabel};

const LIMIT: Duration = Duration::from_secs(60);

/// A server with five clusters python-0 and following.
async fn server() -> Server {
    let server = ServerSpec::default().start().await;
    for number in 0..5 {
        let name = format!("python-{number}");
        create(&server, &cluster(&name, "python", number)).await;
    }
    server
}

async fn line(running: &mut Running) -> Value {
    serde_json::from_str(&running.line(LIMIT).await).unwrap()
}

#[tokio::test]
async fn a_list_comes_in_pages_of_one_version() {
    let server = server().await;
    let Some(python) = Client::Python
        .needed_by("Python pages", kubeconfig(&server.url()))
        .await
    else {
        return;
    };
    let mut running = python.words("pages group=python 2").start();
    let mut pages = vec![line(&mut running).await];
    // What happens meanwhile is no part of that version.
    create(&server, &cluster("python-20", "python", 20)).await;
    delete(&server, "python-3").await;
    for _ in 0..2 {
        running.write(b"\n").await;
        pages.push(line(&mut running).await);
    }
    running.close_stdin();
    let output = running.finish().await;
    assert!(output.status.success(), "{output:#?}");
    let names: Vec<&Value> = pages.iter().map(|page| &page["page"]).collect();
    assert_eq!(
        json!(names),
        json!([
            ["python-0", "python-1"],
            ["python-2", "python-3"],
            ["python-4"]
        ])
    );
    // How many are left is told only of lists without a selector.
    assert!(
        pages.iter().all(|page| page["remaining"].is_null()),
        "{pages:?}"
    );
    assert!(
        pages
            .iter()
            .all(|page| page["version"] == pages[0]["version"]),
        "{pages:?}"
    );
}

#[tokio::test]
async fn a_watch_that_is_cut_goes_on_from_the_last_version_it_saw() {
    let server = server().await;
    let mut relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], server.port())));
    let Some(python) = Client::Python
        .needed_by("a Python watch", kubeconfig(&relay.https()))
        .await
    else {
        return;
    };
    let mut running = python.words("watch group=python").start();
    let listed = line(&mut running).await;
    assert_eq!(listed["listed"].as_array().unwrap().len(), 5, "{listed}");
    assert_eq!(
        line(&mut running).await,
        json!({"watching": listed["version"]})
    );

    let version = relabel(&server, "python-3", "first").await;
    let event = |value: &str, version: &str| json!({"event": "MODIFIED", "name": "python-3", "value": value, "version": version});
    assert_eq!(line(&mut running).await, event("first", &version));

    relay.down().await;
    let second = relabel(&server, "python-3", "second").await;
    let last = relabel(&server, "python-3", "last").await;
    relay.up();
    let cut = line(&mut running).await;
    assert_eq!(cut["at"], *version, "{cut}");
    // It may have to try more than once.
    let mut next = line(&mut running).await;
    while next.get("event").is_none() {
        next = line(&mut running).await;
    }
    assert_eq!(next, event("second", &second));
    assert_eq!(line(&mut running).await, event("last", &last));
    let output = running.finish().await;
    assert!(output.status.success(), "{output:#?}");
}
