//! What a server finds where it is started.

use fleetgate_tests::server::ServerSpec;

#[tokio::test]
async fn a_log_that_cannot_be_written_is_lost_and_nothing_else() {
    let server = ServerSpec::default().through("exec \"$@\" 2>/dev/full");
    let server = server.start().await;
    let mut caller = server.admin().connect().await.unwrap();
    // Its refusal is logged.
    caller.get("/nothing").await.unwrap().expect(404);
    caller.get("/livez").await.unwrap().expect(200);
}

#[tokio::test]
async fn as_many_files_are_opened_as_the_hard_limit_allows() {
    let server = ServerSpec::default().through("ulimit -Sn 64; exec \"$@\"");
    let server = server.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files: Vec<_> = files.unwrap().split_whitespace().collect();
    assert_eq!(files[3], files[4], "{files:?}");
}
