//! Pods on a real node: logs, exec, attach, cp and port-forward.

use std::{fs, time::Duration};

use fleetgate_tests::{command::Running, fleet, node::Node};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
    time::{Instant, timeout},
};

use super::{Way, each_way};

const SOON: Duration = Duration::from_secs(60);
/// Longer than the minute after which Karmada's server and others end what they take for short.
const LONG: Duration = Duration::from_secs(70);
/// kubectl speaks WebSocket unless told otherwise, and then SPDY, as older ones do.
const PROTOCOLS: [&str; 2] = ["true", "false"];

/// A pod with a shell, tools and a web server, for all tests that do not disturb it.
async fn toolbox(node: &Node) -> &'static str {
    static TOOLBOX: OnceCell<()> = OnceCell::const_new();
    const NAME: &str = "guide-toolbox";
    let start = async || {
        let script = "mkdir /www && seq 1 200000 > /www/numbers && httpd -p 127.0.0.1:18080 -h /www \
                      && exec sleep 2147483647";
        node.run(&node.pod(NAME, script)).await;
    };
    TOOLBOX.get_or_init(start).await;
    NAME
}

/// A pod that prints a number every half second.
async fn ticker(node: &Node) -> &'static str {
    static TICKER: OnceCell<()> = OnceCell::const_new();
    const NAME: &str = "guide-ticker";
    let start = async || {
        let script = "i=0; while true; do echo tick $i; i=$((i+1)); sleep 0.5; done";
        node.run(&node.pod(NAME, script)).await;
    };
    TICKER.get_or_init(start).await;
    NAME
}

async fn logs_follow_for_longer_than_a_minute(way: Way) {
    let Some(node) = Node::needed_by("logs -f") else {
        return;
    };
    let pod = ticker(&node).await;
    let kubectl = way.member1().await;
    let mut logs = kubectl.call(&format!("logs --follow {pod}")).start();
    let start = Instant::now();
    let mut next = 0;
    while start.elapsed() < LONG + Duration::from_secs(2) {
        let line = logs.line(SOON).await;
        assert_eq!(line, format!("tick {next}"));
        next += 1;
    }
    // What was there already came at once, what comes now comes as it is written.
    assert!(next > 120, "{next} lines in {LONG:?}");
    logs.kill().await;
    let tail = kubectl.ok(&format!("logs --tail=2 {pod}")).await;
    assert_eq!(tail.lines().count(), 2, "{tail}");
}

async fn exec_carries_stdin_stdout_stderr_and_the_exit_code(way: Way) {
    let Some(node) = Node::needed_by("exec") else {
        return;
    };
    let pod = toolbox(&node).await;
    let kubectl = way.member1().await;
    let sent: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    for websocket in PROTOCOLS {
        let exec = |words: &str| {
            kubectl
                .call(&format!("exec {words}"))
                .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websocket)
        };
        // wc answers only when the end of standard input has come through.
        let count = exec(&format!("--stdin {pod} -- wc -c")).stdin(sent.clone());
        assert_eq!(count.ok().await.trim(), sent.len().to_string());
        let output = exec(&format!("{pod} -- sh -c"))
            .arg("echo out; echo err >&2; exit 7")
            .output()
            .await;
        assert_eq!(output.stdout, "out\n", "{output:#?}");
        assert!(output.stderr.starts_with("err\n"), "{output:#?}");
        assert_eq!(output.status.code(), Some(7), "{output:#?}");
    }
}

async fn exec_answers_while_its_stdin_is_open(way: Way) {
    let Some(node) = Node::needed_by("exec with stdin") else {
        return;
    };
    let pod = toolbox(&node).await;
    let kubectl = way.member1().await;
    let mut shell = kubectl.call(&format!("exec --stdin {pod} -- sh")).start();
    for number in 1..=3 {
        shell
            .write(format!("echo answer $(({number} * 11))\n").as_bytes())
            .await;
        let line = shell.line(SOON).await;
        assert_eq!(line, format!("answer {}", number * 11));
    }
    shell.close_stdin();
    let output = shell.finish().await;
    assert!(output.status.success(), "{output:#?}");
}

async fn exec_gives_a_terminal(way: Way) {
    let Some(node) = Node::needed_by("exec with a terminal") else {
        return;
    };
    let pod = toolbox(&node).await;
    let kubectl = way.member1().await;
    for websocket in PROTOCOLS {
        let mut terminal = kubectl
            .call(&format!("exec --stdin --tty {pod} -- sh"))
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websocket)
            .in_terminal()
            .start();
        terminal
            .write(b"stty cols 77 rows 33; stty size; tty\n")
            .await;
        terminal.line_with(SOON, "33 77").await;
        terminal.line_with(SOON, "/dev/pts/").await;
        terminal.write(b"exit 5\n").await;
        let output = terminal.finish().await;
        assert_eq!(output.status.code(), Some(5), "{output:#?}");
    }
}

