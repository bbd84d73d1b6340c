//! Members behind forward proxies (`spec.proxyURL`, `spec.proxyHeader`): requests, watches and
//! upgrades go through squid, dante and a CONNECT front, each with what it asks for.

mod front;
mod refused;

use std::time::Duration;

use fleetgate_testkit::{Answer, FakeMember, UpgradeScript, certs};
use fleetgate_tests::{
    Credential,
    connection::chunk,
    fleet,
    forward_proxy::{ForwardProxy, INSIDE, LOGIN, Serves, needed_by},
    member::Member,
    node::Node,
    proxy_path,
    registration::Registration,
    server::{Server, ServerSpec},
    wait::SOON,
};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How a proxy is named in `spec`.
#[derive(Clone, Debug)]
struct Way {
    /// The beginning of the names of the clusters behind it.
    name: &'static str,
    /// The members of `spec`.
    spec: Value,
    /// Whether the end of one direction leaves the other open. squid ends both; exec and
    /// port-forward tell the ends of their streams in frames.
    half_closes: bool,
}

#[tokio::test]
async fn squid_without_login() {
    let test = "squid_without_login";
    let Some(squid) = needed_by(test, "squid") else {
        return;
    };
    let proxy = ForwardProxy::squid(&squid, Serves::Anybody).await;
    let way = Way::new("squid", &proxy.url("http", ""));
    everything_passes(&ServerSpec::default().start().await, &way).await;
}

#[tokio::test]
async fn squid_with_user_and_password_over_tls() {
    let test = "squid_with_user_and_password_over_tls";
    let Some(squid) = needed_by(test, "squid") else {
        return;
    };
    let proxy = ForwardProxy::squid(&squid, Serves::User).await;
    let way = Way::new("squid-tls", &proxy.url("https", LOGIN));
    everything_passes(&ServerSpec::default().start().await, &way).await;
}

#[tokio::test]
async fn squid_with_a_proxy_header() {
    let test = "squid_with_a_proxy_header";
    let Some(squid) = needed_by(test, "squid") else {
        return;
    };
    let proxy = ForwardProxy::squid(&squid, Serves::Tenant).await;
    let mut way = Way::new("squid-header", &proxy.url("http", ""));
    way.spec["proxyHeader"] = json!({"X-Tenant": "fleet-a"});
    everything_passes(&ServerSpec::default().start().await, &way).await;
}

#[tokio::test]
async fn dante_without_login() {
    let test = "dante_without_login";
    let Some(dante) = needed_by(test, "danted") else {
        return;
    };
    let proxy = ForwardProxy::dante(&dante, Serves::Anybody).await;
    let way = Way::new("dante", &proxy.url("socks5", ""));
    everything_passes(&ServerSpec::default().start().await, &way).await;
}

#[tokio::test]
async fn dante_with_user_and_password() {
    let test = "dante_with_user_and_password";
    let Some(dante) = needed_by(test, "danted") else {
        return;
    };
    let proxy = ForwardProxy::dante(&dante, Serves::User).await;
    let way = Way::new("dante-user", &proxy.url("socks5", LOGIN));
    everything_passes(&ServerSpec::default().start().await, &way).await;
}

/// Requests, watches and upgrades reach members that only the proxy can look up.
async fn everything_passes(server: &Server, way: &Way) {
    let member = Member::new(1).await;
    let port = member.address().port();
    let cluster = way.to(port, &fleet().ca, &member.token);
    server.join(&cluster).await;
    request_and_watch_pass(server, &cluster).await;
    exec_passes(server, &cluster).await;
    cluster.remove().await;
    upgrade_passes(server, way).await;
}

