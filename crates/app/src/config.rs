//! What the flags mean: values that each part can use as they are, or every finding at once.

mod storage;
mod tls;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use fleetgate_authn::{HeaderNames, RequestHeader};
use fleetgate_proxy::{ConstrainedImpersonation, InFlightLimits};
use fleetgate_tls::server::{NamedCertificate, ServerOptions};

pub(crate) use self::{
    storage::{Backend, Encryption, Storage},
    tls::Certificate,
};
use crate::flags::Flags;

/// All that the server is told.
#[derive(Debug)]
pub struct Config {
    pub(crate) serving: Serving,
    pub(crate) storage: Storage,
    pub(crate) host: Host,
    pub(crate) authn: Authn,
    pub(crate) authz: Authz,
    pub(crate) members: Members,
    pub(crate) in_flight: InFlightLimits,
    pub(crate) log: Log,
    /// `--audit-policy-file` is given.
    pub(crate) wants_audit: bool,
    /// `--shutdown-grace-period`.
    pub(crate) grace: Duration,
    /// The feature gate `CustomizedClusterResourceModeling`.
    pub(crate) resource_modeling: bool,
}

/// Where and how callers are served.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) tls: ServerOptions,
    pub(crate) certificate: Certificate,
    pub(crate) named: Vec<NamedCertificate>,
    pub(crate) max_streams: u32,
    pub(crate) share_port: bool,
}

/// Kubeconfigs of the host; without one, what a pod finds in its cluster.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) authn_kubeconfig: Option<PathBuf>,
    pub(crate) authz_kubeconfig: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct Authn {
    pub(crate) client_ca_file: Option<PathBuf>,
    pub(crate) request_header: Option<RequestHeader>,
    pub(crate) skip_lookup: bool,
    pub(crate) tolerate_failure: bool,
    pub(crate) token_ttl: Duration,
}

#[derive(Debug)]
pub(crate) struct Authz {
    pub(crate) always_allow: Vec<String>,
    pub(crate) allowed_ttl: Duration,
    pub(crate) denied_ttl: Duration,
    /// The feature gate `ConstrainedImpersonation`.
    pub(crate) constrained_impersonation: ConstrainedImpersonation,
}

#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) allow_plain_http: bool,
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) json: bool,
    pub(crate) verbosity: i64,
}

/// What cannot be used: one line for each finding, each with its flag, as a terminal shows it
/// behind `error: `.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(Vec<String>);

/// Collects findings, so that one run tells all of them.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

// === impl Config ===

impl Config {
    /// Reads `flags`.
    ///
    /// # Errors
    /// [`ConfigError`] with every value that cannot be used and every file that cannot be read.
    pub fn new(flags: &Flags) -> Result<Self, ConfigError> {
        let mut findings = Findings::default();
        let file = |name: &str, findings: &mut Findings| findings.file(flags, name);
        let host = Host {
            kubeconfig: file("kubeconfig", &mut findings),
            authn_kubeconfig: file("authentication-kubeconfig", &mut findings),
            authz_kubeconfig: file("authorization-kubeconfig", &mut findings),
        };
        let serving = serving(flags, &mut findings);
        let storage = storage::storage(flags, &mut findings);
        let authn = authn(flags, &mut findings);
        let log = log(flags, &mut findings);
        let gates = flags.gates();
        let in_flight = InFlightLimits {
            reading: limit("max-requests-inflight", flags, &mut findings),
            mutating: limit("max-mutating-requests-inflight", flags, &mut findings),
        };
        let connect_timeout = positive("member-connect-timeout", flags, &mut findings);
        let request_timeout = positive("member-request-timeout", flags, &mut findings);
        let (Some(serving), Some(storage), true) = (serving, storage, findings.0.is_empty()) else {
            return Err(ConfigError(findings.0));
        };
        Ok(Self {
            serving,
            storage,
            host,
            authn,
            authz: Authz {
                always_allow: flags.list("authorization-always-allow-paths"),
                allowed_ttl: flags.duration("authorization-webhook-cache-authorized-ttl"),
                denied_ttl: flags.duration("authorization-webhook-cache-unauthorized-ttl"),
                constrained_impersonation: match gates["ConstrainedImpersonation"] {
                    true => ConstrainedImpersonation::Enabled,
                    false => ConstrainedImpersonation::Disabled,
                },
            },
            members: Members {
                connect_timeout,
                request_timeout,
                allow_plain_http: flags.bool("allow-plain-http-members"),
            },
            in_flight,
            log,
            wants_audit: flags.text("audit-policy-file").is_some(),
            grace: flags.duration("shutdown-grace-period"),
            resource_modeling: gates["CustomizedClusterResourceModeling"],
        })
    }
}

