//! Who may reach which member, as RBAC at the host says, and who may do what there.

use std::time::Duration;

use fleetgate_tests::{
    Credential, fleet,
    http::Client,
    proxy_path,
    wait::{SOON, check, until},
};
use serde_json::{Value, json};

const RBAC: &str = "rbac.authorization.k8s.io";

/// The guide's ClusterRole: the proxy of the clusters named.
fn role(name: &str, clusters: &[&str]) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{
            "apiGroups": ["cluster.karmada.io"], "resources": ["clusters/proxy"],
            "resourceNames": clusters, "verbs": ["*"],
        }],
    })
}

/// The guide's ClusterRoleBinding of `role` to `user`.
fn binding(role: &str, user: &str) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{role}-{user}")},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": RBAC, "name": user}],
    })
}

/// A user of a certificate, and the two ways to be served: by the host, by the server.
fn user(name: &str) -> [(&'static str, Client); 2] {
    let credential = Credential::certificate_of(name, None);
    [
        ("host", fleet().at_host(&credential)),
        ("server", fleet().at_server(&credential)),
    ]
}

async fn reaches(client: &Client, path: &str, limit: Duration) -> Duration {
    let (_, after) = until(path, limit, async || {
        let reply = client.get(path).await;
        check(reply.status == 200, || reply.to_string())
    })
    .await;
    after
}

#[tokio::test]
async fn a_role_with_resource_names_opens_the_clusters_named_and_no_other() {
    let name = "access-named";
    let host = fleet().host();
    host.apply(&role(name, &["member1"])).await;
    host.apply(&binding(name, name)).await;
    fleet()
        .member(1)
        .apply(&binding("cluster-admin", name))
        .await;
    fleet()
        .member(2)
        .apply(&binding("cluster-admin", name))
        .await;
    for (at, client) in user(name) {
        let nodes = |cluster: &str| proxy_path(cluster) + "/api/v1/nodes";
        reaches(&client, &nodes("member1"), SOON).await;
        for cluster in ["member2", "nosuch", "*"] {
            let refused = client.get(&nodes(cluster)).await.expect(403);
            let want = format!(
                "clusters.cluster.karmada.io {cluster:?} is forbidden: User {name:?} cannot get \
                 resource \"clusters/proxy\" in API group \"cluster.karmada.io\" at the cluster scope"
            );
            assert_eq!(refused.message(), want, "{at}");
            let status = refused.json();
            assert_eq!(status["kind"], "Status", "{at}");
            assert_eq!(status["reason"], "Forbidden", "{at}");
            assert_eq!(status["details"]["group"], "cluster.karmada.io", "{at}");
            assert_eq!(status["details"]["kind"], "clusters", "{at}");
            assert_eq!(status["details"]["name"], cluster, "{at}");
        }
        // The right to a member's proxy is no right to the Cluster.
        let cluster = format!("{}/member1", fleetgate_tests::CLUSTERS);
        client.get(&cluster).await.expect(403);
    }
}

#[tokio::test]
async fn kubectl_prints_the_rule_that_is_missing() {
    let name = "access-printed";
    for base in [&fleet().host_url, &fleet().server_url] {
        let member2 = format!("{base}{}", proxy_path("member2"));
        let kubectl = Credential::certificate_of(name, None).kubectl(&member2);
        let refused = kubectl.fails("get --raw /api/v1/nodes").await;
        let want = format!(
            "Error from server (Forbidden): clusters.cluster.karmada.io \"member2\" is forbidden: \
             User {name:?} cannot get resource \"clusters/proxy\" in API group \
             \"cluster.karmada.io\" at the cluster scope"
        );
        assert_eq!(refused.trim(), want);
    }
}

#[tokio::test]
async fn a_verb_that_is_not_granted_is_refused() {
    let name = "access-reader";
    let mut reader = role(name, &["member1"]);
    reader["rules"][0]["verbs"] = json!(["get"]);
    let host = fleet().host();
    host.apply(&reader).await;
    host.apply(&binding(name, name)).await;
    fleet()
        .member(1)
        .apply(&binding("cluster-admin", name))
        .await;
    let path = proxy_path("member1") + "/api/v1/namespaces/default/configmaps";
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "access-unwanted"},
    });
    for (at, client) in user(name) {
        reaches(&client, &path, SOON).await;
        let refused = client.post(&path, &object).await.expect(403);
        let want = format!("User {name:?} cannot create resource \"clusters/proxy\"");
        assert!(refused.message().contains(&want), "{at}: {refused}");
        let refused = client.delete(&path).await.expect(403);
        let want = format!("User {name:?} cannot delete resource \"clusters/proxy\"");
        assert!(refused.message().contains(&want), "{at}: {refused}");
    }
}

