//! Tests of client configs, by real handshakes in memory.

use std::sync::Arc;

use fleetgate_testkit::certs::{self, Ca, Leaf, LeafSpec, Validity};
use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{ClientIdentity, ClientOptions, Trust, client_config, server_name};
use crate::{MinVersion, pem, provider};

fn options(trust: Trust) -> ClientOptions {
    ClientOptions {
        trust,
        identity: None,
        min_version: MinVersion::Tls12,
        protocols: vec![b"h2".to_vec()],
    }
}

fn bundle(pem: &str) -> Trust {
    Trust::Bundle(Arc::from(pem.as_bytes()))
}

fn unchecked(leaf: &Leaf) -> CertifiedKey {
    let key = pem::private_key(leaf.key_pem.as_bytes()).expect("a key");
    let key = provider()
        .key_provider
        .load_private_key(key)
        .expect("a usable key");
    CertifiedKey::new(vec![leaf.der.clone()], key)
}

/// Shakes hands with a server that shows `leaf`, and returns the client's view of it.
async fn handshake(trust: Trust, host: &str, leaf: &Leaf) -> std::io::Result<()> {
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks them")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(unchecked(leaf))));
    let connector = TlsConnector::from(client_config(&options(trust)).expect("usable"));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepted = TlsAcceptor::from(Arc::new(server)).accept(far);
    let connected = connector.connect(server_name(host).expect("a host"), near);
    let (_, connected) = tokio::join!(accepted, connected);
    connected.map(drop)
}

#[track_caller]
fn check(got: &std::io::Result<()>, want: Result<(), &str>) {
    match (got, want) {
        (Ok(()), Ok(())) => {}
        (Err(error), Err(want)) => {
            let error = error.to_string();
            assert!(error.contains(want), "{error}");
        }
        (got, want) => panic!("got {got:?}, want {want:?}"),
    }
}

async fn by_ca(host: &str, spec: &LeafSpec) -> std::io::Result<()> {
    let ca = Ca::new("ca");
    handshake(bundle(ca.pem()), host, &ca.sign(spec)).await
}

async fn by_itself(host: &str, spec: &LeafSpec) -> std::io::Result<()> {
    let leaf = certs::self_signed_ca_leaf(spec);
    handshake(bundle(&leaf.certificate_pem), host, &leaf).await
}

#[tokio::test]
async fn a_bundle_vouches_for_names_and_addresses() {
    let spec = certs::server(&["member.example", "127.0.0.1", "::1"]);
    check(&by_ca("member.example", &spec).await, Ok(()));
    check(&by_ca("member.example.", &spec).await, Ok(()));
    check(&by_ca("127.0.0.1", &spec).await, Ok(()));
    check(&by_ca("[::1]", &spec).await, Ok(()));
    check(
        &by_ca("other.example", &spec).await,
        Err("not valid for name"),
    );
    check(&by_ca("127.0.0.2", &spec).await, Err("not valid for name"));
    let expired = spec.clone().valid(Validity::Expired);
    check(&by_ca("member.example", &expired).await, Err("expired"));
}

#[tokio::test]
async fn another_ca_does_not_vouch() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let leaf = ca.sign(&certs::server(&["member.example"]));
    check(
        &handshake(bundle(other.pem()), "member.example", &leaf).await,
        Err("UnknownIssuer"),
    );
    let both = bundle(&format!("{}{}", other.pem(), ca.pem()));
    check(&handshake(both, "member.example", &leaf).await, Ok(()));
    check(
        &handshake(Trust::System, "member.example", &leaf).await,
        Err("UnknownIssuer"),
    );
    check(
        &handshake(Trust::Anyone, "elsewhere.example", &leaf).await,
        Ok(()),
    );
}

#[tokio::test]
async fn an_anchor_that_serves_itself_is_believed_for_its_names_and_time() {
    let spec = certs::server(&["member.example", "127.0.0.1"]);
    check(&by_itself("member.example", &spec).await, Ok(()));
    check(&by_itself("127.0.0.1", &spec).await, Ok(()));
    check(
        &by_itself("other.example", &spec).await,
        Err("not valid for name"),
    );
    let expired = spec.clone().valid(Validity::Expired);
    check(&by_itself("member.example", &expired).await, Err("xpired"));
    let future = spec.clone().valid(Validity::Future);
    check(
        &by_itself("member.example", &future).await,
        Err("NotValidYet"),
    );
    let mut no_server = spec.clone();
    no_server.usages = certs::client("", &[]).usages;
    check(
        &by_itself("member.example", &no_server).await,
        Err("InvalidPurpose"),
    );
    let mut any_usage = spec;
    any_usage.usages.clear();
    check(&by_itself("member.example", &any_usage).await, Ok(()));
}

#[tokio::test]
async fn a_self_signed_ca_that_is_not_the_anchor_is_refused() {
    let spec = certs::server(&["member.example"]);
    let (shown, pinned) = (
        certs::self_signed_ca_leaf(&spec),
        certs::self_signed_ca_leaf(&spec),
    );
    let trust = bundle(&pinned.certificate_pem);
    let got = handshake(trust, "member.example", &shown).await;
    check(&got, Err("invalid peer certificate"));
}

#[tokio::test]
async fn even_a_server_that_need_not_be_known_must_hold_its_key() {
    let ca = Ca::new("ca");
    let spec = certs::server(&["member.example"]);
    let held = ca.sign(&spec);
    let stolen = Leaf {
        der: ca.sign(&spec).der,
        ..held
    };
    let got = handshake(Trust::Anyone, "member.example", &stolen).await;
    check(&got, Err("BadSignature"));
}

#[test]
fn unusable_options_are_told_apart() {
    use super::ClientConfigError as Error;
    let config = |trust| client_config(&options(trust)).expect_err("unusable");
    assert!(matches!(
        config(bundle("")),
        Error::Bundle(pem::PemError::NoCertificate)
    ));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(config(bundle(garbage)), Error::NoAnchor));
    assert!(server_name("").is_err());
    assert!(server_name("a b").is_err());

    let ca = Ca::new("ca");
    let (one, two) = (
        ca.sign(&certs::client("a", &[])),
        ca.sign(&certs::client("b", &[])),
    );
    let mixed = ClientIdentity::from_pem(one.certificate_pem.as_bytes(), two.key_pem.as_bytes());
    assert!(matches!(mixed, Err(pem::PemError::KeyPair(_))));
    assert!(!format!("{one:?}").is_empty());
}
