//! What is served with.

use std::path::PathBuf;

use fleetgate_tls::{
    MinVersion,
    server::{CipherSuites, KeyExchangeGroups, NamedCertificate, Protocols, ServerOptions},
};

use super::Findings;
use crate::flags::Flags;

/// The certificate for callers that ask for no other.
#[derive(Debug)]
pub(crate) enum Certificate {
    /// `--tls-cert-file` and `--tls-private-key-file`.
    Files { certificate: PathBuf, key: PathBuf },
    /// Made at the first start and kept in `--cert-dir`.
    SelfSigned(PathBuf),
}

pub(super) fn options(flags: &Flags, findings: &mut Findings) -> Option<ServerOptions> {
    let min_version = flags
        .text("tls-min-version")
        .unwrap_or_default()
        .parse::<MinVersion>();
    let min_version = min_version.map_err(|error| findings.add("tls-min-version", error));
    let suites = CipherSuites::parse(&flags.list("tls-cipher-suites"));
    let suites = suites.map_err(|error| findings.add("tls-cipher-suites", error));
    let groups = KeyExchangeGroups::parse(&flags.ints("tls-curve-preferences"));
    let groups = groups.map_err(|error| findings.add("tls-curve-preferences", error));
    Some(ServerOptions {
        min_version: min_version.ok()?,
        cipher_suites: suites.ok()?,
        groups: groups.ok()?,
        protocols: match flags.bool("disable-http2-serving") {
            true => Protocols::Http1,
            false => Protocols::Http1AndHttp2,
        },
    })
}

pub(super) fn certificate(flags: &Flags, findings: &mut Findings) -> Option<Certificate> {
    let given = |flag| flags.text(flag).is_some();
    match (given("tls-cert-file"), given("tls-private-key-file")) {
        (false, false) => {
            let dir = flags.text("cert-dir").map(PathBuf::from);
            if dir.is_none() {
                findings.add("cert-dir", "must be given without --tls-cert-file");
            }
            dir.map(Certificate::SelfSigned)
        }
        (true, true) => {
            let certificate = findings.file(flags, "tls-cert-file");
            let key = findings.file(flags, "tls-private-key-file");
            certificate
                .zip(key)
                .map(|(certificate, key)| Certificate::Files { certificate, key })
        }
        (true, false) | (false, true) => {
            findings.add(
                "tls-cert-file",
                "must be given together with --tls-private-key-file",
            );
            None
        }
    }
}

pub(super) fn named(flags: &Flags, findings: &mut Findings) -> Vec<NamedCertificate> {
    let mut named = Vec::new();
    for value in flags.list("tls-sni-cert-key") {
        match value.parse() {
            Ok(certificate) => named.push(certificate),
            Err(error) => {
                let error: fleetgate_tls::server::NamedCertificateError = error;
                findings.add("tls-sni-cert-key", format_args!("{value:?}: {error}"));
            }
        }
    }
    named
}
