//! What a fake member does after `101 Switching Protocols`.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Received, record::Log};
use crate::server::Body;

/// How an upgraded connection goes.
#[derive(Clone, Debug)]
pub enum UpgradeScript {
    /// Sends these bytes, closes its own side, and reads on to the end of the other's.
    CloseFirst(Bytes),
    /// Sends back what comes; when the caller closes its side, sends these last bytes and closes.
    EchoThen(Bytes),
}

/// What came of an upgraded connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradedRecord {
    /// Every byte that the caller sent.
    pub received: Bytes,
    /// Whether the caller closed its side in order, so that the member saw its end.
    pub caller_closed: bool,
    /// Whether everything that the member sent went out.
    pub all_sent: bool,
}

/// The 101 that answers `received`.
pub(super) fn switching(received: &Received, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let asked = received.headers.get(header::UPGRADE).cloned();
    let protocol = asked.unwrap_or(HeaderValue::from_static("SPDY/3.1"));
    answer.headers_mut().insert(header::UPGRADE, protocol);
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(key) = received.headers.get(header::SEC_WEBSOCKET_KEY) {
        let accept = HeaderValue::try_from(websocket_accept(key.as_bytes())).unwrap();
        let headers = answer.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}

/// What a WebSocket server answers to `key` (RFC 6455, section 4.2.2).
pub fn websocket_accept(key: &[u8]) -> String {
    let text = [key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text))
}

pub(super) async fn run(script: UpgradeScript, upgrade: OnUpgrade, log: &Log) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut stream = TokioIo::new(upgraded);
    let (echoes, first, last) = match script {
        UpgradeScript::CloseFirst(bytes) => (false, Some(bytes), None),
        UpgradeScript::EchoThen(bytes) => (true, None, Some(bytes)),
    };
    let mut all_sent = true;
    if let Some(bytes) = first {
        all_sent &= stream.write_all(&bytes).await.is_ok();
        all_sent &= stream.shutdown().await.is_ok();
    }
    let mut received = BytesMut::new();
    let caller_closed = loop {
        let before = received.len();
        match stream.read_buf(&mut received).await {
            Ok(0) => break true,
            Ok(_) if echoes => {
                all_sent &= stream.write_all(&received[before..]).await.is_ok();
                all_sent &= stream.flush().await.is_ok();
            }
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    if let Some(bytes) = last {
        all_sent &= stream.write_all(&bytes).await.is_ok();
        all_sent &= stream.shutdown().await.is_ok();
    }
    log.record_upgraded(UpgradedRecord {
        received: received.freeze(),
        caller_closed,
        all_sent,
    });
}
