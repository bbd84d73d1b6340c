//! Members behind HTTP, HTTPS and SOCKS 5 proxies: requests, watches and upgrades alike.

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use fleetgate_model::{Class, ForwardProxy, Hop, Redacted};
use fleetgate_stack::Body;
use fleetgate_testkit::{Answer, FakeMember, Received, UpgradeScript};
use http::{Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use crate::support::{
    Pki, RawServer, Setup, SetupBuilder, assert_failed, assert_timed_out, assert_untrusted,
    free_address, request,
};

/// What proxies were asked.
type Asked = Arc<Mutex<Vec<String>>>;

/// Reads a CONNECT, answers it with `answer`, and connects to where it asks if that is a 200.
async fn connect_proxy<S>(mut stream: S, asked: Asked, answer: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    let head = String::from_utf8(head).expect("text");
    let to = head.split(' ').nth(1).expect("a target").to_owned();
    asked.lock().push(head);
    let answer = format!("HTTP/1.1 {answer}\r\nVia: test\r\nContent-Length: 0\r\n\r\n");
    if !answer.contains(" 200 ") {
        stream.write_all(answer.as_bytes()).await.expect("sent");
        return;
    }
    let mut member = TcpStream::connect(to).await.expect("a member");
    stream.write_all(answer.as_bytes()).await.expect("sent");
    copy_bidirectional(&mut stream, &mut member).await.ok();
}

/// Speaks SOCKS 5: wants `login` where there is one, and answers requests with `reply`.
async fn socks_proxy(mut stream: TcpStream, asked: Asked, login: Option<&str>, reply: u8) {
    let count = stream.read_u16().await.expect("a greeting") & 0xff;
    let mut methods = vec![0; usize::from(count)];
    stream.read_exact(&mut methods).await.expect("methods");
    let wanted = if login.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return stream.write_all(&[5, 0xff]).await.expect("sent");
    }
    stream.write_all(&[5, wanted]).await.expect("sent");
    if let Some(login) = login {
        stream.read_u8().await.expect("a version");
        let user = sized(&mut stream).await;
        let password = sized(&mut stream).await;
        let wrong = u8::from(format!("{user}:{password}") != login);
        stream.write_all(&[1, wrong]).await.expect("sent");
        if wrong == 1 {
            return;
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.expect("a request");
    let host = match head {
        [5, 1, 0, 1] => {
            let address = stream.read_u32().await.expect("an address");
            std::net::Ipv4Addr::from(address).to_string()
        }
        [5, 1, 0, 3] => sized(&mut stream).await,
        other => panic!("{other:?}"),
    };
    let port = stream.read_u16().await.expect("a port");
    asked.lock().push(format!("{host}:{port}"));
    // The address that the proxy connects from: a name here, which most clients never see.
    let answer = [5, reply, 0, 3, 2, b'p', b'x', 0, 1];
    stream.write_all(&answer).await.expect("sent");
    if reply == 0 {
        let member = TcpStream::connect(("127.0.0.1", port)).await;
        copy_bidirectional(&mut stream, &mut member.expect("a member"))
            .await
            .ok();
    }
}

async fn sized(stream: &mut TcpStream) -> String {
    let length = stream.read_u8().await.expect("a length");
    let mut text = vec![0; usize::from(length)];
    stream.read_exact(&mut text).await.expect("a text");
    String::from_utf8(text).expect("UTF-8")
}

fn proxy(url: String) -> ForwardProxy {
    let header = |value: &str| ("X-Tenant".to_owned(), Redacted::new(value.to_owned()));
    ForwardProxy {
        url: Redacted::new(url),
        headers: vec![header("a"), header("b")],
    }
}

/// A short request, a watch and an upgrade all reach `member`.
async fn check_reaches(member: &FakeMember, setup: &Setup) {
    setup.get_text("/", Class::Short).await;
    setup.get_text("/", Class::LongRunning).await;
    let mut exec = request(Method::POST, "/exec", Body::empty());
    let headers = exec.headers_mut();
    headers.insert(header::UPGRADE, "SPDY/3.1".parse().expect("a value"));
    headers.insert(header::CONNECTION, "Upgrade".parse().expect("a value"));
    let answer = setup.send(exec, Class::Upgrade).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
    let upgraded = hyper::upgrade::on(answer).await.expect("a stream");
    let mut stream = TokioIo::new(upgraded);
    stream.write_all(b"ping").await.expect("sent");
    stream.shutdown().await.expect("closed");
    let mut back = String::new();
    stream.read_to_string(&mut back).await.expect("an echo");
    assert_eq!(back, "pingpong");
    assert_eq!(member.received().len(), 3);
}

async fn member(pki: &Pki) -> FakeMember {
    let script = |received: &Received| match received.path.as_str() {
        "/exec" => Answer::Upgrade(UpgradeScript::EchoThen(Bytes::from_static(b"pong"))),
        _ => Answer::Echo,
    };
    FakeMember::tls(&pki.leaf).start(script).await
}

#[tokio::test]
async fn a_member_behind_an_http_proxy_is_reached() {
    let (pki, asked) = (Pki::new(), Asked::default());
    let (member, log) = (member(&pki).await, Arc::clone(&asked));
    let px = RawServer::tcp(move |_, stream| {
        let log = Arc::clone(&log);
        async move { connect_proxy(stream, log, "200 Connection established").await }
    });
    let px = px.await;
    let url = format!("http://us%40er:p%3Aw@{}", px.address);
    let setup = Setup::to(&member.url(), Some(&pki.ca))
        .through(proxy(url))
        .build();
    check_reaches(&member, &setup).await;
    let asked = asked.lock();
    assert_eq!(asked.len(), 3, "one tunnel a connection");
    for head in asked.iter() {
        let to = member.address();
        assert!(
            head.starts_with(&format!("CONNECT {to} HTTP/1.1\r\n")),
            "{head}"
        );
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("\r\nhost: {to}\r\n")), "{head}");
        assert!(
            head.contains("\r\nproxy-authorization: basic dxnaz"),
            "{head}"
        );
        assert!(
            head.contains("\r\nx-tenant: a\r\nx-tenant: b\r\n"),
            "{head}"
        );
    }
    let leaked = |r: &Received| r.headers.contains_key("proxy-authorization");
    assert!(!member.received().iter().any(leaked));
}

