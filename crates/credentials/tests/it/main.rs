//! Secrets at a host: which are read, when, and what becomes of a change.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fleetgate_credentials::{HostSecrets, PlainHttp, Secrets, watch};
use fleetgate_model::{
    ClusterName, CredentialsError, Member, ResolveCredentials, SecretRef, Settings,
};
use fleetgate_testkit::{Call, FakeHost};
use serde_json::{Value, json};
use tokio::{sync::watch::Sender, task::JoinSet, time::timeout};

/// Longer than anything here takes; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

type Members = Arc<HashMap<ClusterName, Arc<Member>>>;

/// Secrets of a fake host that are being watched.
struct Watched {
    host: FakeHost,
    secrets: Arc<Secrets<HostSecrets>>,
    members: Sender<Members>,
    /// Aborted when dropped.
    _task: JoinSet<()>,
}

impl Watched {
    /// Watches for `members` at `host` and waits until the namespace was read.
    async fn start(host: FakeHost, members: &[&Arc<Member>]) -> Self {
        let reader = HostSecrets::new(host.client(), {
            let client = host.client();
            move || client.clone()
        });
        let secrets = Arc::new(Secrets::new(reader.clone(), PlainHttp::Refuse));
        let (sender, receiver) = tokio::sync::watch::channel(map(members));
        let (synced, mut is_synced) = tokio::sync::watch::channel(false);
        let told = move |_: &str| {
            synced.send_replace(true);
        };
        let shared = Arc::new(told);
        let run = watch(Arc::clone(&secrets), reader, receiver, move |ns: &str| {
            shared(ns)
        });
        let mut task = JoinSet::new();
        task.spawn(run);
        if !members.is_empty() {
            let wait = timeout(PATIENCE, is_synced.wait_for(|synced| *synced)).await;
            assert!(*wait.expect("in time").expect("the watch runs"));
        }
        Self {
            host,
            secrets,
            members: sender,
            _task: task,
        }
    }

    async fn token(&self, member: &Arc<Member>) -> Result<String, CredentialsError> {
        let found = self.secrets.resolve_credentials(member).await?;
        Ok(found.authorization.to_str().expect("ASCII").to_owned())
    }

    /// Waits until `member` is presented `want`; each wrong answer before it must be `old`.
    async fn until_token(&self, member: &Arc<Member>, old: &str, want: &str) {
        let wait = async {
            loop {
                match self
                    .token(member)
                    .await
                    .expect("never without a token")
                    .as_str()
                {
                    token if token == want => return,
                    token => assert_eq!(token, old),
                }
                tokio::task::yield_now().await;
            }
        };
        let seen = timeout(PATIENCE, wait).await;
        assert!(
            seen.is_ok(),
            "the change is not seen: {:?}",
            self.host.calls()
        );
    }

    /// Reads of single secrets at the host.
    fn reads(&self) -> usize {
        self.host.count("get", "secrets")
    }
}

fn map(members: &[&Arc<Member>]) -> Members {
    let pair = |member: &&Arc<Member>| (member.name.clone(), Arc::clone(member));
    Arc::new(members.iter().map(pair).collect())
}

fn member(name: &str) -> Arc<Member> {
    let secret = |name: String| {
        Some(SecretRef {
            namespace: "karmada-cluster".to_owned(),
            name,
        })
    };
    Arc::new(Member {
        name: ClusterName::parse(name).expect("a name"),
        uid: format!("uid of {name}"),
        endpoint: "https://member".to_owned(),
        secret: secret(name.to_owned()),
        impersonator_secret: secret(format!("{name}-impersonator")),
        insecure_skip_tls_verification: false,
        forward_proxy: None,
        settings: Ok(Settings::default()),
    })
}

fn secret(name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {}, "data": data,
        "metadata": {"name": name, "namespace": "karmada-cluster"},
    })
}

/// `a`, `b` and `c` in base64 are distinct tokens; a host stores data so.
const TOKEN_A: &str = "YQ==";
const TOKEN_B: &str = "Yg==";
const CA: &str = "Y2E=";

fn put(host: &FakeHost, cluster: &str, token: &str) {
    host.put(
        "secrets",
        secret(cluster, &json!({"caBundle": CA, "token": token})),
    );
    let name = format!("{cluster}-impersonator");
    host.put("secrets", secret(&name, &json!({"token": token})));
}

