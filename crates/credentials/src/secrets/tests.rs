//! Secrets are read once, used until they change, and never sent where they must not go.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use fleetgate_model::{
    ClusterName, CredentialsError, Member, Redacted, ResolveCredentials, SecretRef, Settings,
};
use parking_lot::Mutex;

use super::{Secrets, TIMEOUT};
use crate::{PlainHttp, ReadSecret, SecretData};

fn secret(name: &str) -> SecretRef {
    SecretRef {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
    }
}

fn member(endpoint: &str) -> Arc<Member> {
    Arc::new(Member {
        name: ClusterName::parse("m").expect("a name"),
        uid: "u".to_owned(),
        endpoint: endpoint.to_owned(),
        secret: None,
        impersonator_secret: Some(secret("m-impersonator")),
        insecure_skip_tls_verification: false,
        forward_proxy: None,
        settings: Ok(Settings::default()),
    })
}

/// A host with one secret whose token can be set, and the number of times it was read.
#[derive(Clone, Default)]
struct Host {
    token: Arc<Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
}

impl Host {
    fn set(&self, token: &str) {
        *self.token.lock() = Some(token.to_owned());
    }

    fn secrets(&self) -> Secrets<impl ReadSecret> {
        let host = self.clone();
        let read = move |_: &SecretRef| {
            host.reads.fetch_add(1, Ordering::Relaxed);
            let token = host.token.lock().clone();
            async move {
                tokio::task::yield_now().await;
                Ok(token.map(|token| SecretData {
                    token: Some(Redacted::new(token)),
                    ..SecretData::default()
                }))
            }
        };
        Secrets::new(read, PlainHttp::Refuse)
    }
}

#[track_caller]
fn token(found: Result<Arc<fleetgate_model::Credentials>, CredentialsError>) -> String {
    let found = found.expect("credentials");
    assert!(found.authorization.is_sensitive());
    found.authorization.to_str().expect("ASCII").to_owned()
}

#[tokio::test]
async fn a_hundred_requests_read_a_secret_once() {
    let host = Host::default();
    host.set("a");
    let (secrets, member) = (host.secrets(), member("https://m"));
    let requests = (0..100).map(|_| secrets.resolve_credentials(&member));
    for found in futures::future::join_all(requests).await {
        assert_eq!(token(found), "bearer a");
    }
    assert_eq!(host.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_rotated_token_is_used_by_the_next_request() {
    let host = Host::default();
    host.set("a");
    let (secrets, member) = (host.secrets(), member("https://m"));
    assert_eq!(
        token(secrets.resolve_credentials(&member).await),
        "bearer a"
    );
    host.set("b");
    secrets
        .refresh(&secret("m-impersonator"))
        .await
        .expect("the host answers");
    assert_eq!(
        token(secrets.resolve_credentials(&member).await),
        "bearer b"
    );
}

#[tokio::test]
async fn a_deleted_secret_is_not_used_again_and_a_new_one_is_found() {
    let host = Host::default();
    host.set("a");
    let (secrets, member) = (host.secrets(), member("https://m"));
    assert_eq!(
        token(secrets.resolve_credentials(&member).await),
        "bearer a"
    );
    *host.token.lock() = None;
    secrets.forget(&secret("m-impersonator"));
    let missing = secrets.resolve_credentials(&member).await;
    assert!(
        matches!(missing, Err(CredentialsError::NotFound(_))),
        "{missing:?}"
    );
    host.set("c");
    assert_eq!(
        token(secrets.resolve_credentials(&member).await),
        "bearer c"
    );
}

#[tokio::test]
async fn no_token_goes_over_plain_http() {
    let host = Host::default();
    host.set("a");
    let secrets = host.secrets();
    let refused = secrets.resolve_credentials(&member("HTTP://m")).await;
    assert!(
        matches!(refused, Err(CredentialsError::Plaintext)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_token_that_would_break_out_of_its_header_is_refused() {
    let host = Host::default();
    host.set("a\r\nImpersonate-User: root");
    let secrets = host.secrets();
    let refused = secrets.resolve_credentials(&member("https://m")).await;
    assert!(
        matches!(refused, Err(CredentialsError::MalformedToken(_))),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_holds_nobody_for_long() {
    let silent = |_: &SecretRef| {
        std::future::pending::<Result<Option<SecretData>, Box<dyn std::error::Error + Send + Sync>>>(
        )
    };
    let secrets = Secrets::new(silent, PlainHttp::Refuse);
    let member = member("https://m");
    let since = tokio::time::Instant::now();
    let asked = (0..5).map(|_| secrets.resolve_credentials(&member));
    for found in futures::future::join_all(asked).await {
        assert!(matches!(found, Err(CredentialsError::Unavailable { .. })));
    }
    assert!(secrets.refresh(&secret("m-impersonator")).await.is_err());
    assert_eq!(since.elapsed(), TIMEOUT * 2);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_a_secret_are_told_at_once_that_there_is_none() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reads);
    let read = move |_: &SecretRef| {
        counter.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            Ok(None)
        }
    };
    let secrets = Secrets::new(read, PlainHttp::Refuse);
    let member = member("https://m");
    let asked = (0..100).map(|_| secrets.resolve_credentials(&member));
    for found in futures::future::join_all(asked).await {
        assert!(matches!(found, Err(CredentialsError::NotFound(_))));
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_secret_that_changes_while_credentials_are_made_is_not_handed_out() {
    let (ca, token) = (secret("m"), secret("m-impersonator"));
    let (reached, mut is_reached) = tokio::sync::mpsc::channel(1);
    let (go_on, gate) = tokio::sync::watch::channel(false);
    let read = move |asked: &SecretRef| {
        let is_token = asked.name == "m-impersonator";
        let (reached, mut gate) = (reached.clone(), gate.clone());
        async move {
            if is_token {
                reached.send(()).await?;
                gate.wait_for(|open| *open).await?;
            }
            Ok(Some(SecretData {
                token: is_token.then(|| Redacted::new("t".to_owned())),
                ca_bundle: (!is_token).then(|| Arc::from(gate.borrow().to_string().as_bytes())),
                ..SecretData::default()
            }))
        }
    };
    let secrets = Secrets::new(read, PlainHttp::Refuse);
    let member = Arc::new(Member {
        secret: Some(ca.clone()),
        impersonator_secret: Some(token),
        ..Member::clone(&member("https://m"))
    });
    let rotate = async {
        is_reached.recv().await.expect("the token is read");
        go_on.send_replace(true);
        secrets.refresh(&ca).await.expect("the host answers");
    };
    let (found, ()) = tokio::join!(secrets.resolve_credentials(&member), rotate);
    let found = found.expect("credentials");
    assert_eq!(found.ca_bundle.as_deref(), Some(b"true".as_slice()));
}