fn serving(flags: &Flags, findings: &mut Findings) -> Option<Serving> {
    let ip = flags
        .ip("bind-address")
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let port = u16::try_from(flags.int("secure-port")).ok();
    if port.is_none() {
        findings.add("secure-port", "must be between 0 and 65535, inclusive");
    }
    let streams = u32::try_from(flags.int("http2-max-streams-per-connection")).ok();
    if streams.is_none() {
        findings.add(
            "http2-max-streams-per-connection",
            "can not be a negative value",
        );
    }
    Some(Serving {
        tls: tls::options(flags, findings)?,
        certificate: tls::certificate(flags, findings)?,
        named: tls::named(flags, findings),
        address: SocketAddr::new(ip, port?),
        max_streams: streams.filter(|&n| n > 0).unwrap_or(250),
        share_port: flags.bool("permit-port-sharing"),
    })
}

fn authn(flags: &Flags, findings: &mut Findings) -> Authn {
    let names = HeaderNames::parse(
        &flags.list("requestheader-username-headers"),
        &flags.list("requestheader-uid-headers"),
        &flags.list("requestheader-group-headers"),
        &flags.list("requestheader-extra-headers-prefix"),
    );
    let names = names.map_err(|error| findings.add("requestheader-username-headers", error));
    let ca_file = findings.file(flags, "requestheader-client-ca-file");
    let request_header = ca_file
        .zip(names.ok())
        .map(|(ca_file, headers)| RequestHeader {
            ca_file,
            allowed_names: flags.list("requestheader-allowed-names"),
            headers,
        });
    Authn {
        client_ca_file: findings.file(flags, "client-ca-file"),
        request_header,
        skip_lookup: flags.bool("authentication-skip-lookup"),
        tolerate_failure: flags.bool("authentication-tolerate-lookup-failure"),
        token_ttl: flags.duration("authentication-token-webhook-cache-ttl"),
    }
}

/// How many requests are served at a time; 0 means any number.
fn limit(flag: &str, flags: &Flags, findings: &mut Findings) -> usize {
    usize::try_from(flags.int(flag)).unwrap_or_else(|_| {
        findings.add(flag, "can not be negative value");
        0
    })
}

/// A time limit in which something can come about.
fn positive(flag: &str, flags: &Flags, findings: &mut Findings) -> Duration {
    let time = flags.duration(flag);
    if time.is_zero() {
        findings.add(flag, "must be greater than 0");
    }
    time
}

fn log(flags: &Flags, findings: &mut Findings) -> Log {
    let format = flags.text("logging-format").unwrap_or_default();
    if !matches!(format.as_str(), "json" | "text") {
        findings.add(
            "logging-format",
            format_args!("{format:?} is neither text nor json"),
        );
    }
    Log {
        json: format == "json",
        verbosity: flags.int("v"),
    }
}

// === impl Findings ===

impl Findings {
    fn add(&mut self, flag: &str, what: impl fmt::Display) {
        self.0.push(format!("--{flag}: {what}"));
    }

    /// The file that `flag` names, if it can be read.
    fn file(&mut self, flags: &Flags, flag: &str) -> Option<PathBuf> {
        let path = PathBuf::from(flags.text(flag)?);
        self.readable(flag, &path).then_some(path)
    }

    fn readable(&mut self, flag: &str, path: &Path) -> bool {
        match std::fs::File::open(path) {
            Ok(_) => true,
            Err(error) => {
                self.add(
                    flag,
                    format_args!("cannot read {}: {error}", path.display()),
                );
                false
            }
        }
    }
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\nerror: "))
    }
}

#[cfg(test)]
mod tests;