#[tokio::test]
async fn a_change_at_the_host_is_used_without_a_failed_request() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let m1 = member("m1");
    let watched = Watched::start(host, &[&m1]).await;
    assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
    put(&watched.host, "m1", TOKEN_B);
    watched.until_token(&m1, "bearer a", "bearer b").await;
}

#[tokio::test]
async fn a_change_while_no_watch_was_open_is_seen() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let m1 = member("m1");
    let watched = Watched::start(host, &[&m1]).await;
    assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
    put(&watched.host, "m1", TOKEN_B);
    watched.host.compact();
    watched.host.end_watches();
    watched.until_token(&m1, "bearer a", "bearer b").await;
}

#[tokio::test]
async fn thousands_of_unrelated_secrets_are_never_read() {
    let host = FakeHost::new();
    for i in 0..5000 {
        host.put(
            "secrets",
            secret(&format!("unrelated-{i}"), &json!({"token": TOKEN_B})),
        );
    }
    put(&host, "m1", TOKEN_A);
    let m1 = member("m1");
    let watched = Watched::start(host, &[&m1]).await;
    for _ in 0..100 {
        assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
    }
    assert_eq!(
        watched.reads(),
        2,
        "secret and impersonator secret, once each"
    );
    let whole = |call: &Call| call.verb == "list" && !call.accept.contains("PartialObjectMetadata");
    assert!(
        !watched.host.calls().iter().any(whole),
        "only metadata is listed"
    );
}

#[tokio::test]
async fn a_deleted_secret_is_not_presented_again() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let m1 = member("m1");
    let watched = Watched::start(host, &[&m1]).await;
    assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
    watched
        .host
        .delete("secrets", "karmada-cluster", "m1-impersonator");
    let gone = async {
        while watched.token(&m1).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the deletion is seen");
    let missing = watched.token(&m1).await;
    assert!(
        matches!(missing, Err(CredentialsError::NotFound(_))),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_cluster_that_comes_later_is_served_at_once() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let m1 = member("m1");
    let watched = Watched::start(host, &[]).await;
    watched.members.send_replace(map(&[&m1]));
    assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
}

#[tokio::test]
async fn the_token_of_another_cluster_is_refused() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let mut thief = Member::clone(&member("thief"));
    thief.secret = None;
    thief.impersonator_secret = member("m1").impersonator_secret.clone();
    let thief = Arc::new(thief);
    let watched = Watched::start(host, &[&thief]).await;
    let refused = watched.token(&thief).await;
    assert!(
        matches!(refused, Err(CredentialsError::NotOwned(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_host_that_is_away_does_not_take_what_is_held() {
    let host = FakeHost::new();
    put(&host, "m1", TOKEN_A);
    let (m1, m2) = (member("m1"), member("m2"));
    let watched = Watched::start(host, &[&m1, &m2]).await;
    assert_eq!(watched.token(&m1).await.expect("a token"), "bearer a");
    watched.host.fail_with(Some(503));
    watched.host.end_watches();
    assert_eq!(watched.token(&m1).await.expect("held"), "bearer a");
    let unread = watched.token(&m2).await;
    assert!(
        matches!(unread, Err(CredentialsError::Unavailable { .. })),
        "{unread:?}"
    );
}

#[tokio::test]
async fn a_reference_that_would_name_another_secret_asks_for_none() {
    let host = FakeHost::new();
    let m1 = Arc::new(Member {
        impersonator_secret: Some(SecretRef {
            namespace: "a/../kube-system/secrets/admin-token?".to_owned(),
            name: "m1-impersonator".to_owned(),
        }),
        secret: None,
        ..Member::clone(&member("m1"))
    });
    let watched = Watched::start(host, &[]).await;
    watched.members.send_replace(map(&[&m1, &member("m2")]));
    watched.host.wait("list", "secrets", 1).await;
    let refused = watched.token(&m1).await;
    assert!(
        matches!(refused, Err(CredentialsError::NotFound(_))),
        "{refused:?}"
    );
    let calls = watched.host.calls();
    let is_other = |call: &&Call| call.namespace != "karmada-cluster";
    assert_eq!(calls.iter().find(is_other), None);
}
