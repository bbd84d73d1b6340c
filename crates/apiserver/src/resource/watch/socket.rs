//! A watch as the messages of a WebSocket, as browsers read it: one line of text each.

use std::time::Duration;

use bytes::Bytes;
use fleetgate_apimachinery::status::Status;
use fleetgate_stack::{Body, asks_for_websocket, list_elements, websocket_accept};
use futures::{Sink, SinkExt, Stream, StreamExt, pin_mut};
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    request::Parts,
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// The one version of the protocol (RFC 6455).
const VERSION: &str = "13";
/// Most bytes of a message of the caller, who has nothing to say.
const MAX_HEARD: usize = 16 << 10;
/// How long a caller who does not read may keep a server from ending.
const PARTING: Duration = Duration::from_secs(1);

/// A WebSocket that a caller asks for.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    /// What the caller calls that which is spoken; said back to him, and nothing else.
    protocol: Option<HeaderValue>,
    /// Whether it came through HTTP/2 (RFC 8441), where nothing is switched.
    extended: bool,
}

// === impl Handshake ===

impl Handshake {
    /// What `parts` ask for; nothing if that is no WebSocket.
    ///
    /// # Errors
    /// 400 for a WebSocket of another version, or without a key.
    pub(super) fn of(parts: &Parts) -> Result<Option<Self>, Status> {
        let headers = &parts.headers;
        if parts.method != Method::GET || !asks_for_websocket(headers) {
            return Ok(None);
        }
        if headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_none_or(|v| v != VERSION)
        {
            return Err(Status::bad_request("missing or bad WebSocket Version"));
        }
        let key = headers
            .get(SEC_WEBSOCKET_KEY)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if key.is_empty() {
            return Err(Status::bad_request("mismatch challenge/response"));
        }
        Ok(Some(Self {
            accept: websocket_accept(key),
            protocol: list_elements(headers, SEC_WEBSOCKET_PROTOCOL)
                .next()
                .and_then(|protocol| HeaderValue::from_str(protocol).ok()),
            extended: parts.extensions.get::<Protocol>().is_some(),
        }))
    }

    /// The answer that begins the WebSocket.
    pub(super) fn answer(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let (headers, extended) = (response.headers_mut(), self.extended);
        if let Some(protocol) = self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if !extended {
            headers.insert(UPGRADE, WEBSOCKET);
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        response
    }
}

/// Waits for `upgrade`, and sends each of `lines` as a message there, until they end, the caller
/// leaves, or the server ends.
pub(super) async fn run(
    upgrade: OnUpgrade,
    lines: impl Stream<Item = Bytes> + Send,
    ending: CancellationToken,
) {
    match upgrade.await {
        Ok(upgraded) => converse(TokioIo::new(upgraded), lines, ending).await,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "a watch over WebSocket did not begin");
        }
    }
}

async fn converse(
    upgraded: impl AsyncRead + AsyncWrite + Unpin,
    lines: impl Stream<Item = Bytes>,
    ending: CancellationToken,
) {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_HEARD))
        .max_frame_size(Some(MAX_HEARD));
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(limits)).await;
    let (speak, mut heard) = socket.split();
    // Read for its pings, which are answered, and its end alone.
    let hear = async { while let Some(Ok(_)) = heard.next().await {} };
    let ended = async {
        ending.cancelled().await;
        sleep(PARTING).await;
    };
    tokio::select! {
        said = say(speak, lines) => if let Err(error) = said {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "a watch over WebSocket broke off");
        },
        () = hear => {}
        () = ended => {}
    }
}

async fn say(
    speak: impl Sink<Message, Error = Error>,
    lines: impl Stream<Item = Bytes>,
) -> Result<(), Error> {
    pin_mut!(speak, lines);
    while let Some(line) = lines.next().await {
        speak
            .send(Message::Text(Utf8Bytes::try_from(line)?))
            .await?;
    }
    let whole = CloseFrame {
        code: CloseCode::Normal,
        reason: Utf8Bytes::default(),
    };
    speak.send(Message::Close(Some(whole))).await
}

#[cfg(test)]
mod tests;
