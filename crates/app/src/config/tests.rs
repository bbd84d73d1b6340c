//! What is refused before anything starts.

use std::ffi::OsString;

use fleetgate_proxy::ConstrainedImpersonation;

use super::{Config, ConfigError};
use crate::flags::{Asked, Flags};

fn config(args: &[&str]) -> Result<Config, ConfigError> {
    let args = ["server"].iter().chain(args).map(OsString::from);
    let Ok(Asked::Serve(flags)) = Flags::parse(args) else {
        panic!("the flags do not parse")
    };
    Config::new(&flags)
}

#[track_caller]
fn refused(args: &[&str], want: &[&str]) {
    let error = config(args).expect_err("a refusal").to_string();
    assert_eq!(error.split("\nerror: ").collect::<Vec<_>>(), want);
}

#[test]
fn a_store_must_be_named() {
    refused(&[], &["--etcd-servers: must be specified"]);
    let embedded = "--storage-backend=embedded";
    refused(
        &[embedded],
        &["--data-dir: must be given with --storage-backend=embedded"],
    );
    assert!(config(&[embedded, "--data-dir=x"]).is_ok());
}

#[test]
fn all_findings_are_told_at_once_each_with_its_flag() {
    let args = [
        "--kubeconfig=/nowhere/a",
        "--secure-port=70000",
        "--tls-min-version=VersionTLS9",
        "--logging-format=xml",
        "--tls-cert-file=/nowhere/b",
        "--storage-backend=paper",
    ];
    refused(
        &args,
        &[
            "--kubeconfig: cannot read /nowhere/a: No such file or directory (os error 2)",
            "--secure-port: must be between 0 and 65535, inclusive",
            "--tls-min-version: unknown tls version \"VersionTLS9\"",
            "--storage-backend: \"paper\" is invalid, allowed values: etcd3, embedded",
            "--logging-format: \"xml\" is neither text nor json",
        ],
    );
}

#[test]
fn half_a_key_pair_is_refused() {
    refused(
        &["--etcd-servers=http://a", "--etcd-certfile=/dev/null"],
        &["--etcd-certfile: must be given together with --etcd-keyfile"],
    );
    refused(
        &["--etcd-servers=http://a", "--tls-cert-file=/dev/null"],
        &["--tls-cert-file: must be given together with --tls-private-key-file"],
    );
}

#[test]
fn an_encryption_configuration_is_checked_with_the_flags() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    let flag = format!("--encryption-provider-config={path}");
    let args = ["--etcd-servers=http://a", &flag];
    let write = |text: &str| std::fs::write(file.path(), text).expect("a file of ours");
    write(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: ['*.*']\n  providers:\n  - identity: {}\n",
    );
    assert!(config(&args).is_ok());
    write(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: ['*.*']\n  providers:\n  - kms: {name: a, endpoint: 'unix:///a'}\n",
    );
    let kms = "resources[0].providers[0].kms: KMS providers are not supported, neither v1 nor v2";
    refused(
        &args,
        &[&format!("--encryption-provider-config: {path}: {kms}")],
    );
    refused(
        &[
            "--etcd-servers=http://a",
            "--encryption-provider-config=/nowhere/a",
        ],
        &[
            "--encryption-provider-config: cannot read /nowhere/a: No such file or directory (os error 2)",
        ],
    );
    refused(
        &[
            "--etcd-servers=http://a",
            "--encryption-provider-config-automatic-reload",
        ],
        &[
            "--encryption-provider-config-automatic-reload: must be set with --encryption-provider-config",
        ],
    );
}

#[test]
fn the_limits_of_requests_at_a_time_are_kubernetes_own_and_not_negative() {
    let store = ["--storage-backend=embedded", "--data-dir=x"];
    let limits = config(&store).expect("fine").in_flight;
    assert_eq!((limits.reading, limits.mutating), (400, 200));
    let flags = [
        "--max-requests-inflight=-1",
        "--max-mutating-requests-inflight=-1",
    ];
    refused(
        &[store, flags].concat(),
        &[
            "--max-requests-inflight: can not be negative value",
            "--max-mutating-requests-inflight: can not be negative value",
        ],
    );
}

#[test]
fn constrained_impersonation_is_on_unless_its_gate_is_shut() {
    let gate = |gate: &str| {
        let args = ["--storage-backend=embedded", "--data-dir=x", gate];
        config(&args).expect("fine").authz.constrained_impersonation
    };
    let shut = "--feature-gates=ConstrainedImpersonation=false";
    assert_eq!(gate("--v=0"), ConstrainedImpersonation::Enabled);
    assert_eq!(gate(shut), ConstrainedImpersonation::Disabled);
}

#[test]
fn a_time_limit_in_which_nothing_comes_about_is_refused() {
    let store = ["--storage-backend=embedded", "--data-dir=x"];
    for flag in ["--member-connect-timeout", "--member-request-timeout"] {
        let zero = format!("{flag}=0s");
        let want = format!("{flag}: must be greater than 0");
        refused(&[store[0], store[1], &zero], &[&want]);
    }
}

#[test]
fn any_number_of_requests_may_be_in_flight() {
    let most = format!("--max-requests-inflight={}", i64::MAX);
    let config = config(&["--storage-backend=embedded", "--data-dir=x", &most]);
    let limits = config.expect("a number").in_flight;
    let metrics = fleetgate_proxy::Metrics::register(&mut Default::default());
    fleetgate_proxy::InFlightLayer::new(limits, &metrics);
}
