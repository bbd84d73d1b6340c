//! Flags: logs.

use super::flag;
use crate::flags::{
    Flag,
    Kind::{Bool, Duration, Int, Text, Uint},
};

/// Logs.
pub(in crate::flags) const LOGGING: &[Flag] = &[
    flag(
        "add-dir-header",
        Bool,
        "",
        "Accepted; log lines carry no file.",
    ),
    flag("alsologtostderr", Bool, "", "Accepted; logs go to stderr."),
    flag(
        "alsologtostderrthreshold",
        Text,
        "",
        "Accepted; logs go to stderr.",
    ),
    flag(
        "legacy-stderr-threshold-behavior",
        Bool,
        "true",
        "Accepted.",
    ),
    flag("log-backtrace-at", Text, ":0", "Accepted."),
    flag("log-dir", Text, "", "Accepted; logs go to stderr."),
    flag("log-file", Text, "", "Accepted; logs go to stderr."),
    flag("log-file-max-size", Uint, "1800", "Accepted."),
    flag(
        "log-flush-frequency",
        Duration,
        "5s",
        "Accepted; nothing is held back.",
    ),
    flag("log-json-info-buffer-size", Text, "", "Accepted."),
    flag("log-json-split-stream", Bool, "", "Accepted."),
    flag("log-text-info-buffer-size", Text, "", "Accepted."),
    flag("log-text-split-stream", Bool, "", "Accepted."),
    flag(
        "logging-format",
        Text,
        "text",
        "Form of the log: text or json.",
    ),
    flag("logtostderr", Bool, "true", "Accepted; logs go to stderr."),
    flag("one-output", Bool, "", "Accepted."),
    flag("skip-headers", Bool, "", "Accepted."),
    flag("skip-log-headers", Bool, "", "Accepted."),
    flag("stderrthreshold", Text, "2", "Accepted."),
    flag(
        "v",
        Int,
        "",
        "Log level: 0 to 3 info, 4 and 5 debug, 6 and above trace.",
    ),
    flag("vmodule", Text, "", "Accepted."),
];
