//! Where clusters are kept.

use std::{path::PathBuf, time::Duration};

use fleetgate_storage::{
    encryption::{EncryptionConfig, EncryptionConfigError},
    etcd::{EtcdConfig, EtcdIdentity, EtcdTls},
};

use super::Findings;
use crate::{flags::Flags, health::HealthTimeouts};

/// The store and the prefix of its keys (`--etcd-prefix`, for both backends, so that a store can
/// be carried over).
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) backend: Backend,
    pub(crate) prefix: String,
    pub(crate) health: HealthTimeouts,
    /// `--etcd-compaction-interval`; nothing where it is 0, which leaves it to others.
    pub(crate) compaction_interval: Option<Duration>,
    /// Nothing where values are kept as they are.
    pub(crate) encryption: Option<Encryption>,
}

/// How values are encrypted.
#[derive(Debug)]
pub(crate) struct Encryption {
    /// `--encryption-provider-config`.
    pub(crate) path: PathBuf,
    /// What the file held when the flags were read.
    pub(crate) config: EncryptionConfig,
    /// `--encryption-provider-config-automatic-reload`.
    pub(crate) reload: bool,
}

/// `--storage-backend`.
#[derive(Debug)]
pub(crate) enum Backend {
    /// One file below this folder.
    Embedded(PathBuf),
    /// An etcd cluster.
    Etcd(EtcdConfig),
}

pub(super) fn storage(flags: &Flags, findings: &mut Findings) -> Option<Storage> {
    let encryption = encryption(flags, findings);
    let backend = match flags.text("storage-backend").as_deref() {
        Some("embedded") => {
            let folder = flags.text("data-dir").map(PathBuf::from);
            if folder.is_none() {
                findings.add("data-dir", "must be given with --storage-backend=embedded");
            }
            Backend::Embedded(folder?)
        }
        None | Some("etcd3") => Backend::Etcd(etcd(flags, findings)?),
        Some(other) => {
            let what = format_args!("{other:?} is invalid, allowed values: etcd3, embedded");
            findings.add("storage-backend", what);
            return None;
        }
    };
    let prefix = flags.text("etcd-prefix").unwrap_or_default();
    let interval = flags.duration("etcd-compaction-interval");
    Some(Storage {
        backend,
        prefix,
        health: HealthTimeouts {
            live: flags.duration("etcd-healthcheck-timeout"),
            ready: flags.duration("etcd-readycheck-timeout"),
        },
        compaction_interval: (!interval.is_zero()).then_some(interval),
        encryption,
    })
}

fn encryption(flags: &Flags, findings: &mut Findings) -> Option<Encryption> {
    const FLAG: &str = "encryption-provider-config";
    const RELOAD: &str = "encryption-provider-config-automatic-reload";
    let reload = flags.bool(RELOAD);
    let Some(path) = flags.text(FLAG).map(PathBuf::from) else {
        if reload {
            findings.add(RELOAD, format_args!("must be set with --{FLAG}"));
        }
        return None;
    };
    match EncryptionConfig::load(&path) {
        Ok(config) => Some(Encryption {
            path,
            config,
            reload,
        }),
        Err(error @ EncryptionConfigError::Invalid { .. }) => {
            findings.add(FLAG, error);
            None
        }
        Err(EncryptionConfigError::Read { path, source }) => {
            let path = path.display();
            findings.add(FLAG, format_args!("cannot read {path}: {source}"));
            None
        }
    }
}

fn etcd(flags: &Flags, findings: &mut Findings) -> Option<EtcdConfig> {
    let endpoints = flags.list("etcd-servers");
    if endpoints.is_empty() {
        findings.add("etcd-servers", "must be specified");
    }
    let certificate = findings.file(flags, "etcd-certfile");
    let key = findings.file(flags, "etcd-keyfile");
    let given = |flag| flags.text(flag).is_some();
    if given("etcd-certfile") != given("etcd-keyfile") {
        findings.add(
            "etcd-certfile",
            "must be given together with --etcd-keyfile",
        );
    }
    let ca = findings.file(flags, "etcd-cafile");
    let identity = certificate
        .zip(key)
        .map(|(certificate, key)| EtcdIdentity { certificate, key });
    (!endpoints.is_empty()).then_some(EtcdConfig {
        endpoints,
        tls: EtcdTls { ca, identity },
        request_timeout: EtcdConfig::REQUEST_TIMEOUT,
        progress_interval: EtcdConfig::PROGRESS_INTERVAL,
    })
}
