//! Objects whose values are encrypted: the exchange of keys, and values that nobody can read.

use std::sync::Arc;

use fleetgate_api::Cluster;
use fleetgate_apimachinery::options::{DeleteOptions, GetOptions, ListOptions, ResourceVersion};
use fleetgate_storage::{
    History, Range, Store, Write,
    encryption::{EncryptedStore, Encryption, EncryptionConfig},
    memory::MemoryStore,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Change, ClusterRegistry, ClusterStrategy, Part, Registry, Stored,
    testing::{cluster, written_by},
};

const PLAIN: &str = "identity: {}";
const OLD: &str = "aesgcm: {keys: [{name: old, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}";
const NEW: &str = "aescbc: {keys: [{name: new, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}";

struct Encrypted {
    plain: Arc<MemoryStore>,
    encryption: Arc<Encryption>,
    clusters: ClusterRegistry,
    _stop: DropGuard,
}

fn config(providers: &[&str]) -> EncryptionConfig {
    let mut text = concat!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n",
        "resources:\n- resources: [clusters.cluster.karmada.io]\n  providers:\n",
    )
    .to_owned();
    for provider in providers {
        text += &format!("  - {provider}\n");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file of ours");
    EncryptionConfig::load(file.path()).expect("a configuration")
}

impl Encrypted {
    async fn new(providers: &[&str]) -> Self {
        let plain = Arc::new(MemoryStore::new(History::RECENT));
        let encryption = Arc::new(Encryption::new(config(providers), "/registry"));
        let inner: Arc<dyn Store> = Arc::<MemoryStore>::clone(&plain);
        let store = EncryptedStore::new(inner, Arc::clone(&encryption));
        let strategy = ClusterStrategy::default();
        let clusters = ClusterRegistry::new(strategy, Arc::new(store), "/registry");
        let token = CancellationToken::new();
        TaskTracker::new().spawn(clusters.run(token.clone()));
        clusters.registry().synced().await;
        Self {
            plain,
            encryption,
            clusters,
            _stop: token.drop_guard(),
        }
    }

    fn registry(&self) -> &Registry<ClusterStrategy> {
        self.clusters.registry()
    }

    async fn create(&self, name: &str) -> Arc<Stored<Cluster>> {
        let created = self
            .registry()
            .create(cluster(name), &written_by("test"))
            .await;
        created.expect("a valid cluster")
    }

    async fn update(&self, name: &str) -> Arc<Stored<Cluster>> {
        let same = Change::with(|current: &Stored<Cluster>| Ok(current.object().clone()));
        let options = written_by("test");
        let updated = self
            .registry()
            .update(name, Part::Main, same, &options)
            .await;
        updated.expect("valid")
    }

    /// What the value of the cluster called `name` begins with.
    async fn kept(&self, name: &str) -> String {
        let key = format!("/registry/cluster.karmada.io/clusters/{name}");
        let found = self.plain.range(Range::key(key)).await.expect("an answer");
        let head = &found.items[0].value[..22];
        String::from_utf8_lossy(head).into_owned()
    }
}

#[tokio::test]
async fn a_write_that_changes_nothing_brings_in_the_new_key() {
    let fixture = Encrypted::new(&[OLD]).await;
    let created = fixture.create("a").await;
    assert_eq!(fixture.kept("a").await, "k8s:enc:aesgcm:v1:old:");
    let same = fixture.update("a").await;
    assert_eq!(same.revision(), created.revision(), "nothing to do");

    fixture.encryption.exchange(config(&[NEW, OLD]));
    let moved = fixture.update("a").await;
    assert!(moved.revision() > created.revision());
    assert_eq!(fixture.kept("a").await, "k8s:enc:aescbc:v1:new:");
    let (before, after) = (created.object(), moved.object());
    assert_eq!(
        before.metadata.managed_fields,
        after.metadata.managed_fields
    );
    assert_eq!(
        fixture.update("a").await.revision(),
        moved.revision(),
        "once"
    );

    fixture.encryption.exchange(config(&[PLAIN, NEW]));
    fixture.update("a").await;
    assert!(fixture.kept("a").await.starts_with("{\"kind\":\"Cluster\""));
}

