//! In whose name a member is asked: checked at a member that records what it receives.

mod paths;
mod upgrades;

use fleetgate_testkit::Received;
use fleetgate_tests::{
    Credential, fleet,
    http::{Client, Reply},
    proxy_path,
    recorder::Recorder,
    wait::{SOON, check, until},
};
use http::Method;
use serde_json::{Value, json};

/// What only the front proxy may say.
const CLAIMS: [(&str, &str); 5] = [
    ("X-Remote-User", "system:admin"),
    ("X-Remote-Group", "system:masters"),
    ("x-remote-group", "devs"),
    ("X-Remote-Uid", "1"),
    ("X-Remote-Extra-Scopes", "all"),
];
const ADMIN: &str = "system:serviceaccount:default:admin";

/// A caller, the way it takes, and who it is.
struct Caller {
    at: &'static str,
    client: Client,
    name: &'static str,
    groups: &'static [&'static str],
}

/// A certificate's user with the right to the proxy of `cluster`, and the administrator's token.
async fn callers(cluster: &str, name: &'static str) -> [Caller; 4] {
    grant(name, &[cluster], &[]).await;
    let certificate = Credential::certificate_of(name, None);
    let at_host = |at, credential: &Credential| (at, fleet().at_host(credential));
    let at_server = |at, credential: &Credential| (at, fleet().at_server(credential));
    let (admin, account) = (
        fleet().admin(),
        &["system:serviceaccounts", "system:serviceaccounts:default"],
    );
    let callers = [
        (at_host("host by token", &admin), ADMIN, &account[..]),
        (at_server("server by token", &admin), ADMIN, &account[..]),
        (at_host("host by certificate", &certificate), name, &[]),
        (at_server("server by certificate", &certificate), name, &[]),
    ];
    let callers = callers.map(|((at, client), name, groups)| Caller {
        at,
        client,
        name,
        groups,
    });
    for caller in &callers {
        let version = proxy_path(cluster) + "/version";
        until(caller.at, SOON, async || {
            let reply = caller.client.get(&version).await;
            check(reply.status == 200, || reply.to_string())
        })
        .await;
    }
    callers
}

/// Gives user `name` the proxy of `clusters` and further rules.
async fn grant(name: &str, clusters: &[&str], rules: &[Value]) {
    let rbac = "rbac.authorization.k8s.io";
    let proxy = json!({
        "apiGroups": ["cluster.karmada.io"], "resources": ["clusters/proxy"],
        "resourceNames": clusters, "verbs": ["*"],
    });
    let rules: Vec<&Value> = std::iter::once(&proxy).chain(rules).collect();
    let host = fleet().host();
    host.apply(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
        "rules": rules,
    }))
    .await;
    host.apply(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "apiGroup": rbac, "name": name}],
    }))
    .await;
}

/// What a member may see of a caller: the name, the groups, our own credential, and no claim else.
#[track_caller]
fn check_identity(received: &Received, recorder: &Recorder, name: &str, groups: &[&str]) {
    let values = |header: &str| -> Vec<&str> {
        let all = received.headers.get_all(header).iter();
        all.map(|value| value.to_str().unwrap()).collect()
    };
    assert_eq!(
        values("authorization"),
        [format!("bearer {}", recorder.token())]
    );
    assert_eq!(values("impersonate-user"), [name]);
    assert_eq!(values("impersonate-group"), groups);
    let claims = |header: &&str| {
        let known = ["impersonate-user", "impersonate-group"];
        (header.starts_with("impersonate-") && !known.contains(header))
            || header.starts_with("x-remote-")
    };
    let headers = received.headers.keys().map(http::HeaderName::as_str);
    let claims: Vec<&str> = headers.filter(claims).collect();
    assert!(claims.is_empty(), "{claims:?}");
    let all = format!("{:?}", received.headers);
    assert!(
        !all.contains(&fleet().admin_token),
        "the caller's token: {all}"
    );
}

#[tokio::test]
async fn spoofed_front_proxy_headers_never_reach_a_member() {
    let recorder = Recorder::echo("identity-spoofed").await;
    let callers = callers("identity-spoofed", "identity-spoofer").await;
    for (number, caller) in callers.iter().enumerate() {
        let path = format!("/spoofed/{number}");
        let mut call = caller.client.call(Method::GET, &recorder.path(&path));
        for (name, value) in CLAIMS {
            call = call.header(name, value);
        }
        call.send().await.expect(200);
        check_identity(&recorder.only(&path), &recorder, caller.name, caller.groups);
    }
    recorder.remove().await;
}

/// Without a certificate of the front proxy the headers are worth nothing, whoever is named.
#[tokio::test]
async fn spoofed_front_proxy_headers_open_nothing() {
    let recorder = Recorder::echo("identity-unopened").await;
    for credential in [
        Credential::Anonymous,
        Credential::certificate_of("identity-stranger", None),
        // Of the host's client CA, which is not the front proxy's.
        Credential::certificate_of("front-proxy-client", None),
    ] {
        for client in [fleet().at_host(&credential), fleet().at_server(&credential)] {
            let mut call = client.call(Method::GET, &recorder.path("/unopened"));
            for (name, value) in CLAIMS {
                call = call.header(name, value);
            }
            let refused = call.send().await.expect(403);
            let named = refused.message().contains("system:admin");
            assert!(!named, "{refused}");
        }
    }
    assert!(recorder.all("/unopened").is_empty());
    recorder.remove().await;
}