#[tokio::test]
async fn a_member_in_the_clear_behind_a_proxy_is_reached() {
    let asked = Asked::default();
    let (member, log) = (FakeMember::plain().echo().await, Arc::clone(&asked));
    let px = RawServer::tcp(move |_, stream| {
        let log = Arc::clone(&log);
        async move { connect_proxy(stream, log, "200 OK").await }
    });
    let px = px.await;
    let url = format!("http://{}", px.address);
    let setup = Setup::to(&member.url(), None).through(proxy(url)).build();
    setup.get_text("/", Class::Short).await;
    assert!(asked.lock()[0].starts_with(&format!("CONNECT {} ", member.address())));
}

#[tokio::test]
async fn a_member_behind_an_https_proxy_is_reached() {
    let (pki, asked) = (Pki::new(), Asked::default());
    let (member, log) = (member(&pki).await, Arc::clone(&asked));
    let px = RawServer::tls(&pki.leaf, &[], move |_, stream| {
        let log = Arc::clone(&log);
        async move { connect_proxy(stream, log, "200 OK").await }
    });
    let px = px.await;
    let url = px.https();
    let setup = Setup::to(&member.url(), Some(&pki.ca)).through(proxy(url.clone()));
    check_reaches(&member, &setup.build()).await;
    assert_eq!(asked.lock().len(), 3);

    let other = Pki::new();
    let setup = Setup::to(&member.url(), Some(&other.ca))
        .through(proxy(url))
        .build();
    let unknown = "the certificate is signed by an unknown authority";
    let answer = setup.get("/", Class::Short).await;
    assert_untrusted(answer, (Hop::Proxy, unknown));
}

#[tokio::test]
async fn a_member_behind_a_socks_proxy_is_reached_by_a_name_that_the_proxy_knows() {
    let (pki, asked) = (Pki::new(), Asked::default());
    let (member, log) = (member(&pki).await, Arc::clone(&asked));
    let px = RawServer::tcp(move |_, stream| {
        socks_proxy(stream, Arc::clone(&log), Some("us@er:p:w"), 0)
    });
    let px = px.await;
    let url = format!("socks5://us%40er:p%3Aw@{}", px.address);
    let endpoint = format!("https://member.test:{}", member.address().port());
    let setup = Setup::to(&endpoint, Some(&pki.ca))
        .through(proxy(url))
        .build();
    check_reaches(&member, &setup).await;
    let want = format!("member.test:{}", member.address().port());
    assert_eq!(*asked.lock(), vec![want; 3]);
}

