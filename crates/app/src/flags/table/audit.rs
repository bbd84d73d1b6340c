//! Flags: the audit log.

use super::flag;
use crate::flags::{
    Flag,
    Kind::{Bool, Duration, Float, Int, Text},
};

/// The audit log.
pub(in crate::flags) const AUDIT: &[Flag] = &[
    flag(
        "audit-log-batch-buffer-size",
        Int,
        "10000",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-batch-max-size",
        Int,
        "1",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-batch-max-wait",
        Duration,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-batch-throttle-burst",
        Int,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-batch-throttle-enable",
        Bool,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-batch-throttle-qps",
        Float,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-compress",
        Bool,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-format",
        Text,
        "json",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-maxage",
        Int,
        "366",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-maxbackup",
        Int,
        "100",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-maxsize",
        Int,
        "100",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-mode",
        Text,
        "blocking",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-path",
        Text,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-truncate-enabled",
        Bool,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-truncate-max-batch-size",
        Int,
        "10485760",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-truncate-max-event-size",
        Int,
        "102400",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-log-version",
        Text,
        "audit.k8s.io/v1",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-policy-file",
        Text,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-buffer-size",
        Int,
        "10000",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-max-size",
        Int,
        "400",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-max-wait",
        Duration,
        "30s",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-throttle-burst",
        Int,
        "15",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-throttle-enable",
        Bool,
        "true",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-batch-throttle-qps",
        Float,
        "10",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-config-file",
        Text,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-initial-backoff",
        Duration,
        "10s",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-mode",
        Text,
        "batch",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-truncate-enabled",
        Bool,
        "",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-truncate-max-batch-size",
        Int,
        "10485760",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-truncate-max-event-size",
        Int,
        "102400",
        "Accepted; the audit log comes with a later release.",
    ),
    flag(
        "audit-webhook-version",
        Text,
        "audit.k8s.io/v1",
        "Accepted; the audit log comes with a later release.",
    ),
];
