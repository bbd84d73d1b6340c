//! Flags: what karmada-aggregated-apiserver does not have.

use super::flag;
use crate::flags::{
    Flag,
    Kind::{Bool, Duration, Int, Text},
};

/// What karmada-aggregated-apiserver does not have.
pub(in crate::flags) const OURS: &[Flag] = &[
    flag(
        "allow-plain-http-members",
        Bool,
        "",
        "Send tokens to members whose endpoint is plain http.",
    ),
    flag("data-dir", Text, "", "Folder of the embedded store."),
    flag(
        "max-mutating-requests-inflight",
        Int,
        "200",
        "How many requests that change something are served at a time; 0 for any number.",
    ),
    flag(
        "max-requests-inflight",
        Int,
        "400",
        "How many requests that change nothing are served at a time; 0 for any number.",
    ),
    flag(
        "member-connect-timeout",
        Duration,
        "10s",
        "For each step of connecting to a member: name, TCP, forward proxy, TLS.",
    ),
    flag(
        "member-request-timeout",
        Duration,
        "1m0s",
        "How long a member may take until it begins to answer a request that does not last.",
    ),
    flag(
        "shutdown-grace-period",
        Duration,
        "20s",
        "How long requests, watches and upgrades may go on after SIGTERM.",
    ),
];
