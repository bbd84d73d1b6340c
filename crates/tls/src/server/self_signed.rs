//! A certificate of our own, for when the operator gives none.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::{CertificateSource, PemPair};

/// How long the certificate is valid, as Kubernetes makes them.
const LIFETIME: Duration = Duration::from_hours(365 * 24);
/// How far back its validity starts, for clocks that are behind.
const BACKDATED: Duration = Duration::from_hours(1);

/// A certificate cannot be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name is no host name, or the key cannot be made.
    #[error("cannot make a self-signed certificate")]
    Generate(#[source] rcgen::Error),
    /// Only one file of the pair exists.
    #[error("{} exists without the other file of the pair", .0.display())]
    HalfAPair(PathBuf),
    /// The files cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The certificate `apiserver.crt` with `apiserver.key` in `cert_dir`, made for `names` (host names
/// and addresses, the first being the common name) where the files do not exist. Without a
/// directory the certificate lives in memory.
///
/// # Errors
/// [`SelfSignedError`].
pub fn self_signed(
    cert_dir: Option<&Path>,
    names: &[String],
) -> Result<CertificateSource, SelfSignedError> {
    let Some(dir) = cert_dir else {
        return generate(names).map(CertificateSource::Memory);
    };
    let (certificate, key) = (dir.join("apiserver.crt"), dir.join("apiserver.key"));
    match (certificate.exists(), key.exists()) {
        (true, true) => {}
        (true, false) => return Err(SelfSignedError::HalfAPair(certificate)),
        (false, true) => return Err(SelfSignedError::HalfAPair(key)),
        (false, false) => {
            let pair = generate(names)?;
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(dir)
                .map_err(|source| SelfSignedError::Write {
                    path: dir.to_owned(),
                    source,
                })?;
            write(&key, &pair.key, 0o600)?;
            write(&certificate, &pair.certificate, 0o644)?;
        }
    }
    Ok(CertificateSource::Files { certificate, key })
}

/// A leaf for `names`, signed by a CA that exists only here, with that CA behind it in the chain.
pub(crate) fn generate(names: &[String]) -> Result<PemPair, SelfSignedError> {
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let host = names.first().map_or("localhost", String::as_str);

    let mut ca = validity(CertificateParams::default(), now);
    ca.distinguished_name
        .push(DnType::CommonName, format!("{host}-ca@{seconds}"));
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    let ca_key = KeyPair::generate().map_err(SelfSignedError::Generate)?;
    let ca_certificate = ca.self_signed(&ca_key).map_err(SelfSignedError::Generate)?;

    let params = CertificateParams::new(names).map_err(SelfSignedError::Generate)?;
    let mut leaf = validity(params, now);
    leaf.distinguished_name
        .push(DnType::CommonName, format!("{host}@{seconds}"));
    leaf.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let leaf_key = KeyPair::generate().map_err(SelfSignedError::Generate)?;
    let leaf_certificate = leaf
        .signed_by(&leaf_key, &Issuer::new(ca, ca_key))
        .map_err(SelfSignedError::Generate)?;

    Ok(PemPair {
        certificate: (leaf_certificate.pem() + &ca_certificate.pem()).into_bytes(),
        key: leaf_key.serialize_pem().into_bytes(),
    })
}

fn validity(mut params: CertificateParams, now: SystemTime) -> CertificateParams {
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LIFETIME).into();
    params
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), SelfSignedError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(|source| SelfSignedError::Write {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{SelfSignedError, self_signed};
    use crate::server::{CertificateSource, ServingCertificates};

    fn names() -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    }

    #[tokio::test]
    async fn the_pair_is_written_once_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("made/below");
        let source = self_signed(Some(&dir), &names()).expect("made");
        ServingCertificates::load(source, Vec::new())
            .await
            .expect("usable");
        let first = fs::read(dir.join("apiserver.crt")).expect("written");
        let mode = fs::metadata(dir.join("apiserver.key"))
            .expect("written")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        self_signed(Some(&dir), &names()).expect("kept");
        assert_eq!(fs::read(dir.join("apiserver.crt")).expect("kept"), first);

        fs::remove_file(dir.join("apiserver.key")).expect("removed");
        let half = self_signed(Some(&dir), &names());
        assert!(
            matches!(half, Err(SelfSignedError::HalfAPair(_))),
            "{half:?}"
        );
    }

    #[tokio::test]
    async fn without_a_directory_nothing_is_written() {
        let source = self_signed(None, &names()).expect("made");
        assert!(matches!(source, CertificateSource::Memory(_)));
        ServingCertificates::load(source, Vec::new())
            .await
            .expect("usable");
    }
}
