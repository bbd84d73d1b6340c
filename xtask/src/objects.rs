//! What is put into the planes, as Kubernetes objects.

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::client::Client;

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_V1: &str = "rbac.authorization.k8s.io/v1";
/// Where the server's objects live, as in Karmada's manifests.
pub(crate) const SYSTEM: &str = "karmada-system";
/// Where the members' secrets live.
pub(crate) const CLUSTERS: &str = "karmada-cluster";
/// The server's service and its service account.
pub(crate) const SERVER: &str = "karmada-aggregated-apiserver";
/// The account by which the server acts on a member as somebody else.
pub(crate) const IMPERSONATOR: &str = "karmada-impersonator";

/// The server's objects and the accounts of the two callers, for the host.
pub(crate) fn host() -> Vec<Value> {
    let server = account_subject(SYSTEM, SERVER);
    let mut objects = vec![
        namespace(SYSTEM),
        namespace(CLUSTERS),
        account("default", "admin"),
        account("default", "user"),
        cluster_binding(
            "fleet-admin",
            "cluster-admin",
            &account_subject("default", "admin"),
        ),
        member1_role(),
        cluster_binding(
            "fleet-member1",
            "fleet-member1",
            &account_subject("default", "user"),
        ),
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": SERVER, "namespace": SYSTEM},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }),
    ];
    objects.extend(server_rights(&server));
    objects
}

/// What the server itself may do at the host, and no more: ask who somebody is and what they may
/// do, read how the host proxies, and read the members' secrets.
fn server_rights(server: &Value) -> Vec<Value> {
    vec![
        account(SYSTEM, SERVER),
        cluster_binding(
            "fleet-server-auth-delegator",
            "system:auth-delegator",
            server,
        ),
        json!({
            "apiVersion": RBAC_V1, "kind": "RoleBinding",
            "metadata": {"name": "fleet-server-auth-reader", "namespace": "kube-system"},
            "roleRef": {
                "apiGroup": RBAC, "kind": "Role",
                "name": "extension-apiserver-authentication-reader",
            },
            "subjects": [server],
        }),
        json!({
            "apiVersion": RBAC_V1, "kind": "Role",
            "metadata": {"name": "fleet-server-secrets", "namespace": CLUSTERS},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}],
        }),
        json!({
            "apiVersion": RBAC_V1, "kind": "RoleBinding",
            "metadata": {"name": "fleet-server-secrets", "namespace": CLUSTERS},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "fleet-server-secrets"},
            "subjects": [server],
        }),
    ]
}

fn member1_role() -> Value {
    json!({
        "apiVersion": RBAC_V1, "kind": "ClusterRole", "metadata": {"name": "fleet-member1"},
        "rules": [{
            "apiGroups": ["cluster.karmada.io"], "resources": ["clusters/proxy"],
            "resourceNames": ["member1"], "verbs": ["*"],
        }],
    })
}

/// The host's registration of the server. `port`: the server's. `ca`: PEM.
pub(crate) fn api_service(port: u16, ca: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1alpha1.cluster.karmada.io"},
        "spec": {
            "group": "cluster.karmada.io", "version": "v1alpha1",
            "groupPriorityMinimum": 2000, "versionPriority": 10,
            "caBundle": BASE64_STANDARD.encode(ca),
            "service": {"name": SERVER, "namespace": SYSTEM, "port": port},
        },
    })
}