/// A write through the proxy shows in a watch through it.
async fn request_and_watch_pass(server: &Server, cluster: &Registration) {
    let path = proxy_path(&cluster.name) + "/api/v1/namespaces/default/configmaps";
    let name = format!("through-{}", cluster.name);
    let own = format!("{path}/{name}");
    let gone = server.admin().send(Method::DELETE, &own, &json!({})).await;
    assert!(matches!(gone.unwrap().status.as_u16(), 200 | 404));
    let mut caller = server.admin().connect().await.unwrap();
    let query = format!("?watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = caller.watch(&(path.clone() + &query)).await.unwrap();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name}, "data": {"text": "x".repeat(100_000)},
    });
    server.change(Method::POST, &path, &object).await;
    let mut event = Vec::new();
    while !event.ends_with(b"\n") {
        let more = timeout(SOON, chunk(&mut watch)).await.expect("the event");
        event.extend_from_slice(&more.unwrap().expect("the watch goes on"));
    }
    let event: Value = serde_json::from_slice(&event).unwrap();
    assert_eq!(event["type"], "ADDED");
    assert_eq!(event["object"]["data"], object["data"]);
    server.change(Method::DELETE, &own, &json!({})).await;
}

/// Where member1 has a node, kubectl exec works through the proxy.
async fn exec_passes(server: &Server, cluster: &Registration) {
    let Some(node) = Node::needed_by(&format!("exec through {}", cluster.name)) else {
        return;
    };
    let pod = cluster.name.clone();
    node.run(&node.pod(&pod, "sleep 600")).await;
    let at = server.url() + &proxy_path(&cluster.name);
    let kubectl = Credential::kubectl(&fleet().admin(), &at);
    let exec = kubectl
        .call(&format!("exec -i {pod} -- sh -c"))
        .arg("cat; echo done");
    assert_eq!(
        exec.stdin("over the proxy\n").ok().await,
        "over the proxy\ndone\n"
    );
    let delete = format!("delete pod {pod} --force --wait=false");
    fleet().member(1).ok(&delete).await;
}

/// An upgraded connection carries bytes both ways.
async fn upgrade_passes(server: &Server, way: &Way) {
    let ca = certs::Ca::new(way.name);
    let leaf = ca.sign(&certs::server(&[INSIDE]));
    let member = FakeMember::tls(&leaf).start(|received| match received.header("upgrade") {
        "" => Answer::Echo,
        _ => Answer::Upgrade(UpgradeScript::EchoThen("and that is all".into())),
    });
    let member = member.await;
    // The bundle is for the proxy's certificate as well as for the member's, as in Go.
    let bundle = format!("{}{}", ca.pem(), fleet().ca);
    let mut cluster = way.to(member.address().port(), &bundle, "token");
    cluster.name += "-fake";
    server.join(&cluster).await;
    let path = proxy_path(&cluster.name) + "/api/v1/namespaces/n/pods/p/exec?command=cat";
    let mut caller = server.admin().connect().await.unwrap();
    let mut stream = caller.upgrade(&path, "SPDY/3.1").await.unwrap();
    stream.write_all(b"hello, ").await.unwrap();
    let mut heard = [0; 7];
    let read = timeout(SOON, stream.read_exact(&mut heard)).await;
    read.expect("an echo").unwrap();
    assert_eq!(&heard, b"hello, ");
    if way.half_closes {
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        let read = timeout(SOON, stream.read_to_string(&mut rest)).await;
        read.expect("the end of the stream").unwrap();
        assert_eq!(rest, "and that is all");
    }
    cluster.remove().await;
}

// === impl Way ===

impl Way {
    fn new(name: &'static str, url: &str) -> Self {
        Self {
            name,
            spec: json!({"proxyURL": url}),
            half_closes: url.starts_with("socks5:"),
        }
    }

    /// A member at `port`, behind the proxy.
    fn to(&self, port: u16, ca: &str, token: &str) -> Registration {
        Registration {
            ca: ca.to_owned(),
            token: token.to_owned(),
            spec: self.spec.clone(),
            ..Registration::new(self.name, &format!("https://{INSIDE}:{port}"))
        }
    }
}

/// Within what time a proxy's refusal is told.
const AT_ONCE: Duration = Duration::from_secs(5);
