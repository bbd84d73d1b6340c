//! Tests of trust that comes from the host and changes.

use std::{future::Future, time::Duration};

use fleetgate_model::{Authenticate, BearerToken, PeerCertificates};
use fleetgate_testkit::{
    FakeHost,
    certs::{self, Ca, chain},
};
use futures::FutureExt;
use http::Request;
use serde_json::json;

use crate::{Authenticator, Lookup, Metrics, Review, ReviewToken, TrustConfig};

fn config(lookup: Lookup) -> TrustConfig {
    let file_interval = Duration::from_secs(60);
    TrustConfig {
        client_ca_file: None,
        request_header: None,
        lookup,
        file_interval,
    }
}

type Made<R> = (
    Authenticator<R>,
    std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
);

async fn authenticator(config: TrustConfig) -> Made<impl ReviewToken> {
    let reviewer = |_: &BearerToken| std::future::ready(Ok(Review::Invalid));
    let ttl = Duration::from_secs(10);
    let made = Authenticator::new(config, reviewer, ttl, Metrics::default()).await;
    let (authenticator, keeper) = made.expect("usable");
    (authenticator, Box::pin(keeper.run()))
}

fn publish(host: &FakeHost, client_ca: &str, proxy_ca: &str, allowed: &str) {
    host.put(
        "configmaps",
        json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": { "namespace": "kube-system", "name": "extension-apiserver-authentication" },
            "data": {
                "client-ca-file": client_ca,
                "requestheader-client-ca-file": proxy_ca,
                "requestheader-allowed-names": allowed,
                "requestheader-username-headers": "[\"X-Remote-User\"]",
                "requestheader-group-headers": "[\"X-Remote-Group\"]",
                "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
            },
        }),
    );
}

/// Who calls through `peer` with the header of a front proxy.
async fn caller<R: ReviewToken>(
    authenticator: &Authenticator<R>,
    peer: &PeerCertificates,
) -> String {
    let request = Request::get("/")
        .header("X-Remote-User", "admin")
        .body(())
        .expect("valid");
    let (mut parts, ()) = request.into_parts();
    parts.extensions.insert(peer.clone());
    match authenticator.authenticate(&mut parts).await {
        Ok(user) => user.name,
        Err(error) => error.to_string(),
    }
}

