//! Members that are behind the times: what their callers do instead, and that we let them.

use fleetgate_tests::{
    fleet,
    member::Member,
    node::Node,
    proxy_path,
    refusing_front::RefusingFront,
    registration::Registration,
    wait::{SOON, check, until},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The pod, and the port on which it serves the file that it is named in.
const POD: &str = "old-member";
const PORT: u16 = 18_090;

#[tokio::test]
async fn kubectl_speaks_spdy_where_a_member_refuses_websockets() {
    let Some(node) = Node::needed_by("exec without WebSockets") else {
        return;
    };
    let script = format!(
        "mkdir /www && echo served > /www/{POD} && httpd -p 127.0.0.1:{PORT} -h /www \
         && exec sleep 2147483647"
    );
    node.run(&node.pod(POD, &script)).await;
    let member = Member::new(1).await;
    let front = RefusingFront::start(member.address()).await;
    let cluster = Registration {
        ca: front.ca().to_owned(),
        token: member.token.clone(),
        ..Registration::new("old-member", &front.url())
    };
    cluster.register().await;
    for base in [&fleet().server_url, &fleet().host_url] {
        let url = format!("{base}{}", proxy_path(&cluster.name));
        let kubectl = fleet().admin().kubectl(&url);
        until("the old member is reached", SOON, async || {
            let output = kubectl.call("get --raw /version").output().await;
            check(output.status.success(), || output.stderr)
        })
        .await;

        let before = front.refused();
        let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
        let count = kubectl
            .call(&format!("exec --stdin {POD} -- wc -c"))
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "true")
            .stdin(sent.clone());
        assert_eq!(count.ok().await.trim(), sent.len().to_string());
        assert!(front.refused() > before, "a WebSocket was tried first");

        let before = front.refused();
        let forward = format!("port-forward --address=127.0.0.1 pod/{POD} :{PORT}");
        let mut forward = kubectl
            .call(&forward)
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", "true")
            .start();
        let line = forward.line_with(SOON, "Forwarding from 127.0.0.1:").await;
        let rest = line.rsplit_once("127.0.0.1:").unwrap().1;
        let port = rest.split_once(' ').unwrap().0.parse().unwrap();
        assert!(fetch(port).await.ends_with("\r\n\r\nserved\n"));
        assert!(front.refused() > before, "a WebSocket was tried first");
        forward.kill().await;
    }
    cluster.remove().await;
}

async fn fetch(port: u16) -> String {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET /{POD} HTTP/1.0\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer
}
