//! Members behind a gateway that tells them apart by name: SNI, `Host` and path are the endpoint's,
//! on every kind of connection, also where a forward proxy leads there.

use std::sync::Arc;

use fleetgate_model::{Class, ForwardProxy, Redacted};
use fleetgate_stack::Body;
use fleetgate_testkit::certs::{self, Ca};
use http::{Method, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use crate::support::{Pki, RawServer, Setup, SetupBuilder, request};

/// What a request brought to the gateway: SNI, host and path.
type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

async fn gateway(pki: &Pki) -> (RawServer, Asked) {
    let asked = Asked::default();
    let record = Arc::clone(&asked);
    let serve = move |_, stream: fleetgate_testkit::Accepted| {
        let record = Arc::clone(&record);
        async move {
            let sni = stream.get_ref().1.server_name().unwrap_or("").to_owned();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let host = request.headers().get(header::HOST);
                let host = host.map(|host| host.to_str().expect("text").to_owned());
                let authority = request.uri().authority().map(ToString::to_string);
                let host = host.or(authority).unwrap_or_default();
                let path = request.uri().path().to_owned();
                record.lock().push((sni.clone(), host, path));
                let mut answer = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
                if request.headers().contains_key(header::UPGRADE) {
                    *answer.status_mut() = StatusCode::FORBIDDEN;
                }
                async move { Ok::<_, std::convert::Infallible>(answer) }
            });
            let builder = Builder::new(TokioExecutor::new());
            let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            served.await.unwrap_or_default();
        }
    };
    let server = RawServer::tls(&pki.leaf, &["h2", "http/1.1"], serve).await;
    (server, asked)
}

/// A proxy that leads every name to `target`.
async fn proxy(target: std::net::SocketAddr) -> RawServer {
    RawServer::tcp(move |_, mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        let mut member = TcpStream::connect(target).await.expect("listens");
        let established = b"HTTP/1.1 200 OK\r\n\r\n";
        stream.write_all(established).await.expect("sent");
        copy_bidirectional(&mut stream, &mut member).await.ok();
    })
    .await
}

async fn check(setup: SetupBuilder, asked: &Asked, host: &str, sni: &str) {
    let setup = setup.build();
    for class in [Class::Short, Class::LongRunning, Class::Upgrade] {
        let mut request = request(Method::GET, "/api", Body::empty());
        let headers = request.headers_mut();
        headers.insert(header::HOST, "caller.example".parse().expect("a host"));
        if class == Class::Upgrade {
            headers.insert(header::UPGRADE, "SPDY/3.1".parse().expect("a value"));
            headers.insert(header::CONNECTION, "Upgrade".parse().expect("a value"));
        }
        setup.send(request, class).await.expect("an answer");
        let seen = asked.lock().pop().expect("a request");
        let want = (sni.to_owned(), host.to_owned(), "/c-1/api".to_owned());
        assert_eq!(seen, want, "{class:?}");
    }
}

#[tokio::test]
async fn a_gateway_is_told_the_endpoints_name() {
    let pki = Pki::new();
    let (server, asked) = gateway(&pki).await;
    let host = format!("localhost:{}", server.address.port());
    let setup = Setup::to(&format!("https://{host}/c-1"), Some(&pki.ca));
    check(setup, &asked, &host, "localhost").await;
    // An address is no name: there is no SNI for it (RFC 6066, section 3).
    let host = server.address.to_string();
    let setup = Setup::to(&format!("https://{host}/c-1"), Some(&pki.ca));
    check(setup, &asked, &host, "").await;
}

#[tokio::test]
async fn a_gateway_behind_a_proxy_is_told_the_endpoints_name() {
    let pki = Pki::new();
    let (server, asked) = gateway(&pki).await;
    let proxy = proxy(server.address).await;
    let through = ForwardProxy {
        url: Redacted::new(format!("http://{}", proxy.address)),
        headers: Vec::new(),
    };
    let setup = Setup::to("https://member.test/c-1", Some(&pki.ca)).through(through);
    check(setup, &asked, "member.test", "member.test").await;
}

#[tokio::test]
async fn a_ca_that_serves_itself_is_a_member_like_others() {
    let leaf = certs::self_signed_ca_leaf(&certs::server(&["localhost"]));
    let pki = Pki {
        ca: Ca::new("unused"),
        leaf,
    };
    let (server, asked) = gateway(&pki).await;
    let host = format!("localhost:{}", server.address.port());
    let endpoint = format!("https://{host}/c-1");
    let bundle = pki.leaf.certificate_pem.clone();
    let setup = Setup::to(&endpoint, None).ca_bundle(&bundle);
    check(setup, &asked, &host, "localhost").await;
    let stranger = Setup::to(&endpoint, Some(&pki.ca)).build();
    let refused = stranger.get("/api", Class::Short).await;
    assert!(refused.is_err(), "another anchor does not vouch for it");
}
