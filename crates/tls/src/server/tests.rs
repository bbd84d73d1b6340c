//! Tests of server configs, by real handshakes in memory.

use std::sync::Arc;

use fleetgate_testkit::certs::{self, Ca, Leaf};
use rustls::{
    ClientConfig, HandshakeKind, ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS12,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream as Client, server::TlsStream};

use super::{
    CertificateSource, CipherSuites, KeyExchangeGroups, PemPair, Protocols, ServerOptions,
    ServingCertificates, server_config,
};
use crate::{
    MinVersion,
    client::{ClientIdentity, ClientOptions, Trust, client_config, server_name},
    pem::private_key,
};

fn options() -> ServerOptions {
    ServerOptions {
        min_version: MinVersion::Tls12,
        cipher_suites: CipherSuites::all(),
        groups: KeyExchangeGroups::standard(),
        protocols: Protocols::Http1AndHttp2,
    }
}

async fn server(options: &ServerOptions) -> Arc<ServerConfig> {
    let leaf = Ca::new("ca").sign(&certs::server(&["localhost"]));
    let source = CertificateSource::Memory(PemPair {
        certificate: leaf.certificate_pem.into_bytes(),
        key: leaf.key_pem.into_bytes(),
    });
    let (certificates, _) = ServingCertificates::load(source, Vec::new())
        .await
        .expect("a pair");
    server_config(options, certificates).expect("something is spoken")
}

fn client(identity: Option<&Leaf>) -> ClientOptions {
    let identity = identity.map(|leaf| {
        ClientIdentity::from_pem(leaf.certificate_pem.as_bytes(), leaf.key_pem.as_bytes())
            .expect("a pair")
    });
    ClientOptions {
        trust: Trust::Anyone,
        identity,
        min_version: MinVersion::Tls12,
        protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    }
}

type Ends = (TlsStream<DuplexStream>, Client<DuplexStream>);

/// Shakes hands and exchanges a byte each way, so that session tickets arrive.
async fn connect(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> std::io::Result<Ends> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = server_name("localhost").expect("a host");
    let (accepted, connected) = tokio::join!(
        TlsAcceptor::from(server.clone()).accept(far),
        TlsConnector::from(client.clone()).connect(name, near),
    );
    let (mut accepted, mut connected) = (accepted?, connected?);
    accepted.write_all(b"x").await?;
    accepted.flush().await?;
    connected.read_u8().await?;
    Ok((accepted, connected))
}

#[tokio::test]
async fn a_client_without_a_certificate_is_served() {
    let server = server(&options()).await;
    let client = client_config(&client(None)).expect("usable");
    let (accepted, _) = connect(&server, &client).await.expect("served");
    assert!(accepted.get_ref().1.peer_certificates().is_none());
    assert_eq!(accepted.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
}

#[tokio::test]
async fn a_certificate_of_any_ca_is_taken_and_survives_resumption() {
    let server = server(&options()).await;
    let leaf = Ca::new("unknown").sign(&certs::client("jane", &[]));
    let client = client_config(&client(Some(&leaf))).expect("usable");
    for resumed in [false, true] {
        let (accepted, connected) = connect(&server, &client).await.expect("served");
        let kind = connected.get_ref().1.handshake_kind();
        assert_eq!(kind == Some(HandshakeKind::Resumed), resumed);
        let chain = accepted.get_ref().1.peer_certificates().expect("presented");
        assert_eq!(chain, std::slice::from_ref(&leaf.der));
    }
}

/// Shows the certificate of one and signs with the key of another.
fn impostor() -> Arc<ClientConfig> {
    let ca = Ca::new("ca");
    let (shown, held) = (
        ca.sign(&certs::client("jane", &[])),
        ca.sign(&certs::client("joe", &[])),
    );
    let key = private_key(held.key_pem.as_bytes()).expect("a key");
    let key = crate::provider()
        .key_provider
        .load_private_key(key)
        .expect("a usable key");
    let mismatched = CertifiedKey::new(vec![shown.der], key);
    let mut config = ClientConfig::clone(&client_config(&client(None)).expect("usable"));
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(mismatched));
    Arc::new(config)
}

#[tokio::test]
async fn a_client_must_hold_the_key_of_its_certificate() {
    let got = connect(&server(&options()).await, &impostor()).await;
    check_alert(got, "BadSignature");
}

#[tokio::test]
async fn http1_alone_is_offered_when_asked() {
    let options = ServerOptions {
        protocols: Protocols::Http1,
        ..options()
    };
    let client = client_config(&client(None)).expect("usable");
    let (accepted, _) = connect(&server(&options).await, &client)
        .await
        .expect("served");
    assert_eq!(
        accepted.get_ref().1.alpn_protocol(),
        Some(b"http/1.1".as_slice())
    );
}

fn tls12_client() -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&[&TLS12])
        .expect("the provider speaks it")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let anyone = client_config(&client(None)).expect("usable");
    config.alpn_protocols.clone_from(&anyone.alpn_protocols);
    Arc::new(config)
}

#[track_caller]
fn check_alert(got: std::io::Result<Ends>, want: &str) {
    let error = got.map(drop).expect_err("refused").to_string();
    assert!(error.contains(want), "{error}");
}

#[tokio::test]
async fn the_lowest_version_is_kept() {
    let strict = ServerOptions {
        min_version: MinVersion::Tls13,
        ..options()
    };
    check_alert(
        connect(&server(&strict).await, &tls12_client()).await,
        "Tls12NotOffered",
    );
    // 1.2 is spoken by default: the client, which trusts nobody, gets as far as the certificate.
    check_alert(
        connect(&server(&options()).await, &tls12_client()).await,
        "UnknownCA",
    );
}

#[tokio::test]
async fn cipher_suites_decide_about_tls_12() {
    let only13 = CipherSuites::parse(&["TLS_AES_128_GCM_SHA256"]).expect("known");
    let options = ServerOptions {
        cipher_suites: only13,
        ..options()
    };
    let server = server(&options).await;
    check_alert(connect(&server, &tls12_client()).await, "Tls12NotOffered");
    let client = client_config(&client(None)).expect("usable");
    connect(&server, &client)
        .await
        .expect("1.3 is always spoken");
}
