//! What goes wrong on the way to a member: each failure names its hop, and tells no address.

use std::{future::pending, sync::Arc, time::Duration};

use fleetgate_model::{Class, Hop, SettingError, Settings, TlsVersion, UpstreamError};
use fleetgate_testkit::{
    FakeMember,
    certs::{self, Ca, Validity},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
    time::timeout,
};

use crate::support::{
    Pki, RawServer, Setup, SetupBuilder, assert_failed, assert_timed_out, assert_untrusted, chain,
    free_address, serve_http2,
};

const CLASSES: [Class; 3] = [Class::LongRunning, Class::Short, Class::Upgrade];
const MOMENT: Duration = Duration::from_millis(200);
const HOUR: Duration = Duration::from_secs(3600);

/// Keeps `stream`, and says nothing.
async fn hold<S>(stream: S) {
    pending::<()>().await;
    drop(stream);
}

/// A member that accepts connections, and says nothing.
async fn silent() -> RawServer {
    RawServer::tcp(|_, stream| hold(stream)).await
}

async fn check(setup: impl Fn() -> SetupBuilder, hop: Hop, detail: &'static str) {
    for class in CLASSES {
        let answer = setup().build().get("/", class).await;
        assert_failed(answer, (hop, Some(detail)));
    }
}

fn tls12() -> Settings {
    Settings {
        tls_min_version: TlsVersion::Tls12,
        ..Settings::default()
    }
}

