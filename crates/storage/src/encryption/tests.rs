//! The form of encrypted values, who reads and writes them, and the exchange of keys.

mod configs;
mod reloads;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::FutureExt;
use serde_json::Value;

use super::*;
use crate::{History, memory::MemoryStore};

const KEY: &str = "/registry/cluster.karmada.io/clusters/m1";

/// A configuration with these providers for all resources.
fn all(providers: &str) -> EncryptionConfig {
    parsed(&format!("{{resources: ['*.*'], providers: [{providers}]}}"))
}

fn parsed(rules: &str) -> EncryptionConfig {
    EncryptionConfig::parse(text(rules).as_bytes()).expect("a configuration")
}

fn text(rules: &str) -> String {
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: [{rules}]\n"
    )
}

/// A provider of `kind` with one key of 32 bytes, all of them `byte`.
fn provider(kind: &str, name: &str, byte: u8) -> String {
    let secret = STANDARD.encode([byte; 32]);
    format!("{{{kind}: {{keys: [{{name: {name}, secret: {secret}}}]}}}}")
}

struct Fixture {
    plain: Arc<MemoryStore>,
    encryption: Arc<Encryption>,
    store: EncryptedStore,
}

impl Fixture {
    fn new(config: EncryptionConfig) -> Self {
        let plain = Arc::new(MemoryStore::new(History::RECENT));
        let encryption = Arc::new(Encryption::new(config, "/registry"));
        let inner: Arc<dyn Store> = Arc::<MemoryStore>::clone(&plain);
        let store = EncryptedStore::new(inner, Arc::clone(&encryption));
        Self {
            plain,
            encryption,
            store,
        }
    }

    async fn create(&self, key: &str, value: &str) -> i64 {
        committed(create(&self.store, key, value.to_owned().into()).await)
    }

    /// What is kept.
    async fn kept(&self, key: &str) -> Bytes {
        get(&*self.plain, key).await.value
    }
}

async fn create(store: &dyn Store, key: &str, value: Bytes) -> WriteResult {
    let key = key.to_owned();
    let written = store.write(Write::Create { key, value }).await;
    written.expect("the store takes it")
}

#[track_caller]
fn committed(result: WriteResult) -> i64 {
    match result {
        WriteResult::Committed { revision } => revision,
        WriteResult::Conflict { current } => panic!("{current:?}"),
    }
}

async fn get(store: &dyn Store, key: &str) -> KeyValue {
    let found = store.range(Range::key(key)).await.expect("an answer");
    found.items.into_iter().next().expect("the key is there")
}

#[test]
fn values_are_in_the_form_of_kubernetes() {
    let vectors: Value = serde_json::from_str(include_str!("tests/vectors.json")).expect("JSON");
    let vectors = vectors["vectors"].as_array().expect("a list");
    assert_eq!(vectors.len(), 28);
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().expect("a string");
        let keys = format!(
            "{{keys: [{{name: {}, secret: {}}}]}}",
            field("name"),
            field("secret")
        );
        let config = all(&format!("{{{}: {keys}}}", field("provider")));
        let providers = config.providers("a", "b");
        let stored = Bytes::from(STANDARD.decode(field("stored")).expect("base64"));
        let at = field("key").as_bytes();
        let opened = providers.open(&stored, at).expect("readable");
        assert_eq!(opened.value, field("plain"), "{vector}");
        assert_eq!(opened.state, ValueState::Current);

        // Ours: another nonce each time, and else the same form.
        let plain = Bytes::from(field("plain").to_owned());
        let [one, other] = [(); 2].map(|()| providers.seal(&plain, at).expect("sealed"));
        assert_ne!(one, other);
        assert_eq!(one.len(), stored.len());
        let prefix = format!("k8s:enc:{}:v1:{}:", field("provider"), field("name"));
        assert!(one.starts_with(prefix.as_bytes()));
        assert_eq!(providers.open(&one, at).expect("ours").value, plain);
    }
}