#[tokio::test]
async fn a_socks_proxy_that_wants_no_login_takes_addresses() {
    let (pki, asked) = (Pki::new(), Asked::default());
    let (member, log) = (member(&pki).await, Arc::clone(&asked));
    let px = RawServer::tcp(move |_, stream| socks_proxy(stream, Arc::clone(&log), None, 0)).await;
    for login in ["", "u:p@"] {
        let url = format!("socks5://{login}{}", px.address);
        let setup = Setup::to(&member.url(), Some(&pki.ca)).through(proxy(url));
        setup.build().get_text("/", Class::Short).await;
    }
    assert_eq!(*asked.lock(), vec![member.address().to_string(); 2]);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_the_hop_that_failed() {
    let pki = Pki::new();
    let refused = "the forward proxy refused the tunnel";
    let login = "the forward proxy refused the login";
    let unreached = "the forward proxy cannot reach the member";
    let answers = [
        ("403 Forbidden", refused),
        ("407 Proxy Authentication Required", login),
        ("301 Moved", refused),
        ("502 Bad Gateway", unreached),
        ("503 Service Unavailable", unreached),
    ];
    for (answer, want) in answers {
        let asked = Asked::default();
        let px = RawServer::tcp(move |_, stream| connect_proxy(stream, Arc::clone(&asked), answer));
        let px = px.await;
        let url = format!("http://u:secret@{}", px.address);
        let setup =
            || Setup::to("https://10.9.8.7:6443", Some(&pki.ca)).through(proxy(url.clone()));
        check_refused(setup, want).await;
    }
    for (reply, want) in [(2, refused), (5, unreached), (4, unreached), (1, refused)] {
        let asked = Asked::default();
        let px = RawServer::tcp(move |_, s| socks_proxy(s, Arc::clone(&asked), None, reply)).await;
        let url = format!("socks5://{}", px.address);
        let setup =
            || Setup::to("https://10.9.8.7:6443", Some(&pki.ca)).through(proxy(url.clone()));
        check_refused(setup, want).await;
    }
    let asked = Asked::default();
    let px = RawServer::tcp(move |_, s| socks_proxy(s, Arc::clone(&asked), Some("u:p"), 0)).await;
    for user in ["u:secret@", ""] {
        let url = format!("socks5://{user}{}", px.address);
        let setup =
            || Setup::to("https://10.9.8.7:6443", Some(&pki.ca)).through(proxy(url.clone()));
        check_refused(setup, login).await;
    }
}

async fn check_refused(setup: impl Fn() -> SetupBuilder, want: &'static str) {
    for class in [Class::LongRunning, Class::Short, Class::Upgrade] {
        let answer = setup().build().get("/", class).await;
        let logged = assert_failed(answer, (Hop::Proxy, Some(want)));
        assert!(
            logged.contains("10.9.8.7:6443 through 127.0.0.1:"),
            "{logged}"
        );
        assert!(!logged.contains("secret"), "{logged}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_the_hop_that_failed() {
    let pki = Pki::new();
    let gone = free_address();
    let setup = |url: String| {
        let setup = Setup::to("https://10.9.8.7:6443", Some(&pki.ca)).through(proxy(url));
        setup.timeouts(Duration::from_millis(300)).build()
    };
    for scheme in ["http", "https", "socks5"] {
        let answer = setup(format!("{scheme}://{gone}"))
            .get("/", Class::Short)
            .await;
        assert_failed(answer, (Hop::Proxy, Some("connection refused")));
    }
    let silent = RawServer::tcp(|_, stream| async move {
        pending::<()>().await;
        drop(stream);
    });
    let silent = silent.await;
    for scheme in ["http", "https", "socks5"] {
        let url = format!("{scheme}://{}", silent.address);
        assert_timed_out(setup(url).get("/", Class::Short).await, Hop::Proxy);
    }
}

#[tokio::test]
async fn a_proxy_whose_name_does_not_exist_fails_at_dns() {
    let url = "http://no-such-proxy.invalid:3128".to_owned();
    let setup = Setup::to("https://10.9.8.7:6443", None)
        .insecure()
        .through(proxy(url));
    let answer = setup.build().get("/", Class::Short).await;
    assert_failed(answer, (Hop::Dns, Some("the name cannot be resolved")));
}

#[tokio::test]
async fn a_proxy_that_speaks_something_else_is_told() {
    let chatter = RawServer::tcp(|_, mut stream| async move {
        stream.read_u16().await.expect("a greeting");
        stream.write_all(b"220 smtp\r\n").await.expect("sent");
        pending::<()>().await;
    });
    let px = chatter.await;
    let answers = [
        ("http", "the answer is not HTTP"),
        ("socks5", "the forward proxy does not speak SOCKS 5"),
    ];
    for (scheme, want) in answers {
        let url = format!("{scheme}://{}", px.address);
        let setup = Setup::to("https://10.9.8.7:6443", None).insecure();
        let answer = setup
            .through(proxy(url))
            .build()
            .get("/", Class::Short)
            .await;
        assert_failed(answer, (Hop::Proxy, Some(want)));
    }
}
