//! Tests of loading, picking and reloading certificates.

use std::{fs, path::Path};

use fleetgate_testkit::certs::{self, Ca, Leaf};

use super::{CertificateError, CertificateSource, NamedCertificate, PemPair, ServingCertificates};

fn leaf(names: &[&str]) -> Leaf {
    Ca::new("ca").sign(&certs::server(names))
}

fn in_memory(leaf: &Leaf) -> CertificateSource {
    CertificateSource::Memory(PemPair {
        certificate: leaf.certificate_pem.clone().into_bytes(),
        key: leaf.key_pem.clone().into_bytes(),
    })
}

fn write(dir: &Path, leaf: &Leaf) -> CertificateSource {
    let (certificate, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    fs::write(&certificate, &leaf.certificate_pem).expect("written");
    fs::write(&key, &leaf.key_pem).expect("written");
    CertificateSource::Files { certificate, key }
}

#[track_caller]
fn check(certificates: &ServingCertificates, name: Option<&str>, want: &Leaf) {
    let got = certificates.for_name(name);
    assert_eq!(
        got.end_entity_cert().expect("a leaf"),
        &want.der,
        "{name:?}"
    );
}

#[tokio::test]
async fn the_name_picks_the_certificate() {
    let default = leaf(&["localhost"]);
    let (own, star, exact) = (leaf(&["own.example"]), leaf(&["x.test"]), leaf(&["y.test"]));
    let named = |leaf, names: &[&str]| NamedCertificate {
        source: in_memory(leaf),
        names: names.iter().map(|&name| name.to_owned()).collect(),
    };
    let (certificates, _) = ServingCertificates::load(
        in_memory(&default),
        vec![
            named(&own, &[]),
            named(&star, &["*.foo.bar", "a.foo.bar"]),
            named(&exact, &["a.foo.bar", "b.foo.bar", "own.example"]),
        ],
    )
    .await
    .expect("usable");
    check(&certificates, None, &default);
    check(&certificates, Some("elsewhere"), &default);
    check(&certificates, Some("c.foo.bar"), &star);
    check(&certificates, Some("C.Foo.Bar"), &star);
    check(&certificates, Some("d.c.foo.bar"), &default);
    check(&certificates, Some("foo.bar"), &default);
    check(&certificates, Some("a.foo.bar"), &star);
    check(&certificates, Some("b.foo.bar"), &exact);
    check(&certificates, Some("own.example"), &exact);
    check(&certificates, Some("x.test"), &default);
}

#[tokio::test]
async fn names_in_a_certificate_pick_it_where_no_patterns_are_given() {
    let (default, own) = (
        leaf(&["localhost"]),
        leaf(&["own.example", "*.wild.example"]),
    );
    let named = NamedCertificate {
        source: in_memory(&own),
        names: Vec::new(),
    };
    let (certificates, _) = ServingCertificates::load(in_memory(&default), vec![named])
        .await
        .expect("usable");
    check(&certificates, Some("own.example"), &own);
    check(&certificates, Some("a.wild.example"), &own);
    check(&certificates, Some("wild.example"), &default);
}

#[tokio::test]
async fn a_changed_file_is_taken_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let (old, new, late) = (leaf(&["a"]), leaf(&["a"]), leaf(&["a"]));
    let source = write(dir.path(), &old);
    let (certificates, mut reloader) = ServingCertificates::load(source, Vec::new())
        .await
        .expect("usable");
    assert_eq!(reloader.poll().await, 0);

    write(dir.path(), &new);
    assert_eq!(reloader.poll().await, 1);
    check(&certificates, None, &new);

    fs::write(dir.path().join("tls.crt"), &late.certificate_pem).expect("written");
    assert_eq!(reloader.poll().await, 0, "the key is still the old one");
    check(&certificates, None, &new);
    assert!(reloader.watched[0].failure.is_some());

    fs::remove_file(dir.path().join("tls.key")).expect("removed");
    assert_eq!(reloader.poll().await, 0);
    check(&certificates, None, &new);

    write(dir.path(), &late);
    assert_eq!(reloader.poll().await, 1);
    check(&certificates, None, &late);
    assert!(reloader.watched[0].failure.is_none());
}

#[tokio::test]
async fn what_cannot_be_loaded_at_start_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = write(dir.path(), &leaf(&["a"]));
    fs::write(dir.path().join("tls.crt"), "").expect("written");
    let empty = ServingCertificates::load(source.clone(), Vec::new()).await;
    let error = empty.expect_err("no certificate").to_string();
    assert!(error.ends_with("tls.crt"), "{error}");
    fs::remove_file(dir.path().join("tls.key")).expect("removed");
    let missing = ServingCertificates::load(source, Vec::new()).await;
    assert!(
        matches!(missing, Err(CertificateError::Read { .. })),
        "{missing:?}"
    );
}
