//! Endpoints, and what becomes of those who wait for one that is dead.

use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
};

use fleetgate_testkit::FakeMember;
use futures::future::join_all;

use super::*;
use crate::etcd::{
    client::Client,
    scripted::{answer, header},
    wire::etcdserverpb::{RangeRequest, RangeResponse, kv_client::KvClient},
};

/// An endpoint on a host that is not there, and how many connections to it were begun.
fn dead() -> (Endpoint, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let connect = move || {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            pending().await
        }
    };
    let endpoint = Endpoint {
        address: "http://dead".to_owned(),
        channel: channel(Uri::from_static("http://dead"), connect),
        failing: Mutex::new(None),
    };
    (endpoint, begun)
}

#[tokio::test]
async fn all_who_wait_for_a_dead_host_leave_it_together() {
    let script = |_: &_| {
        answer(&RangeResponse {
            header: header(9),
            ..RangeResponse::default()
        })
    };
    let etcd = FakeMember::plain().start(script).await;
    let live = Endpoint::new(&etcd.url(), &EtcdTls::default()).expect("an endpoint");
    let (dead, begun) = dead();
    // One after the other, two could have waited.
    let client = Client::new(vec![dead, live], 2 * CONNECT_TIMEOUT);
    let ranges = (0..20).map(|_| client.range(RangeRequest::default()));
    for result in join_all(ranges).await {
        assert!(result.is_ok(), "{result:?}");
    }
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_is_tried_again_after_a_rest() {
    let (dead, begun) = dead();
    let range = || async {
        let mut kv = KvClient::new(dead.channel.clone());
        kv.range(RangeRequest::default()).await.map(drop)
    };
    let since = Instant::now();
    for (rest, connects, seconds) in [(0, 1, 2), (0, 1, 2), (900, 1, 2), (100, 2, 5)] {
        time::advance(Duration::from_millis(rest)).await;
        let error = range().await.expect_err("nothing is there");
        assert_eq!(begun.load(Ordering::SeqCst), connects, "{error:?}");
        assert_eq!(since.elapsed().as_secs(), seconds, "{error:?}");
    }
}

#[test]
fn endpoints_are_hosts_and_ports() {
    #[track_caller]
    fn check(endpoint: &str, tls: &EtcdTls, want: Option<(&str, u16, bool)>) {
        let found = Target::parse(endpoint, tls).ok();
        let found = found
            .as_ref()
            .map(|(t, _)| (t.host.as_str(), t.port, t.tls.is_some()));
        assert_eq!(found, want, "{endpoint}");
    }
    let none = EtcdTls::default();
    let some = EtcdTls {
        ca: Some("ca.crt".into()),
        identity: None,
    };
    check(
        "http://127.0.0.1:2379",
        &some,
        Some(("127.0.0.1", 2379, false)),
    );
    check(
        "https://etcd-0.etcd.svc:2379/",
        &some,
        Some(("etcd-0.etcd.svc", 2379, true)),
    );
    check("https://[::1]:12379", &none, Some(("::1", 12379, true)));
    check("etcd:2379", &none, Some(("etcd", 2379, false)));
    check("etcd:2379", &some, Some(("etcd", 2379, true)));
    check("http://etcd", &none, Some(("etcd", 2379, false)));
    check("unix:///run/etcd.sock", &none, None);
    check("https://etcd:2379/path", &none, None);
    check("https://no_t a host", &none, None);
    check("", &none, None);
}
