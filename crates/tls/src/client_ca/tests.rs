//! Tests of [`super::ClientCa`].

use std::{sync::Arc, time::Duration};

use fleetgate_testkit::certs::{self, Ca, LeafSpec, Validity, chain};
use rustls::pki_types::UnixTime;

use super::{ClientCa, Identity, VerifyError};

fn client_ca(ca: &Ca) -> ClientCa {
    ClientCa::from_pem(ca.pem().as_bytes()).expect("a CA")
}

fn verify(ca: &Ca, signer: &Ca, spec: &LeafSpec) -> Result<Arc<Identity>, VerifyError> {
    client_ca(ca).verify(&chain(&signer.sign(spec)))
}

#[track_caller]
fn check_refused(ca: &Ca, signer: &Ca, spec: &LeafSpec) {
    let got = verify(ca, signer, spec);
    assert!(matches!(got, Err(VerifyError::Untrusted(_))), "{got:?}");
}

#[test]
fn a_verified_leaf_names_its_user() {
    let ca = Ca::new("ca");
    let mut spec = certs::client("jane", &["dev", "ops"]);
    spec.uid = Some("42".to_owned());
    let identity = verify(&ca, &ca, &spec).expect("verified");
    assert_eq!(identity.common_name, "jane");
    assert_eq!(identity.organizations, ["dev", "ops"]);
    assert_eq!(identity.uid, "42");
    assert_eq!(identity.fingerprint.len(), 64);
}

#[test]
fn only_the_own_ca_vouches_and_only_for_valid_clients() {
    let (ca, other) = (Ca::new("ca"), Ca::new("ca"));
    let jane = certs::client("jane", &[]);
    assert!(verify(&ca, &ca, &jane).is_ok());
    check_refused(&ca, &other, &jane);
    check_refused(&ca, &ca, &jane.clone().valid(Validity::Expired));
    check_refused(&ca, &ca, &jane.valid(Validity::Future));
    check_refused(&ca, &ca, &certs::server(&["localhost"]));
}

#[test]
fn an_empty_uid_is_no_identity() {
    let ca = Ca::new("ca");
    let mut spec = certs::client("jane", &[]);
    spec.uid = Some(String::new());
    assert!(matches!(
        verify(&ca, &ca, &spec),
        Err(VerifyError::Identity(_))
    ));
}

#[test]
fn a_chain_is_verified_once_while_it_is_held_and_anew_when_it_expires() {
    let ca = Ca::new("ca");
    let client_ca = client_ca(&ca);
    let spec = certs::client("jane", &[]).valid(Validity::Future);
    let chain = chain(&ca.sign(&spec));
    // 4000-12-31T00:00:00Z, when it expires.
    let expiry = 64_092_124_800;
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let first = client_ca.verify_at(&chain, at(expiry - 10)).expect("valid");
    let second = client_ca.verify_at(&chain, at(expiry - 9)).expect("valid");
    assert!(Arc::ptr_eq(&first, &second), "remembered");
    let copy = Arc::from(chain.to_vec());
    let third = client_ca.verify_at(&copy, at(expiry - 9)).expect("valid");
    assert!(!Arc::ptr_eq(&first, &third), "another connection");
    assert!(
        client_ca.verify_at(&chain, at(expiry + 1)).is_err(),
        "expired"
    );
}

#[test]
fn a_refusal_is_remembered_too() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let client_ca = client_ca(&ca);
    let chain = chain(&other.sign(&certs::client("jane", &[])));
    let first = client_ca.verify(&chain);
    assert!(first.is_err());
    assert_eq!(client_ca.verify(&chain), first);
}

#[test]
fn a_bundle_without_a_ca_is_refused() {
    assert!(ClientCa::from_pem(b"").is_err());
    assert!(ClientCa::from_pem(b"no PEM").is_err());
    let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(ClientCa::from_pem(empty).is_err());
    assert!(ClientCa::from_pem(Ca::new("ca").pem().as_bytes()).is_ok());
    let empty_chain: Arc<[_]> = Arc::from([]);
    assert_eq!(
        client_ca(&Ca::new("ca")).verify(&empty_chain),
        Err(VerifyError::NoCertificate)
    );
}