#[tokio::test]
async fn an_added_binding_works_within_15_seconds() {
    const LIMIT: Duration = Duration::from_secs(15);
    let name = "access-added";
    let host = fleet().host();
    host.ok(&format!(
        "delete clusterrolebinding {name}-{name} --ignore-not-found"
    ))
    .await;
    host.apply(&role(name, &["member1"])).await;
    fleet()
        .member(1)
        .apply(&binding("cluster-admin", name))
        .await;
    let path = proxy_path("member1") + "/version";
    let ways = user(name);
    for (at, client) in &ways {
        // Refused first, so that the refusal is what is remembered.
        until(at, SOON, async || {
            let reply = client.get(&path).await;
            check(reply.status == 403, || reply.to_string())
        })
        .await;
    }
    host.apply(&binding(name, name)).await;
    let [(_, through_host), (_, at_server)] = &ways;
    tokio::join!(
        reaches(through_host, &path, LIMIT),
        reaches(at_server, &path, LIMIT)
    );
    host.ok(&format!("delete clusterrolebinding {name}-{name}"))
        .await;
    for (at, client) in &ways {
        until(at, LIMIT, async || {
            let reply = client.get(&path).await;
            check(reply.status == 403, || reply.to_string())
        })
        .await;
    }
}

#[tokio::test]
async fn without_rights_at_the_member_the_answer_is_the_members_own() {
    let name = "access-powerless";
    let host = fleet().host();
    host.apply(&role(name, &["member1"])).await;
    host.apply(&binding(name, name)).await;
    for (at, client) in user(name) {
        let version = proxy_path("member1") + "/version";
        reaches(&client, &version, SOON).await;
        let refused = client
            .get(&(proxy_path("member1") + "/api/v1/nodes"))
            .await
            .expect(403);
        let want = format!(
            "nodes is forbidden: User {name:?} cannot list resource \"nodes\" in API group \"\" at \
             the cluster scope"
        );
        assert_eq!(refused.message(), want, "{at}");
    }
}

#[tokio::test]
async fn who_may_read_at_the_member_may_read_and_not_write() {
    let member1 = format!("{}{}", fleet().server_url, proxy_path("member1"));
    let kubectl = fleet().user().kubectl(&member1);
    kubectl.ok("get namespaces").await;
    let refused = kubectl.fails("create configmap access-user").await;
    let want = "configmaps is forbidden: User \"system:serviceaccount:default:user\" cannot create \
                resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert!(refused.contains(want), "{refused}");
    assert_eq!(
        kubectl
            .call("auth can-i create configmaps")
            .output()
            .await
            .stdout
            .trim(),
        "no"
    );
    assert_eq!(kubectl.ok("auth can-i list configmaps").await.trim(), "yes");
}

#[tokio::test]
async fn nobody_is_refused_before_anything_is_looked_up() {
    let client = fleet().at_server(&Credential::Anonymous);
    for cluster in ["member1", "nosuch"] {
        let refused = client
            .get(&(proxy_path(cluster) + "/version"))
            .await
            .expect(403);
        let want = format!(
            "clusters.cluster.karmada.io {cluster:?} is forbidden: User \"system:anonymous\" cannot \
             get resource \"clusters/proxy\""
        );
        assert!(refused.message().starts_with(&want), "{refused}");
    }
    let stranger = Credential::Token("nobody-knows-this".to_owned());
    let refused = fleet()
        .at_server(&stranger)
        .get(&(proxy_path("member1") + "/version"))
        .await
        .expect(401);
    assert_eq!(refused.message(), "Unauthorized");
}
