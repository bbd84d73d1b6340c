//! A host with thousands of secrets that no cluster refers to.

use fleetgate_tests::{
    connection::Caller,
    fleet,
    host_front::HostFront,
    http::Client,
    member::Member,
    proxy_path,
    registration::{Registration, encode, secret},
    server::{Server, ServerSpec},
    wait::{SOON, check, until},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const UNRELATED: usize = 5_000;
/// Bytes in each: together as much as a server has, so that holding them would show.
const SIZE: usize = 8 << 10;
const CREATORS: usize = 16;
/// A namespace of its own, so that no other server of the fleet has to look at them.
const NAMESPACE: &str = "memory";
const SECRETS: &str = "/api/v1/namespaces/memory/secrets";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_unrelated_secrets_are_neither_read_nor_held() {
    let (host, member) = (fleet().at_host(&fleet().admin()), Member::new(1).await);
    prepare(&host, &member).await;
    let few = observe(&member).await;
    fill(&host).await;
    let many = observe(&member).await;
    empty(&host).await;

    // Each of the cluster's two; anew, and no more than twice, if the list was read meanwhile.
    assert!((2..=6).contains(&many.reads.len()), "{:#?}", many.reads);
    let unrelated = |asked: &&String| asked.contains("unrelated");
    assert_eq!(many.reads.iter().find(unrelated), None);
    let ratio = many.rss_kib as f64 / few.rss_kib as f64;
    assert!(
        ratio < 1.4,
        "{} KiB, {} with few",
        many.rss_kib,
        few.rss_kib
    );
}

/// What a server came to.
#[derive(Clone, Debug)]
struct Observed {
    rss_kib: u64,
    /// What it asked for of single secrets.
    reads: Vec<String>,
}

/// Starts a server with one cluster whose secrets are in [`NAMESPACE`], and looks when it has seen
/// all that is there.
async fn observe(member: &Member) -> Observed {
    let front = HostFront::start().await;
    let mut server = ServerSpec::default().host(front.url()).start().await;
    let cluster = cluster(member);
    server.join(&cluster).await;
    let watches = |asked: &String| {
        asked.starts_with(&format!("GET {SECRETS}?")) && asked.contains("watch=true")
    };
    // The watch begins when the list has been read to its end.
    until("the secrets are watched", SOON, async || {
        check(front.asked().iter().any(watches), || {
            format!("{:#?}", front.asked())
        })
    })
    .await;
    for _ in 0..100 {
        request(&server, &cluster).await;
    }
    let own = format!("GET {SECRETS}/");
    let asked = front.asked().into_iter();
    let observed = Observed {
        rss_kib: server.process().usage().rss_kib,
        reads: asked.filter(|asked| asked.starts_with(&own)).collect(),
    };
    cluster.remove().await;
    observed
}

async fn request(server: &Server, cluster: &Registration) {
    let path = proxy_path(&cluster.name) + "/version";
    let reply = server.admin().get(&path).await.unwrap();
    assert_eq!(reply.status, 200, "{reply}");
}

fn cluster(member: &Member) -> Registration {
    let at = |name: &str| json!({"namespace": NAMESPACE, "name": name});
    Registration {
        token: member.token.clone(),
        spec: json!({
            "secretRef": at("memory"), "impersonatorSecretRef": at("memory-impersonator"),
        }),
        ..Registration::new("memory", member.url())
    }
}

/// The namespace, the server's right to read there, and the cluster's two secrets alone.
async fn prepare(host: &Client, member: &Member) {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let meta = json!({"name": NAMESPACE, "namespace": NAMESPACE});
    let roles = format!("/apis/{RBAC}/v1/namespaces/{NAMESPACE}");
    let role = json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": meta,
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}],
    });
    let binding = json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding", "metadata": meta,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAMESPACE},
        "subjects": [{
            "kind": "ServiceAccount", "namespace": "karmada-system",
            "name": "karmada-aggregated-apiserver",
        }],
    });
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    made(host, "/api/v1/namespaces", &namespace).await;
    made(host, &format!("{roles}/roles"), &role).await;
    made(host, &format!("{roles}/rolebindings"), &binding).await;
    empty(host).await;
    for mut secret in cluster(member).secrets() {
        secret["metadata"]["namespace"] = NAMESPACE.into();
        made(host, SECRETS, &secret).await;
    }
}

/// Makes `object` unless an earlier run has.
async fn made(host: &Client, path: &str, object: &Value) {
    let reply = host.post(path, object).await;
    let there = [StatusCode::CREATED, StatusCode::CONFLICT];
    assert!(there.contains(&reply.status), "{reply}");
}

async fn empty(host: &Client) {
    host.delete(SECRETS).await.expect(200);
}

async fn fill(host: &Client) {
    let mut creators = JoinSet::new();
    for creator in 0..CREATORS {
        let caller = Caller::new(&fleet().host_url, &fleet().admin());
        creators.spawn(async move {
            let mut connection = caller.connect().await.unwrap();
            for n in (creator..UNRELATED).step_by(CREATORS) {
                let data = json!({"data": encode(&"x".repeat(SIZE))});
                let mut secret = secret(&format!("unrelated-{n}"), &data);
                secret["metadata"]["namespace"] = NAMESPACE.into();
                let reply = connection
                    .send(Method::POST, SECRETS, &secret)
                    .await
                    .unwrap();
                assert_eq!(reply.status, 201, "{reply}");
            }
        });
    }
    creators.join_all().await;
    let page = host
        .get(&format!("{SECRETS}?limit=1"))
        .await
        .expect(200)
        .json();
    assert_eq!(page["metadata"]["remainingItemCount"], UNRELATED + 1);
}
