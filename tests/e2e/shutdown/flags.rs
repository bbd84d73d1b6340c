//! A command line that cannot be used: one line that says why, and nothing was started.

use std::{net::TcpListener, process::Output, time::Duration};

use fleetgate_tests::{environment::variable, fleet, ports};
use tokio::{process::Command, time::timeout};

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_unknown_flag() {
    check(&["--no-such-flag=1"], 1, "unknown flag: --no-such-flag").await;
}

#[tokio::test]
async fn a_value_of_another_type() {
    let says = "invalid argument \"soon\" for \"--shutdown-grace-period\" flag: ";
    check(&["--shutdown-grace-period=soon"], 1, says).await;
    let says = "invalid argument \"many\" for \"--http2-max-streams-per-connection\" flag: ";
    check(&["--http2-max-streams-per-connection=many"], 1, says).await;
}

#[tokio::test]
async fn an_unknown_feature_gate() {
    let says = "invalid argument \"Flying=true\" for \"--feature-gates\" flag: \
        unrecognized feature gate: Flying";
    check(&["--feature-gates=Flying=true"], 1, says).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read() {
    let says = "--client-ca-file: cannot read /nowhere/ca.crt: No such file or directory";
    check(&["--client-ca-file=/nowhere/ca.crt"], 64, says).await;
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = format!("--secure-port={}", address.port());
    check(&[&port], 1, &format!("cannot listen on {address}: ")).await;
}

/// Runs the server with the fleet's arguments, a port and data of its own, and `flags` last.
/// Panics unless it exits with `code`, with one line that has `says` in it, having made nothing.
async fn check(flags: &[&str], code: i32, says: &str) {
    let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
    let (data, port) = (dir.path().join("data"), ports::take());
    let args = std::fs::read_to_string(variable("FLEET_SERVER_ARGS_FILE")).unwrap();
    let mut command = Command::new(variable("FLEET_SERVER_BIN"));
    command
        .args(args.lines())
        .arg(format!("--data-dir={}", data.display()))
        .arg(format!("--secure-port={port}"))
        .args(flags)
        .kill_on_drop(true);
    let ended = timeout(LIMIT, command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = ended.expect("it ends by itself").unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{says:?} in {stderr}");
    // Beside the log, where it has begun.
    let said = stderr.lines().filter(|line| !line.contains(" INFO "));
    assert_eq!(said.count(), 1, "{stderr}");
    assert_eq!(stdout, b"");
    assert!(!data.exists(), "no store was made");
}