#[test]
fn what_was_changed_or_moved_is_not_read() {
    let damaged = |provider: &'static str| Unreadable::Damaged {
        provider,
        key: "k".to_owned(),
    };
    for (kind, want) in [
        ("aesgcm", damaged("AES")),
        ("secretbox", damaged("Secretbox")),
    ] {
        let config = all(&provider(kind, "k", 1));
        let providers = config.providers("a", "b");
        let sealed = providers
            .seal(&"value".into(), KEY.as_bytes())
            .expect("sealed");
        let head = format!("k8s:enc:{kind}:v1:k:").len();
        for at in head..sealed.len() {
            let mut bytes = sealed.to_vec();
            bytes[at] ^= 1;
            let opened = providers.open(&bytes.into(), KEY.as_bytes());
            assert_eq!(opened.expect_err("changed"), want, "{kind}, byte {at}");
            let opened = providers.open(&sealed.slice(..at), KEY.as_bytes());
            assert_eq!(opened.expect_err("cut"), want, "{kind}, cut at {at}");
        }
        let moved = providers.open(&sealed, b"/registry/cluster.karmada.io/clusters/m2");
        assert_eq!(
            moved.is_err(),
            kind == "aesgcm",
            "{kind} binds the key in the store"
        );
    }
    let config = all(&provider("aescbc", "k", 1));
    for cut in ["", "short", "sixteen bytes iv", "sixteen bytes iv and more"] {
        let value = format!("k8s:enc:aescbc:v1:k:{cut}").into();
        let opened = config.providers("a", "b").open(&value, b"");
        assert_eq!(opened.expect_err("cut"), damaged("AES"), "{cut}");
    }
}

#[test]
fn the_first_writes_and_all_read() {
    #[track_caller]
    fn check(written: &str, read: &str, want: Result<ValueState, Unreadable>) {
        let at = KEY.as_bytes();
        let sealed = all(written).providers("a", "b").seal(&"v".into(), at);
        let config = all(read);
        let opened = config
            .providers("a", "b")
            .open(&sealed.expect("sealed"), at);
        assert_eq!(
            opened.map(|opened| opened.state),
            want,
            "{written} read by {read}"
        );
    }
    let (gcm, cbc) = (provider("aesgcm", "a", 1), provider("aescbc", "b", 2));
    let (boxed, same_name) = (provider("secretbox", "c", 3), provider("aesgcm", "a", 4));
    let plain = "{identity: {}}";
    for one in [&gcm, &cbc, &boxed, plain] {
        check(one, one, Ok(ValueState::Current));
        for other in [&gcm, &cbc, &boxed, plain]
            .into_iter()
            .filter(|other| *other != one)
        {
            check(one, &format!("{one}, {other}"), Ok(ValueState::Current));
            check(one, &format!("{other}, {one}"), Ok(ValueState::Stale));
            check(one, other, Err(Unreadable::NoProvider));
        }
    }
    // Two providers of a kind, even with keys of one name.
    check(&gcm, &format!("{same_name}, {gcm}"), Ok(ValueState::Stale));
    let damaged = Unreadable::Damaged {
        provider: "AES",
        key: "a".to_owned(),
    };
    check(&gcm, &same_name, Err(damaged));
    check(
        &gcm,
        &provider("aesgcm", "other", 1),
        Err(Unreadable::NoKey { provider: "AES" }),
    );
    let second = "{aesgcm: {keys: [{name: z, secret: AAAAAAAAAAAAAAAAAAAAAA==}, {name: a, secret: SECRET}]}}";
    let second = second.replace("SECRET", &STANDARD.encode([1; 32]));
    check(&gcm, &second, Ok(ValueState::Stale));
}