#[tokio::test]
async fn an_impersonation_without_the_right_never_reaches_a_member() {
    let recorder = Recorder::echo("identity-refused").await;
    let callers = callers("identity-refused", "identity-pretender").await;
    let [_, _, host, server] = &callers;
    let own_name = ("Impersonate-User", "identity-pretender");
    let attempts: [(&[(&str, &str)], &str); 4] = [
        (
            &[("Impersonate-User", "system:admin")],
            "impersonate:user-info users",
        ),
        (
            &[("impersonate-user", ADMIN)],
            "impersonate:serviceaccount serviceaccounts",
        ),
        (
            &[own_name, ("Impersonate-Group", "system:masters")],
            "impersonate:user-info users",
        ),
        (
            &[own_name, ("Impersonate-Uid", "0")],
            "impersonate:user-info users",
        ),
    ];
    let path = recorder.path("/refused");
    for caller in [host, server] {
        for (headers, right) in attempts {
            let mut call = caller.client.call(Method::GET, &path);
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let refused = call.send().await.expect(403);
            check_refusal(caller.at, &refused, "identity-pretender", right);
        }
        // Groups of nobody.
        let call = caller.client.call(Method::GET, &path);
        let call = call.header("Impersonate-Group", "system:masters");
        let refused = call.send().await;
        assert!(!refused.status.is_success(), "{}: {refused}", caller.at);
    }
    assert!(recorder.all("/refused").is_empty());
    recorder.remove().await;
}

/// Both name the narrow right that lacks first (KEP-5284).
#[track_caller]
fn check_refusal(at: &str, refused: &Reply, user: &str, right: &str) {
    let (verb, resource) = right.split_once(' ').expect("a verb and a resource");
    let want = format!("User {user:?} cannot {verb} resource {resource:?}");
    assert!(refused.message().contains(&want), "{at}: {refused}");
}

/// The right to be one user is no right to be in any group.
#[tokio::test]
async fn each_impersonated_group_needs_its_own_right() {
    let recorder = Recorder::echo("identity-groups").await;
    let rules = [
        json!({
            "apiGroups": [""], "resources": ["users"], "resourceNames": ["identity-jane"],
            "verbs": ["impersonate"],
        }),
        json!({
            "apiGroups": [""], "resources": ["groups"], "resourceNames": ["identity-devs"],
            "verbs": ["impersonate"],
        }),
    ];
    grant("identity-jane", &["identity-groups"], &[]).await;
    grant("identity-deputy", &[], &rules).await;
    let deputy = Credential::certificate_of("identity-deputy", None);
    let clients = [
        ("host", fleet().at_host(&deputy)),
        ("server", fleet().at_server(&deputy)),
    ];
    for (at, client) in &clients {
        let as_jane = |path: &str, group: &str| {
            let call = client.call(Method::GET, &recorder.path(path));
            call.header("Impersonate-User", "identity-jane")
                .header("Impersonate-Group", group)
                .send()
        };
        let allowed = format!("/allowed/{at}");
        until("the deputy may", SOON, async || {
            let reply = as_jane(&allowed, "identity-devs").await;
            check(reply.status == 200, || reply.to_string())
        })
        .await;
        let received = recorder.only(&allowed);
        check_identity(&received, &recorder, "identity-jane", &["identity-devs"]);
        let refused = as_jane("/refused", "system:masters").await.expect(403);
        check_refusal(at, &refused, "identity-deputy", "impersonate groups");
    }
    assert!(recorder.all("/refused").is_empty());
    recorder.remove().await;
}

#[tokio::test]
async fn what_a_caller_shows_us_is_not_shown_to_a_member() {
    let recorder = Recorder::echo("identity-shown").await;
    let callers = callers("identity-shown", "identity-shower").await;
    for (number, caller) in callers.iter().enumerate() {
        let path = format!("/shown/{number}?watch=1");
        let call = caller.client.call(Method::POST, &recorder.path(&path));
        call.header("X-Custom", "kept")
            .header("Proxy-Authorization", "Basic c2VjcmV0")
            .body(r#"{"a": 1}"#)
            .send()
            .await
            .expect(200);
        let received = recorder.only(&path);
        check_identity(&received, &recorder, caller.name, caller.groups);
        assert_eq!(received.header("x-custom"), "kept", "{}", caller.at);
        assert_eq!(received.header("proxy-authorization"), "", "{}", caller.at);
        assert_eq!(&received.body()[..], br#"{"a": 1}"#, "{}", caller.at);
        let host = recorder.member().address().to_string();
        assert_eq!(received.host, host, "the member's own Host, {}", caller.at);
    }
    recorder.remove().await;
}