#[tokio::test]
async fn a_deletion_that_waits_brings_in_the_new_key_too() {
    let fixture = Encrypted::new(&[OLD]).await;
    let mut held = cluster("a");
    held.metadata.finalizers.push("example.com/hold".to_owned());
    let created = fixture.registry().create(held, &written_by("test")).await;
    created.expect("a valid cluster");
    let options = DeleteOptions::default();
    let delete = || fixture.registry().delete("a", &options);
    delete().await.expect("held");
    fixture.encryption.exchange(config(&[NEW, OLD]));
    delete().await.expect("held");
    assert_eq!(fixture.kept("a").await, "k8s:enc:aescbc:v1:new:");
}

#[tokio::test]
async fn a_value_that_cannot_be_decrypted_is_told_with_its_key_and_why() {
    let fixture = Encrypted::new(&[OLD]).await;
    fixture.create("a").await;
    fixture.create("b").await;
    let key = "/registry/cluster.karmada.io/clusters/b";
    let found = fixture
        .plain
        .range(Range::key(key))
        .await
        .expect("an answer");
    let mut value = found.items[0].value.to_vec();
    *value.last_mut().expect("some bytes") ^= 1;
    let write = Write::Update {
        key: key.to_owned(),
        value: value.into(),
        mod_revision: found.items[0].mod_revision,
    };
    fixture.plain.write(write).await.expect("an answer");
    let want = "Internal error occurred: unable to transform key \
                \"/registry/cluster.karmada.io/clusters/b\": the AES key \"old\" does not decrypt it";
    let registry = fixture.registry();
    let got = registry
        .get("b", GetOptions::default())
        .await
        .expect_err("unreadable");
    assert_eq!(
        (got.code, &*got.reason, &*got.message),
        (500, "InternalError", want)
    );
    let listed = registry
        .list(&ListOptions::default())
        .await
        .expect_err("unreadable");
    assert_eq!((listed.code, &*listed.message), (500, want));
    let same = Change::with(|current: &Stored<Cluster>| Ok(current.object().clone()));
    let updated = registry
        .update("b", Part::Main, same, &written_by("test"))
        .await;
    assert_eq!(updated.expect_err("unreadable").message, want);
    let created = registry.create(cluster("b"), &written_by("test")).await;
    assert_eq!(created.expect_err("unreadable").message, want);
    registry
        .get("a", GetOptions::default())
        .await
        .expect("the other one is well");
}

#[tokio::test]
async fn what_is_in_memory_needs_its_key_all_the_same() {
    let fixture = Encrypted::new(&[OLD]).await;
    fixture.create("a").await;
    fixture.encryption.exchange(config(&[NEW]));
    let got = fixture.registry().get("a", GetOptions::default()).await;
    assert_eq!(got.expect_err("no key").code, 500);
    fixture.encryption.exchange(config(&[NEW, OLD]));
    let got = fixture.registry().get("a", GetOptions::default()).await;
    assert_eq!(got.expect("readable").name(), "a");
}

/// What memory left out for want of a key is there once the key is.
#[tokio::test]
async fn memory_is_read_anew_with_the_key_that_was_missing() {
    let fixture = Encrypted::new(&[OLD]).await;
    let write = Write::Create {
        key: "/registry/cluster.karmada.io/clusters/a".to_owned(),
        value: r#"{"metadata":{"name":"a"},"spec":{"syncMode":"Push"}}"#.into(),
    };
    fixture.plain.write(write).await.expect("a new key");
    // Memory has seen what came before this.
    fixture.create("b").await;
    let from_memory = GetOptions {
        resource_version: ResourceVersion::Any,
    };
    let found = fixture.registry().get("a", from_memory).await;
    assert_eq!(found.expect_err("left out").code, 404);
    fixture.encryption.exchange(config(&[OLD, PLAIN]));
    let read = async {
        while fixture.registry().get("a", from_memory).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, read)
        .await
        .expect("it is read anew");
}
