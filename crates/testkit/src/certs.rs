//! Certificates made on the spot: CAs, serving and client leaves, good and bad.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

/// Attribute types 2.5.4.112 to 2.5.4.127 mean nothing, and stand for the second and further O
/// until the certificate is signed: rcgen takes each type once.
const PLACEHOLDERS: std::ops::Range<u8> = 0x70..0x80;
/// 2.5.4.10, an organization, which Kubernetes reads as a group.
const ORGANIZATION: u8 = 10;

/// A certificate authority.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, RenamingKey>,
    pem: String,
}

/// A leaf certificate with its key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate alone, in PEM.
    pub certificate_pem: String,
    /// The key in PEM (PKCS#8).
    pub key_pem: String,
    /// The certificate in DER.
    pub der: CertificateDer<'static>,
}

/// What a leaf says. Start from [`server`] or [`client`].
#[derive(Clone, Debug)]
pub struct LeafSpec {
    /// CN.
    pub common_name: String,
    /// Each O.
    pub organizations: Vec<String>,
    /// The attribute 1.3.6.1.4.1.57683.2, if any.
    pub uid: Option<String>,
    /// Host names and addresses.
    pub names: Vec<String>,
    /// Extended key usages.
    pub usages: Vec<ExtendedKeyUsagePurpose>,
    /// When it is valid.
    pub validity: Validity,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Not any more: the year 2001 alone.
    Expired,
    /// Not yet: the year 4000 alone.
    Future,
    /// From 1975 to 4096.
    Now,
}

#[derive(Debug)]
struct RenamingKey(KeyPair);

/// A serving certificate for `names`: host names and addresses.
pub fn server(names: &[&str]) -> LeafSpec {
    LeafSpec {
        common_name: "server".to_owned(),
        names: owned(names),
        usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
        ..client("", &[])
    }
}

/// A client certificate of user `common_name` in groups `organizations`.
pub fn client(common_name: &str, organizations: &[&str]) -> LeafSpec {
    LeafSpec {
        common_name: common_name.to_owned(),
        organizations: owned(organizations),
        uid: None,
        names: Vec::new(),
        usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
        validity: Validity::Now,
    }
}

/// A self-signed certificate that is a CA and serves `names` itself, as some members have.
pub fn self_signed_ca_leaf(spec: &LeafSpec) -> Leaf {
    let key = RenamingKey(KeyPair::generate().unwrap());
    let mut params = spec.params();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = params.self_signed(&key).unwrap();
    Leaf::new(signed.der(), &key.0)
}

/// A chain as a listener hands it on: the leaf of `leaf` alone.
pub fn chain(leaf: &Leaf) -> Arc<[CertificateDer<'static>]> {
    Arc::from([leaf.der.clone()])
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

// === impl Ca ===

impl Ca {
    /// A new root that calls itself `common_name`.
    pub fn new(common_name: &str) -> Self {
        let mut params = client(common_name, &[]).params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages.clear();
        let key = RenamingKey(KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The root in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A leaf signed by this CA.
    pub fn sign(&self, spec: &LeafSpec) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let signed = spec.params().signed_by(&key, &self.issuer).unwrap();
        Leaf::new(signed.der(), &key)
    }
}

// === impl Leaf ===

impl Leaf {
    fn new(der: &CertificateDer<'_>, key: &KeyPair) -> Self {
        let der = CertificateDer::from(renamed(der));
        Self {
            certificate_pem: pem(&der),
            key_pem: key.serialize_pem(),
            der,
        }
    }
}

fn pem(der: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

// === impl LeafSpec ===

impl LeafSpec {
    /// The same with another validity.
    #[must_use]
    pub fn valid(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, self.common_name.as_str());
        assert!(
            self.organizations.len() <= PLACEHOLDERS.len(),
            "too many organizations"
        );
        for (placeholder, organization) in PLACEHOLDERS.zip(&self.organizations) {
            let kind = DnType::from_oid(&[2, 5, 4, u64::from(placeholder)]);
            params.distinguished_name.push(kind, organization.as_str());
        }
        if let Some(uid) = &self.uid {
            let kind = DnType::from_oid(&[1, 3, 6, 1, 4, 1, 57683, 2]);
            params.distinguished_name.push(kind, uid.as_str());
        }
        params.extended_key_usages.clone_from(&self.usages);
        (params.not_before, params.not_after) = match self.validity {
            Validity::Expired => (date_time_ymd(2001, 1, 1), date_time_ymd(2001, 12, 31)),
            Validity::Future => (date_time_ymd(4000, 1, 1), date_time_ymd(4000, 12, 31)),
            Validity::Now => (params.not_before, params.not_after),
        };
        params
    }
}

// === impl RenamingKey ===

impl PublicKeyData for RenamingKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for RenamingKey {
    fn sign(&self, msg: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(&renamed(msg))
    }
}

/// `der` with each placeholder turned into an organization, which changes no length.
fn renamed(der: &[u8]) -> Vec<u8> {
    let mut der = der.to_vec();
    for at in 4..der.len() {
        if der[at - 4..at] == [0x06, 0x03, 0x55, 0x04] && PLACEHOLDERS.contains(&der[at]) {
            der[at] = ORGANIZATION;
        }
    }
    der
}