/// Runs `keeper` until `caller` is `want`.
async fn until<R: ReviewToken>(made: &mut Made<R>, peer: &PeerCertificates, want: &str) {
    let (authenticator, keeper) = made;
    let waited = async {
        while caller(authenticator, peer).await != want {
            assert!(
                keeper.as_mut().now_or_never().is_none(),
                "the keeper never ends"
            );
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
    assert!(
        waited.is_ok(),
        "{} and not {want}",
        caller(authenticator, peer).await
    );
}

fn aggregator(ca: &Ca) -> PeerCertificates {
    PeerCertificates(chain(&ca.sign(&certs::client("aggregator", &[]))))
}

const INVALID: &str = "the presented credentials are not valid";

#[tokio::test]
async fn the_hosts_config_map_says_whom_to_trust_and_takes_effect_for_live_connections() {
    let (clients, old, new) = (Ca::new("clients"), Ca::new("old"), Ca::new("new"));
    let host = FakeHost::new();
    publish(&host, clients.pem(), old.pem(), "[\"aggregator\"]");
    let mut made = authenticator(config(Lookup::Require(host.client()))).await;
    let (by_old, by_new) = (aggregator(&old), aggregator(&new));
    assert!(!made.0.is_synced());
    assert_eq!(caller(&made.0, &by_old).await, "system:anonymous");
    until(&mut made, &by_old, "admin").await;
    assert!(made.0.is_synced());
    assert_eq!(caller(&made.0, &by_new).await, "system:anonymous");

    publish(&host, clients.pem(), new.pem(), "[\"aggregator\"]");
    until(&mut made, &by_new, "admin").await;
    assert_eq!(caller(&made.0, &by_old).await, "system:anonymous");

    publish(&host, clients.pem(), new.pem(), "[\"somebody else\"]");
    until(&mut made, &by_new, INVALID).await;
    publish(&host, clients.pem(), new.pem(), "");
    until(&mut made, &by_new, "admin").await;
    publish(&host, new.pem(), "", "");
    until(&mut made, &by_new, "aggregator").await;
}

#[tokio::test]
async fn what_cannot_be_used_changes_nothing() {
    let (clients, proxies) = (Ca::new("clients"), Ca::new("proxies"));
    let host = FakeHost::new();
    publish(&host, clients.pem(), proxies.pem(), "[]");
    let mut made = authenticator(config(Lookup::Require(host.client()))).await;
    let peer = aggregator(&proxies);
    until(&mut made, &peer, "admin").await;
    publish(&host, clients.pem(), proxies.pem(), "no JSON");
    publish(&host, clients.pem(), "no PEM", "[]");
    host.delete(
        "configmaps",
        "kube-system",
        "extension-apiserver-authentication",
    );
    // The bad ones have been seen once a later good one is.
    publish(&host, proxies.pem(), "no PEM", "[]");
    publish(&host, clients.pem(), proxies.pem(), "[\"nobody\"]");
    let (authenticator, keeper) = &mut made;
    let waited = async {
        loop {
            assert!(keeper.as_mut().now_or_never().is_none());
            let got = caller(authenticator, &peer).await;
            assert!(got == "admin" || got == INVALID, "{got}");
            if got == INVALID {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .expect("seen");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_up_is_waited_for() {
    let proxies = Ca::new("proxies");
    let host = FakeHost::new();
    host.fail_with(Some(503));
    publish(&host, "", proxies.pem(), "[]");
    let (authenticator, keeper) = authenticator(config(Lookup::Require(host.client()))).await;
    let recover = async {
        host.wait("list", "configmaps", 3).await;
        assert!(!authenticator.is_synced());
        host.fail_with(None);
        authenticator.synced().await;
    };
    tokio::select! {
        () = keeper => panic!("the keeper never ends"),
        recovered = tokio::time::timeout(Duration::from_secs(60), recover) => {
            recovered.expect("synced");
        }
    }
    assert_eq!(caller(&authenticator, &aggregator(&proxies)).await, "admin");
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_is_tolerated_where_the_operator_says_so() {
    let host = FakeHost::new();
    let (authenticator, keeper) = authenticator(config(Lookup::Tolerate(host.client()))).await;
    assert!(!authenticator.is_synced());
    tokio::select! {
        () = keeper => panic!("the keeper never ends"),
        synced = tokio::time::timeout(Duration::from_secs(60), authenticator.synced()) => {
            synced.expect("synced");
        }
    }
    assert_eq!(
        caller(&authenticator, &aggregator(&Ca::new("any"))).await,
        "system:anonymous"
    );
}

#[tokio::test]
async fn without_a_look_up_there_is_nothing_to_wait_for() {
    let (authenticator, _) = authenticator(config(Lookup::Skip)).await;
    assert!(authenticator.is_synced());
}

#[tokio::test(start_paused = true)]
async fn a_ca_file_is_followed() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ca.crt");
    std::fs::write(&path, old.pem()).expect("written");
    let config = TrustConfig {
        client_ca_file: Some(path.clone()),
        ..config(Lookup::Skip)
    };
    let mut made = authenticator(config).await;
    let peer = aggregator(&new);
    assert_eq!(caller(&made.0, &aggregator(&old)).await, "aggregator");
    assert_eq!(caller(&made.0, &peer).await, "system:anonymous");

    std::fs::write(&path, "").expect("written");
    tokio::time::timeout(Duration::from_secs(120), &mut made.1)
        .await
        .expect_err("runs on");
    assert_eq!(caller(&made.0, &aggregator(&old)).await, "aggregator");

    std::fs::write(&path, new.pem()).expect("written");
    tokio::time::timeout(Duration::from_secs(120), &mut made.1)
        .await
        .expect_err("runs on");
    assert_eq!(caller(&made.0, &peer).await, "aggregator");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_at_start_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ca.crt");
    let made = async |path: &std::path::Path| {
        let client_ca_file = Some(path.to_owned());
        let config = TrustConfig {
            client_ca_file,
            ..config(Lookup::Skip)
        };
        let reviewer = |_: &BearerToken| std::future::ready(Ok(Review::Invalid));
        let ttl = Duration::from_secs(10);
        let made = Authenticator::new(config, reviewer, ttl, Metrics::default()).await;
        made.err().expect("unusable").to_string()
    };
    assert!(made(&path).await.ends_with("ca.crt"));
    std::fs::write(&path, "no PEM").expect("written");
    assert!(made(&path).await.ends_with("ca.crt"));
}

#[tokio::test]
async fn a_watch_that_came_too_late_starts_anew() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let host = FakeHost::new();
    publish(&host, "", old.pem(), "");
    let mut made = authenticator(config(Lookup::Require(host.client()))).await;
    let (by_old, by_new) = (aggregator(&old), aggregator(&new));
    until(&mut made, &by_old, "admin").await;
    // Nobody runs the keeper meanwhile.
    host.end_watches();
    publish(&host, "", new.pem(), "");
    host.compact();
    until(&mut made, &by_new, "admin").await;
}
