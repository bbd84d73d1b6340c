//! Certificates and keys of a run, written below `DIR/pki`.
//!
//! One authority signs what listens, so that a client needs one file (`ca.crt`). Each plane has an
//! authority of its own for client certificates, so that an identity of one plane means nothing to
//! another; the host has one more for its front proxy.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};

/// A certificate and its key, both PEM, and the files they stand in.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

/// A certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) identity: Identity,
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
}

/// The key pair that signs service-account tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenKey {
    pub(crate) private_file: PathBuf,
    pub(crate) public_file: PathBuf,
}

// === impl Authority ===

impl Authority {
    /// Makes an authority and writes `DIR/NAME.crt` and `DIR/NAME.key`.
    pub(crate) fn new(dir: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("fleetgate {name}"));
        let key = KeyPair::generate().context("generate a key")?;
        let cert = params
            .self_signed(&key)
            .with_context(|| format!("sign {name}"))?
            .pem();
        let identity = Identity::write(dir, name, cert, key.serialize_pem())?;
        Ok(Self {
            identity,
            issuer: Issuer::new(params, key),
            dir: dir.to_owned(),
        })
    }

    /// A certificate for something that listens as any of `names` (host names or addresses).
    pub(crate) fn server(&self, file: &str, names: &[&str]) -> Result<Identity> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).context("read the names")?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, params)
    }

    /// A certificate for the user `name`, member of `group` if there is one.
    pub(crate) fn client(&self, file: &str, name: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, params)
    }

    fn sign(&self, file: &str, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("generate a key")?;
        let cert = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("sign {file}"))?;
        Identity::write(&self.dir, file, cert.pem(), key.serialize_pem())
    }
}

// === impl Identity ===

impl Identity {
    fn write(dir: &Path, name: &str, cert: String, key: String) -> Result<Self> {
        let (cert_file, key_file) = (
            dir.join(format!("{name}.crt")),
            dir.join(format!("{name}.key")),
        );
        write_private(&cert_file, &cert)?;
        write_private(&key_file, &key)?;
        Ok(Self {
            cert,
            key,
            cert_file,
            key_file,
        })
    }
}

// === impl TokenKey ===

impl TokenKey {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let key = KeyPair::generate().context("generate a key")?;
        let (private_file, public_file) = (dir.join("sa.key"), dir.join("sa.pub"));
        write_private(&private_file, &key.serialize_pem())?;
        write_private(&public_file, &public_pem(&key))?;
        Ok(Self {
            private_file,
            public_file,
        })
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let result = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    result.with_context(|| format!("write {}", path.display()))
}

/// Makes a directory that only its owner may enter.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))
}

fn public_pem(key: &KeyPair) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let text = BASE64_STANDARD.encode(key.subject_public_key_info());
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END PUBLIC KEY-----\n"
}