#[tokio::test]
async fn only_the_store_sees_what_is_kept() {
    let fixture = Fixture::new(all(&provider("aesgcm", "k", 1)));
    let mut watch = fixture.store.watch("/registry/".to_owned(), 1);
    let first = fixture.create(KEY, "one").await;
    assert!(fixture.kept(KEY).await.starts_with(b"k8s:enc:aesgcm:v1:k:"));
    let there = get(&fixture.store, KEY).await;
    assert_eq!(
        (&there.value[..], &there.state),
        (&b"one"[..], &ValueState::Current)
    );
    let conflict = create(&fixture.store, KEY, "two".into()).await;
    assert_eq!(
        conflict,
        WriteResult::Conflict {
            current: Some(there.clone())
        }
    );
    let update = Write::Update {
        key: KEY.to_owned(),
        value: "two".into(),
        mod_revision: first,
    };
    committed(fixture.store.write(update).await.expect("an answer"));
    let mut events = Vec::new();
    while events.len() < 2 {
        events.extend(watch.next().await.expect("a batch").expect("events").events);
    }
    assert_eq!(events[0].kv, there);
    assert_eq!(
        (&events[1].kv.value[..], events[1].prev.as_ref()),
        (&b"two"[..], Some(&there))
    );
    // What is not an object's is kept as it is.
    fixture.create("/elsewhere/a/b", "plain").await;
    assert_eq!(fixture.kept("/elsewhere/a/b").await, "plain");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_not_left_out() {
    let fixture = Fixture::new(all(&provider("aesgcm", "k", 1)));
    let mut watch = fixture.store.watch("/registry/".to_owned(), 1);
    fixture.create(KEY, "one").await;
    let plain = "/registry/cluster.karmada.io/clusters/plain";
    create(&*fixture.plain, plain, "{}".into()).await;
    let found = fixture.store.range(Range::prefix("/registry/")).await;
    let states: Vec<_> = found
        .expect("an answer")
        .items
        .into_iter()
        .map(|kv| kv.state)
        .collect();
    let unreadable = ValueState::Unreadable(Unreadable::NoProvider);
    assert_eq!(states, [ValueState::Current, unreadable.clone()]);
    let mut events = Vec::new();
    while events.len() < 2 {
        events.extend(watch.next().await.expect("a batch").expect("events").events);
    }
    assert_eq!(events[1].kv.state, unreadable);

    // A configuration that may read it: who keeps a copy has to read anew.
    let both = all(&format!(
        "{}, {{identity: {{}}}}",
        provider("aesgcm", "k", 1)
    ));
    fixture.encryption.exchange(both);
    let patience = std::time::Duration::from_secs(60);
    let end = tokio::time::timeout(patience, watch.next()).await;
    let end = end.expect("the watch ends");
    assert!(
        matches!(end, Some(Err(StoreError::Compacted { revision: 3 }))),
        "{end:?}"
    );
    assert!(watch.next().await.is_none());
    assert_eq!(get(&fixture.store, plain).await.state, ValueState::Stale);

    // Nothing was unreadable since: watches go on.
    let mut watch = fixture.store.watch("/registry/".to_owned(), 3);
    fixture
        .encryption
        .exchange(all(&provider("secretbox", "k", 1)));
    assert!(watch.next().now_or_never().is_none());
}

#[test]
fn nothing_prints_a_secret() {
    let config = all(&format!(
        "{}, {}",
        provider("aesgcm", "k", 65),
        provider("secretbox", "s", 65)
    ));
    let printed = format!(
        "{:?} {:?}",
        config,
        Encryption::new(config.clone(), "/registry")
    );
    let secret = STANDARD.encode([65; 32]);
    assert!(
        !printed.contains(&secret[..8]) && !printed.contains("AAAA") && !printed.contains("65, 65"),
        "{printed}"
    );
}

/// A store that notes whether it was asked how far it is.
#[derive(Debug)]
struct Asked(MemoryStore, AtomicBool);

impl Store for Asked {
    fn range(&self, request: Range) -> BoxFuture<'_, Result<RangeResult, StoreError>> {
        self.0.range(request)
    }

    fn write(&self, request: Write) -> BoxFuture<'_, Result<WriteResult, StoreError>> {
        self.0.write(request)
    }

    fn watch(
        &self,
        prefix: String,
        after: i64,
    ) -> BoxStream<'static, Result<WatchBatch, StoreError>> {
        self.0.watch(prefix, after)
    }

    fn request_progress(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

#[test]
fn who_asks_for_progress_asks_the_store_below() {
    let below = Arc::new(Asked(
        MemoryStore::new(History::RECENT),
        AtomicBool::default(),
    ));
    let encryption = Arc::new(Encryption::new(all("{identity: {}}"), "/registry"));
    let inner: Arc<dyn Store> = Arc::<Asked>::clone(&below);
    EncryptedStore::new(inner, encryption).request_progress();
    assert!(below.1.load(Ordering::SeqCst));
}