/// The impersonator, the administrator, and in member1 the reader. The built-in role `view` is
/// filled by a controller that does not run here; its source is bound instead.
pub(crate) fn member(name: &str) -> Vec<Value> {
    let mut objects = vec![
        namespace(CLUSTERS),
        account(CLUSTERS, IMPERSONATOR),
        cluster_binding(
            IMPERSONATOR,
            "cluster-admin",
            &account_subject(CLUSTERS, IMPERSONATOR),
        ),
        cluster_binding(
            "fleet-admin",
            "cluster-admin",
            &account_subject("default", "admin"),
        ),
    ];
    if name == "member1" {
        let user = account_subject("default", "user");
        objects.extend([
            json!({
                "apiVersion": RBAC_V1, "kind": "ClusterRole", "metadata": {"name": "fleet-reader"},
                "rules": [{
                    "apiGroups": [""], "resources": ["namespaces", "nodes", "persistentvolumes"],
                    "verbs": ["get", "list", "watch"],
                }],
            }),
            cluster_binding("fleet-reader", "fleet-reader", &user),
            cluster_binding("fleet-view", "system:aggregate-to-view", &user),
        ]);
    }
    objects
}

/// A member's two secrets and its Cluster. `token`: of the member's impersonator. `ca`: PEM.
pub(crate) fn registration(name: &str, url: &str, token: &str, ca: &str) -> Vec<Value> {
    let impersonator = format!("{name}-impersonator");
    let (token, ca) = (BASE64_STANDARD.encode(token), BASE64_STANDARD.encode(ca));
    vec![
        secret(name, &json!({"token": token, "caBundle": ca})),
        secret(&impersonator, &json!({"token": token})),
        json!({
            "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": {"name": name},
            "spec": {
                "syncMode": "Push", "apiEndpoint": url,
                "secretRef": {"namespace": CLUSTERS, "name": name},
                "impersonatorSecretRef": {"namespace": CLUSTERS, "name": impersonator},
            },
        }),
    ]
}

/// Creates `objects` one after the other.
pub(crate) async fn create(client: &Client, objects: &[Value]) -> Result<()> {
    for object in objects {
        client
            .create(&collection(object)?, object)
            .await
            .with_context(|| {
                format!(
                    "create {} {}",
                    text(&object["kind"]),
                    text(&object["metadata"]["name"])
                )
            })?;
    }
    Ok(())
}

/// A token of a service account, good for a day.
pub(crate) async fn token(client: &Client, namespace: &str, account: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 86_400},
    });
    let reply = client
        .create(&path, &request)
        .await
        .context("request a token")?;
    Ok(reply["status"]["token"]
        .as_str()
        .context("the answer holds no token")?
        .to_owned())
}

/// The path that objects of this kind are posted to.
fn collection(object: &Value) -> Result<String> {
    let version = object["apiVersion"]
        .as_str()
        .context("an object without apiVersion")?;
    let kind = object["kind"].as_str().context("an object without kind")?;
    let root = if version.contains('/') {
        "/apis"
    } else {
        "/api"
    };
    let plural = format!("{}s", kind.to_ascii_lowercase());
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{version}/{plural}"),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("without a name")
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn account(namespace: &str, name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": namespace});
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
}

fn account_subject(namespace: &str, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
}

fn cluster_binding(name: &str, role: &str, subject: &Value) -> Value {
    json!({
        "apiVersion": RBAC_V1, "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    })
}

fn secret(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": name, "namespace": CLUSTERS, "labels": {"karmada.io/system": "true"},
        },
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{api_service, collection, member, registration};

    #[track_caller]
    fn check(object: &Value, want: &str) {
        assert_eq!(collection(object).unwrap(), want);
    }

    #[test]
    fn objects_are_posted_to_the_collection_of_their_kind() {
        let all = registration("m", "https://127.0.0.1:1", "t", "ca");
        check(&all[0], "/api/v1/namespaces/karmada-cluster/secrets");
        check(&all[2], "/apis/cluster.karmada.io/v1alpha1/clusters");
        check(
            &api_service(1, "ca"),
            "/apis/apiregistration.k8s.io/v1/apiservices",
        );
    }

    #[test]
    fn the_user_may_read_in_member1_only() {
        let names_user = |object: &Value| object["subjects"][0]["name"] == "user";
        assert!(member("member1").iter().any(names_user));
        assert!(!member("member2").iter().any(names_user));
    }
}
