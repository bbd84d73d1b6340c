//! A CONNECT front like that of apiserver-network-proxy, by which members in pull mode are reached.

use fleetgate_tests::{
    connect_front::ConnectFront, fleet, forward_proxy::INSIDE, member::Member, server::ServerSpec,
};
use serde_json::json;

use super::{Way, request_and_watch_pass};

#[tokio::test]
async fn a_connect_front_gets_the_members_name_the_login_and_each_header_and_few_connections() {
    let (server, member) = (ServerSpec::default().start().await, Member::new(1).await);
    let front = ConnectFront::start(member.address()).await;
    let mut way = Way::new("front", &format!("http://fleet:p%3Aw@{}", front.address()));
    way.spec["proxyHeader"] = json!({"X-Tenant": "fleet-a", "X-Zone": "one,two"});
    let cluster = way.to(6443, &fleet().ca, &member.token);
    server.join(&cluster).await;
    request_and_watch_pass(&server, &cluster).await;
    for _ in 0..50 {
        server.until_answers("front").await;
    }

    let heads = front.heads();
    assert!((1..=4).contains(&heads.len()), "{heads:#?}");
    for head in heads {
        let lines: Vec<&str> = head.trim_end().split("\r\n").collect();
        assert_eq!(lines[0], format!("CONNECT {INSIDE}:6443 HTTP/1.1"));
        let values = |name: &str| {
            let named = lines[1..].iter().filter_map(|line| line.split_once(": "));
            let named = named.filter(|(n, _)| n.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(values("host"), [format!("{INSIDE}:6443")], "{head}");
        // fleet:p:w
        assert_eq!(
            values("proxy-authorization"),
            ["Basic ZmxlZXQ6cDp3"],
            "{head}"
        );
        assert_eq!(values("x-tenant"), ["fleet-a"], "{head}");
        assert_eq!(values("x-zone"), ["one", "two"], "{head}");
        // What is for the member is not for the proxy.
        assert_eq!(values("authorization"), [""; 0], "{head}");
    }
    cluster.remove().await;
}
