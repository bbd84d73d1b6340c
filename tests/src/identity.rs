//! Who speaks: tokens, client certificates that the host's CA signs on the spot, kubeconfigs.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
};
use serde_json::json;

use crate::{Kubectl, environment::content, fleet};

/// By what somebody is known.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By nothing.
    Anonymous,
    /// By a certificate and its key, both PEM.
    Certificate {
        /// The chain.
        certificate: String,
        /// Its key.
        key: String,
    },
    /// By a bearer token.
    Token(String),
}

// === impl Credential ===

impl Credential {
    /// A client certificate of user `name`, in `group` if one is given, that the host and the
    /// server accept.
    pub fn certificate_of(name: &str, group: Option<&str>) -> Self {
        Self::signed_by("FLEET_HOST_CLIENT_CA", name, group)
    }

    /// The certificate by which the host presents its callers to the server.
    pub fn front_proxy() -> Self {
        Self::Certificate {
            certificate: content("FLEET_FRONT_PROXY_CERT"),
            key: content("FLEET_FRONT_PROXY_KEY"),
        }
    }

    /// `ca`: the variable that names the CA's certificate; with `_KEY` behind it, its key.
    fn signed_by(ca: &str, name: &str, group: Option<&str>) -> Self {
        let key = KeyPair::from_pem(&content(&format!("{ca}_KEY"))).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&content(ca), key).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let key = key.serialize_pem();
        Self::Certificate { certificate, key }
    }

    /// kubectl at `server`, an address with or without a path, as this caller.
    pub fn kubectl(&self, server: &str) -> Kubectl {
        Kubectl::new(self.kubeconfig(server))
    }

    /// Writes a kubeconfig by which this caller speaks to `server`, and returns where it is.
    pub fn kubeconfig(&self, server: &str) -> PathBuf {
        static WRITTEN: AtomicUsize = AtomicUsize::new(0);
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        let user = match self {
            Self::Anonymous => json!({}),
            Self::Certificate { certificate, key } => json!({
                "client-certificate-data": encode(certificate), "client-key-data": encode(key),
            }),
            Self::Token(token) => json!({"token": token}),
        };
        let ca = encode(&fleet().ca);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{
                "name": "it", "cluster": {"server": server, "certificate-authority-data": ca},
            }],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"user": "it", "cluster": "it"}}],
        });
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}.kubeconfig", std::process::id());
        let path = fleet().scratch().join(name);
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}
