//! A store with encrypted values keeps the contract of the store below it.

use std::sync::Arc;

use fleetgate_storage::{
    History, Range, Store,
    encryption::{EncryptedStore, Encryption, EncryptionConfig},
    memory::MemoryStore,
};

use crate::contract::{Shared, check_store_contract, create, forget_by_writing};

/// What encrypts everything with each kind of key in turn.
const CONFIG: &str = "
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: ['*.*']
  providers:
  - PROVIDER: {keys: [{name: a, secret: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}]}
";

fn encrypted(inner: Arc<MemoryStore>, provider: &str) -> EncryptedStore {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CONFIG.replace("PROVIDER", provider)).unwrap();
    let config = EncryptionConfig::load(file.path()).unwrap();
    EncryptedStore::new(inner, Arc::new(Encryption::new(config, "")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    for provider in ["aesgcm", "aescbc", "secretbox"] {
        let history = History {
            events: 6_000,
            ..History::RECENT
        };
        let inner = Arc::new(MemoryStore::new(history));
        let store = Arc::new(encrypted(inner.clone(), provider));
        let forget = forget_by_writing(store.clone(), "/filler/a".to_owned(), history);
        check_store_contract(&store, forget).await;
        let shared: Shared = store;
        create(&shared, "/check/a/b", "1").await;
        let kept = inner.range(Range::prefix("/")).await.unwrap().items;
        let prefix = format!("k8s:enc:{provider}:v1:a:");
        assert!(
            kept.iter()
                .all(|kv| kv.value.starts_with(prefix.as_bytes()))
        );
        assert!(kept.len() > 1_000);
    }
}
