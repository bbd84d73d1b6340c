//! etcd that speaks TLS and wants certificates.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fleetgate_storage::{
    Range, Store, StoreError,
    etcd::{EtcdConfig, EtcdConfigError, EtcdIdentity, EtcdStore, EtcdTls},
};
use fleetgate_testkit::certs::{self, Ca, Leaf};
use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use tempfile::TempDir;

use super::{
    config, events, keys,
    process::{Etcd, ServerTls},
    wait_until_ready,
};
use crate::contract::{Shared, create, in_time};

struct Fixture {
    ca: Ca,
    dir: TempDir,
    etcd: Etcd,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::new("etcd-ca");
        fs::write(dir.path().join("ca.crt"), ca.pem()).unwrap();
        let mut spec = certs::server(&["127.0.0.1", "localhost"]);
        // etcd shows it to itself, too.
        spec.usages = vec![ServerAuth, ClientAuth];
        let server = write_leaf(dir.path(), "server", &ca.sign(&spec));
        let etcd = Etcd::start_with_tls(&ServerTls {
            ca: &dir.path().join("ca.crt"),
            certificate: &server.certificate,
            key: &server.key,
        });
        Self { ca, dir, etcd }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn client(&self, name: &str, ca: &Ca) -> EtcdIdentity {
        write_leaf(
            self.dir.path(),
            name,
            &ca.sign(&certs::client("fleetgate", &[])),
        )
    }

    fn config(&self, url: String, identity: Option<EtcdIdentity>) -> EtcdConfig {
        let tls = EtcdTls {
            ca: Some(self.path("ca.crt")),
            identity,
        };
        // Long enough for an answer, and a refusal takes no less.
        let request_timeout = Duration::from_secs(3);
        EtcdConfig {
            tls,
            request_timeout,
            ..config(&[url])
        }
    }

    fn store(&self, identity: Option<EtcdIdentity>) -> Arc<EtcdStore> {
        Arc::new(EtcdStore::new(&self.config(self.etcd.url(), identity)).unwrap())
    }
}

fn write_leaf(dir: &Path, name: &str, leaf: &Leaf) -> EtcdIdentity {
    let certificate = dir.join(format!("{name}.crt"));
    let key = dir.join(format!("{name}.key"));
    fs::write(&certificate, &leaf.certificate_pem).unwrap();
    fs::write(&key, &leaf.key_pem).unwrap();
    EtcdIdentity { certificate, key }
}

/// All that an error has to say.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        told = format!("{told}: {error}");
        next = error.source();
    }
    told
}

async fn refusal(store: &EtcdStore) -> String {
    let result = in_time("a refusal", store.range(Range::key("a"))).await;
    let Err(error @ StoreError::Unavailable { .. }) = result else {
        panic!("{result:?}")
    };
    chain(&error)
}

#[tokio::test]
async fn a_client_certificate_opens_the_door() {
    let fixture = Fixture::new();
    let identity = fixture.client("client", &fixture.ca);
    let store = fixture.store(Some(identity.clone()));
    wait_until_ready(&*store).await;
    let store: Shared = store;
    let revision = create(&store, "/n/a", "1").await;
    let mut watch = store.watch("/n/".to_owned(), revision - 1);
    assert_eq!(keys(&events(&mut watch, 1).await), ["/n/a"]);

    // By name, and without a scheme.
    let url = fixture.etcd.url().replace("https://127.0.0.1", "localhost");
    let by_name = EtcdStore::new(&fixture.config(url, Some(identity))).unwrap();
    in_time("the other name", by_name.range(Range::key("/n/a")))
        .await
        .unwrap();
}

#[tokio::test]
async fn without_or_with_anothers_certificate_it_stays_shut() {
    let fixture = Fixture::new();
    let ours = fixture.store(Some(fixture.client("client", &fixture.ca)));
    wait_until_ready(&*ours).await;

    let anonymous = refusal(&fixture.store(None)).await;
    assert!(anonymous.contains("CertificateRequired"), "{anonymous}");

    let stranger = fixture.client("stranger", &Ca::new("another-ca"));
    let store = fixture.store(Some(stranger));
    let refused = refusal(&store).await;
    assert!(
        refused.contains("UnknownCA") || refused.contains("DecryptError"),
        "{refused}"
    );

    // The files are renewed, and the same store gets in.
    fixture.client("stranger", &fixture.ca);
    in_time("the renewed certificate", store.range(Range::key("a")))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_believed() {
    let fixture = Fixture::new();
    let ours = fixture.store(Some(fixture.client("client", &fixture.ca)));
    wait_until_ready(&*ours).await;

    fs::write(fixture.path("ca.crt"), Ca::new("etcd-ca").pem()).unwrap();
    let store = fixture.store(Some(fixture.client("client", &fixture.ca)));
    let refused = refusal(&store).await;
    assert!(refused.contains("invalid peer certificate"), "{refused}");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_named() {
    let fixture = Fixture::new();
    let client = fixture.client("client", &fixture.ca);
    let other = fixture.client("other", &fixture.ca);
    let mixed = EtcdIdentity {
        key: other.key,
        ..client
    };
    let error = EtcdStore::new(&fixture.config(fixture.etcd.url(), Some(mixed))).unwrap_err();
    assert!(
        matches!(&error, EtcdConfigError::Identity { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("client.crt with"), "{error}");
    assert!(error.to_string().contains("other.key"), "{error}");
}
