//! The command line, as pflag reads it.

use std::{ffi::OsString, time::Duration};

use super::{Asked, Flags};

fn parse(args: &[&str]) -> Result<Asked, super::FlagError> {
    let args = ["server"].iter().chain(args).map(OsString::from);
    Flags::parse(args)
}

#[track_caller]
fn flags(args: &[&str]) -> Flags {
    match parse(args) {
        Ok(Asked::Serve(flags)) => *flags,
        other => panic!("{args:?}: {other:?}"),
    }
}

#[track_caller]
fn refused(args: &[&str], want: &str) {
    let error = parse(args).expect_err("a refusal").to_string();
    assert_eq!(error, want);
}

#[test]
fn values_are_read_as_pflag_reads_them() {
    let flags = flags(&[
        "--secure-port=8443",
        "--etcd-servers",
        "https://a:2379,https://b:2379",
        "--etcd_servers=https://c:2379",
        "--profiling=false",
        "--permit-port-sharing",
        "-v=4",
        "--tls-sni-cert-key=a,b",
        "--tls-sni-cert-key=c,d:e",
    ]);
    assert_eq!(flags.int("secure-port"), 8443);
    let servers = ["https://a:2379", "https://b:2379", "https://c:2379"];
    assert_eq!(flags.list("etcd-servers"), servers);
    assert!(!flags.bool("profiling") && flags.bool("permit-port-sharing"));
    assert_eq!(flags.int("v"), 4);
    assert_eq!(flags.list("tls-sni-cert-key"), ["a,b", "c,d:e"]);
}

#[test]
fn defaults_are_the_originals() {
    let flags = flags(&[]);
    assert_eq!(flags.int("secure-port"), 443);
    assert_eq!(
        flags.duration("authentication-token-webhook-cache-ttl"),
        Duration::from_secs(10)
    );
    assert_eq!(
        flags.list("authorization-always-allow-paths"),
        ["/healthz", "/readyz", "/livez"]
    );
    assert_eq!(flags.text("etcd-prefix").as_deref(), Some("/registry"));
    assert!(flags.bool("profiling") && !flags.bool("disable-http2-serving"));
    assert!(flags.gates()["CustomizedClusterResourceModeling"]);
}

#[test]
fn a_later_value_replaces_an_earlier_one() {
    assert_eq!(
        flags(&["--secure-port=1", "--secure-port=2"]).int("secure-port"),
        2
    );
}

#[test]
fn a_refusal_is_one_line_that_names_the_flag() {
    refused(&["--nope"], "unknown flag: --nope");
    refused(&["--nope=1"], "unknown flag: --nope");
    refused(&["serve"], "unknown command or argument: serve");
    refused(
        &["--secure-port=x"],
        "invalid argument \"x\" for \"--secure-port\" flag: invalid digit found in string",
    );
    refused(
        &["--bind-address=nowhere"],
        "invalid argument \"nowhere\" for \"--bind-address\" flag: invalid IP address syntax",
    );
    refused(
        &["--etcd-servers"],
        "flag needs an argument: --etcd-servers",
    );
    refused(
        &["--profiling=maybe"],
        "invalid argument \"maybe\" for \"--profiling\" flag: neither true nor false",
    );
    refused(
        &["--feature-gates=Nope=true"],
        "invalid argument \"Nope=true\" for \"--feature-gates\" flag: \
         unrecognized feature gate: Nope",
    );
}

#[test]
fn gates_are_switched() {
    let flags = flags(&["--feature-gates=CustomizedClusterResourceModeling=false,Failover=true"]);
    let gates = flags.gates();
    assert!(!gates["CustomizedClusterResourceModeling"] && gates["Failover"]);
}

#[test]
fn help_names_every_flag() {
    let Ok(Asked::Print(help)) = parse(&["--help"]) else {
        panic!("no help")
    };
    for name in [
        "etcd-servers",
        "audit-log-path",
        "logging-format",
        "data-dir",
    ] {
        assert!(help.contains(name), "{name}");
    }
}