async fn untrusted(setup: impl Fn() -> SetupBuilder, detail: &'static str) {
    for class in CLASSES {
        let answer = setup().build().get("/", class).await;
        assert_untrusted(answer, (Hop::Tls, detail));
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_and_its_address_only_logged() {
    let address = free_address().to_string();
    for endpoint in [format!("http://{address}"), format!("https://{address}")] {
        let setup = || Setup::to(&endpoint, None).insecure();
        check(setup, Hop::Connect, "connection refused").await;
        let answer = setup().build().get("/", Class::Short).await;
        let logged = assert_failed(answer, (Hop::Connect, Some("connection refused")));
        assert!(logged.contains(&address), "{logged}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told() {
    let setup = || Setup::to("https://no-such-member.invalid:6443", None).insecure();
    check(setup, Hop::Dns, "the name cannot be resolved").await;
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_told() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).echo().await;
    let unknown = "the certificate is signed by an unknown authority";
    for name in ["members", "others"] {
        let other = Ca::new(name);
        untrusted(|| Setup::to(&member.url(), Some(&other)), unknown).await;
    }

    let spec = certs::server(&["127.0.0.1"]);
    let expired = pki.ca.sign(&spec.clone().valid(Validity::Expired));
    let member = FakeMember::tls(&expired).echo().await;
    let setup = || Setup::to(&member.url(), Some(&pki.ca));
    untrusted(setup, "the certificate has expired").await;

    let future = pki.ca.sign(&spec.valid(Validity::Future));
    let member = FakeMember::tls(&future).echo().await;
    let setup = || Setup::to(&member.url(), Some(&pki.ca));
    untrusted(setup, "the certificate is not valid yet").await;

    let elsewhere = pki.ca.sign(&certs::server(&["elsewhere.test"]));
    let member = FakeMember::tls(&elsewhere).echo().await;
    let setup = || Setup::to(&member.url(), Some(&pki.ca));
    untrusted(setup, "the certificate is for another name").await;
    setup().insecure().build().get_text("/", Class::Short).await;
}

#[tokio::test]
async fn a_member_of_tls_1_2_is_reached_if_its_cluster_says_so() {
    let pki = Pki::new();
    let member = FakeMember::tls(&pki.leaf).only_tls12().echo().await;
    let told = "no common version of TLS (annotation fleetgate.dev/tls-min-version)";
    untrusted(|| Setup::to(&member.url(), Some(&pki.ca)), told).await;
    let setup = Setup::to(&member.url(), Some(&pki.ca));
    let setup = setup.settings(Ok(tls12())).build();
    setup.get_text("/", Class::Short).await;
    setup.get_text("/", Class::LongRunning).await;
}

#[tokio::test]
async fn a_member_that_hangs_up_in_the_handshake_is_told() {
    let hang_up = RawServer::tcp(|_, mut stream| async move {
        stream.read_u8().await.expect("a hello");
    });
    let member = hang_up.await;
    for class in CLASSES {
        let setup = Setup::to(&member.https(), None).insecure().build();
        let error = setup.get("/", class).await.expect_err("a failure");
        let UpstreamError::Failed { hop, detail, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(hop, Hop::Tls);
        let ended = ["the connection was closed", "connection reset"];
        assert!(detail.is_some_and(|d| ended.contains(&d)), "{detail:?}");
    }
}

#[tokio::test]
async fn a_member_that_speaks_no_tls_is_told() {
    let plain = FakeMember::plain().echo().await;
    let endpoint = format!("https://{}", plain.address());
    let setup = || Setup::to(&endpoint, None).insecure();
    untrusted(setup, "the TLS handshake failed").await;
}

#[tokio::test]
async fn a_member_that_never_answers_a_handshake_times_out_at_tls() {
    let member = silent().await;
    for class in CLASSES {
        let setup = Setup::to(&member.https(), None).insecure().timeouts(MOMENT);
        assert_timed_out(setup.build().get("/", class).await, Hop::Tls);
    }
}

#[tokio::test]
async fn a_member_that_never_accepts_times_out_at_connect() {
    let (listener, _queued) = full_queue().await;
    let address = listener.local_addr().expect("an address");
    for class in CLASSES {
        let endpoint = format!("https://{address}");
        let setup = Setup::to(&endpoint, None).insecure().timeouts(MOMENT);
        assert_timed_out(setup.build().get("/", class).await, Hop::Connect);
    }
}

#[tokio::test]
async fn a_cluster_says_how_long_a_connection_may_take() {
    let (listener, _queued) = full_queue().await;
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let settings = Settings {
        connect_timeout: Some(MOMENT),
        ..Settings::default()
    };
    let setup = || Setup::to(&endpoint, None).insecure().timeouts(HOUR);
    for class in CLASSES {
        let setup = setup().settings(Ok(settings.clone())).build();
        assert_timed_out(setup.get("/", class).await, Hop::Connect);
    }
    let silent = silent().await;
    for class in CLASSES {
        let proxy = format!("http://{}", silent.address);
        let proxy = fleetgate_model::ForwardProxy {
            url: fleetgate_model::Redacted::new(proxy),
            headers: Vec::new(),
        };
        let setup = setup().through(proxy).settings(Ok(settings.clone()));
        assert_timed_out(setup.build().get("/", class).await, Hop::Proxy);
    }
}

#[tokio::test]
async fn a_cluster_says_how_long_a_handshake_may_take() {
    let pki = Pki::new();
    let silent = silent().await;
    let no_settings = RawServer::tls(&pki.leaf, &["h2"], |_, stream| hold(stream)).await;
    let settings = Settings {
        tls_timeout: Some(MOMENT),
        ..Settings::default()
    };
    let setup = |member: &RawServer| {
        let setup = Setup::to(&member.https(), Some(&pki.ca)).timeouts(HOUR);
        setup.settings(Ok(settings.clone())).build()
    };
    for class in CLASSES {
        assert_timed_out(setup(&silent).get("/", class).await, Hop::Tls);
    }
    let answer = setup(&no_settings).get("/", Class::LongRunning).await;
    assert_timed_out(answer, Hop::Request);
}

#[tokio::test]
async fn a_cluster_may_have_more_time_than_others() {
    let pki = Pki::new();
    let (came, goes_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (coming, waiting) = (Arc::clone(&came), Arc::clone(&goes_on));
    let member = RawServer::tls(&pki.leaf, &["h2"], move |_, stream| {
        let (coming, waiting) = (Arc::clone(&coming), Arc::clone(&waiting));
        async move {
            coming.notify_one();
            waiting.notified().await;
            serve_http2(stream, 100).await;
        }
    });
    let member = member.await;
    let settings = Settings {
        tls_timeout: Some(HOUR),
        ..Settings::default()
    };
    let setup = Setup::to(&member.https(), Some(&pki.ca)).timeouts(5 * MOMENT);
    let setup = setup.settings(Ok(settings)).build();
    let late = async {
        came.notified().await;
        tokio::time::pause();
        tokio::time::advance(10 * MOMENT).await;
        tokio::time::resume();
        goes_on.notify_one();
    };
    let (answer, ()) = tokio::join!(setup.get("/", Class::LongRunning), late);
    assert_eq!(answer.expect("an answer").status(), 200);
}

/// A listener whose queue of connections that nobody accepts is full, for as long as they are kept:
/// further ones get no answer.
async fn full_queue() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(0).expect("listens");
    let address = listener.local_addr().expect("an address");
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(MOMENT, TcpStream::connect(address)).await {
        queued.push(stream.expect("queued"));
        assert!(queued.len() < 16, "the queue does not fill");
    }
    (listener, queued)
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_told() {
    let garbage = RawServer::tcp(|_, mut stream| async move {
        stream.read_u8().await.expect("a request");
        stream.write_all(b"220 smtp\r\n\r\n").await.expect("sent");
        pending::<()>().await;
    });
    let member = garbage.await;
    let endpoint = format!("http://{}", member.address);
    let setup = || Setup::to(&endpoint, None);
    check(setup, Hop::Request, "the answer is not HTTP").await;
}

#[tokio::test]
async fn an_answer_cut_off_in_its_head_is_told() {
    let cut = RawServer::tcp(|_, mut stream| async move {
        while stream.read_u8().await.expect("a head") != b'\n' {}
        stream.write_all(b"HTTP/1.1 200 O").await.expect("sent");
        stream.shutdown().await.expect("closed");
        pending::<()>().await;
    });
    let member = cut.await;
    let endpoint = format!("http://{}", member.address);
    let setup = || Setup::to(&endpoint, None);
    check(setup, Hop::Request, "the connection was closed").await;
}

#[tokio::test]
async fn what_cannot_be_used_names_its_field_and_no_value() {
    let check = async |setup: SetupBuilder, want: &str, logged: &str| {
        let error = setup.build().get("/", Class::Short).await;
        let error = error.expect_err("a failure");
        let UpstreamError::Config { field, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*field, want);
        let chain = chain(&error);
        assert!(
            chain.contains(logged) && !chain.contains("secret"),
            "{chain}"
        );
    };
    let endpoint = "https://u:secret@10.0.0.1";
    check(
        Setup::to(endpoint, None),
        "spec.apiEndpoint",
        "user information",
    )
    .await;
    check(
        Setup::to("https://h:66000", None),
        "spec.apiEndpoint",
        "port",
    )
    .await;
    let bundle = Setup::to("https://127.0.0.1", None).ca_bundle("nothing");
    check(bundle, "caBundle", "CA bundle").await;
    let proxy = fleetgate_model::ForwardProxy {
        url: fleetgate_model::Redacted::new("ftp://u:secret@px".to_owned()),
        headers: Vec::new(),
    };
    let through = Setup::to("https://127.0.0.1", None)
        .insecure()
        .through(proxy);
    check(through, "spec.proxyURL", "unsupported scheme").await;
    let error = SettingError {
        field: "metadata.annotations[fleetgate.dev/tls-timeout]",
        value: "10".to_owned(),
        want: "a duration",
    };
    let unset = Setup::to("https://127.0.0.1", None).settings(Err(error.clone()));
    check(unset, error.field, "\"10\": want a duration").await;
}