async fn attach_joins_the_running_process(way: Way) {
    let Some(node) = Node::needed_by("attach") else {
        return;
    };
    let name = format!("guide-attach-{}", format!("{way:?}").to_lowercase());
    let script = "while :; do echo running; sleep 0.2; done &
        while read -r line; do echo heard $line; done";
    node.run(&node.pod(&name, script)).await;
    let kubectl = way.member1().await;
    let mut attached = kubectl.call(&format!("attach --stdin {name}")).start();
    // containerd passes standard input on before it listens to the output: an answer to what came
    // at once may be in the logs only.
    attached.line_with(SOON, "running").await;
    attached.write(b"one\n").await;
    attached.line_with(SOON, "heard one").await;
    attached.write(b"two\n").await;
    attached.line_with(SOON, "heard two").await;
    attached.kill().await;
    let logs = kubectl.ok(&format!("logs {name}")).await;
    let heard: Vec<_> = logs.lines().filter(|line| *line != "running").collect();
    assert_eq!(heard, ["heard one", "heard two"], "{logs}");
    kubectl.ok(&format!("delete pod {name} --wait=false")).await;
}

async fn cp_copies_both_ways(way: Way) {
    let Some(node) = Node::needed_by("cp") else {
        return;
    };
    let pod = toolbox(&node).await;
    let kubectl = way.member1().await;
    let here = tempfile::tempdir().unwrap();
    let there = format!("/tmp/cp-{way:?}");
    let sent = here.path().join("sent");
    fs::create_dir_all(sent.join("deep/er")).unwrap();
    let bytes: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(sent.join("big"), &bytes).unwrap();
    fs::write(sent.join("deep/er/small"), "small").unwrap();
    kubectl.ok(&format!("exec {pod} -- rm -rf {there}")).await;
    kubectl
        .ok(&format!("cp {} {pod}:{there}", sent.display()))
        .await;
    let back = here.path().join("back");
    kubectl
        .ok(&format!("cp {pod}:{there} {}", back.display()))
        .await;
    assert!(fs::read(back.join("big")).unwrap() == bytes, "big differs");
    assert_eq!(
        fs::read_to_string(back.join("deep/er/small")).unwrap(),
        "small"
    );
}

async fn port_forward_carries_several_connections(way: Way) {
    let Some(node) = Node::needed_by("port-forward") else {
        return;
    };
    let pod = toolbox(&node).await;
    let kubectl = way.member1().await;
    let want: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    for websocket in PROTOCOLS {
        let mut forward = kubectl
            .call(&format!(
                "port-forward --address=127.0.0.1 pod/{pod} :18080"
            ))
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websocket)
            .start();
        let port = forwarded_port(&mut forward).await;
        // Two at once, then another: none may end the others.
        let (one, two) = tokio::join!(fetch(port, "/numbers"), fetch(port, "/numbers"));
        let three = fetch(port, "/numbers").await;
        for body in [one, two, three] {
            assert!(body == want, "{} bytes of {}", body.len(), want.len());
        }
        forward.kill().await;
    }
}

async fn forwarded_port(forward: &mut Running) -> u16 {
    let line = forward.line_with(SOON, "Forwarding from 127.0.0.1:").await;
    let rest = line.rsplit_once("127.0.0.1:").unwrap().1;
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

/// The body of what a web server has at `path`.
async fn fetch(port: u16, path: &str) -> String {
    let exchange = async {
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(SOON, exchange).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    body.to_owned()
}

each_way!(
    attach_joins_the_running_process,
    cp_copies_both_ways,
    exec_answers_while_its_stdin_is_open,
    exec_carries_stdin_stdout_stderr_and_the_exit_code,
    exec_gives_a_terminal,
    logs_follow_for_longer_than_a_minute,
    port_forward_carries_several_connections,
);

#[tokio::test]
async fn the_node_is_seen_through_the_proxy() {
    let Some(node) = Node::needed_by("get node") else {
        return;
    };
    let kubectl = Way::HostByCertificate.member1().await;
    let table = kubectl.ok("get node").await;
    let row = table.lines().find(|line| line.starts_with(node.name()));
    assert!(row.is_some_and(|row| row.contains("Ready")), "{table}");
    let described = kubectl.ok(&format!("describe node {}", node.name())).await;
    assert!(described.contains("KubeletReady"), "{described}");
    assert!(fleet().member(1).ok("get node").await.contains(node.name()));
}
