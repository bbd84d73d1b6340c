//! The user that a client certificate names, by Kubernetes' rules.

use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{
    der_parser::{Oid, oid},
    oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME},
    prelude::{AttributeTypeAndValue, FromDer, X509Certificate},
};

/// The attribute that holds a user's UID (Kubernetes: `AllowParsingUserUIDFromCertAuth`).
const OID_USER_UID: Oid<'static> = oid!(1.3.6.1.4.1.57683.2);

/// What the subject of a verified certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The last CN, empty if there is none.
    pub common_name: String,
    /// Each O, in order.
    pub organizations: Vec<String>,
    /// The UID attribute, empty if there is none.
    pub uid: String,
    /// SHA-256 of the certificate, in lower-case hex.
    pub fingerprint: String,
}

/// A subject that cannot be read as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedIdentity {
    /// The certificate itself is broken.
    #[error("the certificate is broken")]
    Certificate,
    /// An empty UID, or more than one.
    #[error("the subject must hold one UID that is not empty")]
    Uid,
    /// A CN, O or UID that is no text.
    #[error("an attribute of the subject is no text")]
    Value,
}

// === impl Identity ===

impl Identity {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, MalformedIdentity> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| MalformedIdentity::Certificate)?;
        let mut identity = Self {
            common_name: String::new(),
            organizations: Vec::new(),
            uid: String::new(),
            fingerprint: fingerprint(certificate),
        };
        for attribute in parsed.subject().iter_attributes() {
            let oid = attribute.attr_type();
            if *oid == OID_X509_COMMON_NAME {
                identity.common_name = text(attribute)?;
            } else if *oid == OID_X509_ORGANIZATION_NAME {
                identity.organizations.push(text(attribute)?);
            } else if *oid == OID_USER_UID {
                let uid = text(attribute)?;
                if uid.is_empty() || !identity.uid.is_empty() {
                    return Err(MalformedIdentity::Uid);
                }
                identity.uid = uid;
            }
        }
        Ok(identity)
    }
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> Result<String, MalformedIdentity> {
    attribute
        .as_str()
        .map(str::to_owned)
        .map_err(|_| MalformedIdentity::Value)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        })
}
