//! Commands in a pod, over a WebSocket.

use anyhow::{Context, Result};
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;

use crate::{connection::Connection, http::Reply};

/// What came of a command.
#[derive(Debug)]
pub enum Session {
    /// It ran: everything that the node said, frames and all, until it closed the connection, however
    /// politely.
    Said(Vec<u8>),
    /// It was refused.
    Refused(Reply),
}

/// Runs the command that `path` names. Takes the connection.
///
/// # Errors
/// If there is no answer.
pub async fn session(mut connection: Connection, path: &str) -> Result<Session> {
    let request = connection
        .request(Method::GET, path)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
        .header(header::SEC_WEBSOCKET_PROTOCOL, "v5.channel.k8s.io")
        .body(Full::default());
    let response = connection
        .start(request.context("build a request")?)
        .await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("the answer breaks off")?;
        return Ok(Session::Refused(Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        }));
    }
    let upgraded = hyper::upgrade::on(response).await.context("upgrade")?;
    let mut said = Vec::new();
    // What was said tells whether the command came to its end.
    let read = TokioIo::new(upgraded).read_to_end(&mut said).await;
    read.unwrap_or_default();
    Ok(Session::Said(said))
}
