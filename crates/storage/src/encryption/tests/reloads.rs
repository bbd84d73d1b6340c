//! The file changes under a running server.

use std::fs;

use prometheus_client::{encoding::text::encode, registry::Registry};

use super::{Fixture, KEY, get, provider, text};
use crate::{
    ValueState,
    encryption::{EncryptionConfig, ReloadMetrics, Reloader, Unreadable},
};

#[tokio::test]
async fn a_new_file_counts_and_a_bad_one_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.yaml");
    let write = |providers: &str| {
        let rules = format!("{{resources: ['*.*'], providers: [{providers}]}}");
        fs::write(&path, text(&rules)).expect("a file of ours");
    };
    let (old, new) = (
        provider("aesgcm", "old", 1),
        provider("secretbox", "new", 2),
    );
    write(&old);
    let config = EncryptionConfig::load(&path).expect("a configuration");
    let fixture = Fixture::new(config.clone());
    let mut registry = Registry::default();
    let metrics = ReloadMetrics::register(&mut registry);
    let encryption = fixture.encryption.clone();
    let mut reloader = Reloader::new(encryption, &config, path.clone(), metrics);
    fixture.create(KEY, "value").await;
    assert!(!reloader.poll().await, "nothing changed");

    write("{rot13: {}}");
    for _ in 0..3 {
        assert!(!reloader.poll().await);
    }
    assert_eq!(
        get(&fixture.store, KEY).await.state,
        ValueState::Current,
        "the old one counts"
    );
    fs::remove_file(&path).expect("a file");
    assert!(!reloader.poll().await);

    write(&format!("{new}, {old}"));
    assert!(reloader.poll().await);
    assert!(!reloader.poll().await);
    let there = get(&fixture.store, KEY).await;
    assert_eq!(
        (&there.value[..], there.state),
        (&b"value"[..], ValueState::Stale)
    );
    write(&new);
    assert!(reloader.poll().await);
    let unreadable = ValueState::Unreadable(Unreadable::NoProvider);
    assert_eq!(get(&fixture.store, KEY).await.state, unreadable);

    let mut told = String::new();
    encode(&mut told, &registry).expect("text");
    let name = "apiserver_encryption_config_controller_automatic_reload";
    for line in [
        format!("{name}s_total{{status=\"failure\"}} 2"),
        format!("{name}s_total{{status=\"success\"}} 2"),
        format!("{name}_last_timestamp_seconds{{status=\"failure\"}} "),
    ] {
        assert!(told.contains(&line), "{line} in {told}");
    }
}
