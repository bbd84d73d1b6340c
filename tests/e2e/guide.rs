//! The steps of the user guide: two clusters through one address, as oneself, with plain kubectl.
//!
//! What is done to member1 is done three ways: through the host by a certificate, as the guide has
//! it, and at the server itself by a token and by a certificate.

mod clusters;
mod objects;
mod pods;

use std::sync::atomic::{AtomicUsize, Ordering};

use fleetgate_tests::{
    Credential, Kubectl, fleet, proxy_path,
    wait::{SOON, check, until},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The user of the certificate.
const USER: &str = "guide";

/// How member1 is reached, and by what the caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    HostByCertificate,
    ServerByCertificate,
    ServerByToken,
}

/// Makes each of these functions of a [`Way`] three tests.
macro_rules! each_way {
    ($($name:ident),+ $(,)?) => {
        mod through_the_host_by_certificate {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::guide::Way::HostByCertificate).await;
            })+
        }
        mod at_the_server_by_certificate {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::guide::Way::ServerByCertificate).await;
            })+
        }
        mod at_the_server_by_token {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::guide::Way::ServerByToken).await;
            })+
        }
    };
}
use each_way;

// === impl Way ===

impl Way {
    /// kubectl with a kubeconfig whose server is member1 behind the proxy.
    async fn member1(self) -> Kubectl {
        self.kubectl(&proxy_path("member1")).await
    }

    /// kubectl with a kubeconfig whose server is the host or the server.
    async fn root(self) -> Kubectl {
        self.kubectl("").await
    }

    async fn kubectl(self, path: &str) -> Kubectl {
        let base = match self {
            Self::HostByCertificate => &fleet().host_url,
            Self::ServerByCertificate | Self::ServerByToken => &fleet().server_url,
        };
        self.credential().await.kubectl(&format!("{base}{path}"))
    }

    async fn credential(self) -> &'static Credential {
        static CERTIFICATE: OnceCell<Credential> = OnceCell::const_new();
        static TOKEN: OnceCell<Credential> = OnceCell::const_new();
        match self {
            Self::HostByCertificate | Self::ServerByCertificate => {
                CERTIFICATE.get_or_init(certificate_with_rights).await
            }
            Self::ServerByToken => TOKEN.get_or_init(async || fleet().admin()).await,
        }
    }

    /// Who the member must see.
    fn user(self) -> &'static str {
        match self {
            Self::HostByCertificate | Self::ServerByCertificate => USER,
            Self::ServerByToken => "system:serviceaccount:default:admin",
        }
    }
}

/// The guide's second step, for a user of our own: at the host the right to `clusters/proxy`, at the
/// member the rights of a cluster administrator.
async fn certificate_with_rights() -> Credential {
    let rbac = "rbac.authorization.k8s.io/v1";
    let role = json!({
        "apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": "guide-cluster-proxy"},
        "rules": [{
            "apiGroups": ["cluster.karmada.io"], "resources": ["clusters/proxy"],
            "resourceNames": ["member1"], "verbs": ["*"],
        }],
    });
    let host = fleet().host();
    host.apply(&role).await;
    host.apply(&binding("guide-cluster-proxy", USER)).await;
    fleet()
        .member(1)
        .apply(&binding("cluster-admin", USER))
        .await;
    let credential = Credential::certificate_of(USER, None);
    for base in [&fleet().host_url, &fleet().server_url] {
        let member1 = credential.kubectl(&format!("{base}{}", proxy_path("member1")));
        until("the guide's user may reach member1", SOON, async || {
            let output = member1.call("get --raw /api/v1/nodes").output().await;
            check(output.status.success(), || output.stderr)
        })
        .await;
    }
    credential
}

/// A ClusterRoleBinding of `role` to `user`.
fn binding(role: &str, user: &str) -> Value {
    let rbac = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("{role}-of-{user}")},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": rbac, "name": user}],
    })
}

/// A new namespace of member1, so that tests do not meet.
async fn namespace() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("guide-{}-{number}", std::process::id());
    let create = format!("create namespace {name}");
    fleet().member(1).ok(&create).await;
    name
}

/// kubectl at member1 both ways: behind the proxy, and directly, in a namespace of their own.
async fn both(way: Way) -> (Kubectl, Kubectl) {
    let namespace = namespace().await;
    let proxied = way.member1().await.in_namespace(&namespace);
    let direct = fleet().member(1).in_namespace(&namespace);
    (proxied, direct)
}
