//! SOCKS 5 (RFC 1928), with user and password (RFC 1929) where there are any. Names are looked up
//! by the proxy.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TunnelError;
use crate::{endpoint::Endpoint, io::BoxedIo};

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a tunnel by `request`.
pub(super) async fn open(
    mut stream: BoxedIo,
    request: Vec<u8>,
    login: Option<(String, String)>,
) -> Result<BoxedIo, TunnelError> {
    let greeting = match login {
        None => vec![VERSION, 1, NO_LOGIN],
        Some(_) => vec![VERSION, 2, NO_LOGIN, PASSWORD],
    };
    send(&mut stream, greeting).await?;
    let [version, method] = receive(&mut stream).await?;
    match (version, method, login) {
        (VERSION, NO_LOGIN, _) => {}
        (VERSION, PASSWORD, Some((user, password))) => {
            log_in(&mut stream, user, password).await?;
        }
        (VERSION, _, _) => return Err(TunnelError::Login),
        (_, _, _) => return Err(TunnelError::Version),
    }
    send(&mut stream, request).await?;
    read_reply(&mut stream).await?;
    Ok(stream)
}

/// The request for a tunnel to the member at `endpoint`.
pub(super) fn request(endpoint: &Endpoint) -> Result<Vec<u8>, TunnelError> {
    let address = address(endpoint.host())?;
    let port = endpoint.port.to_be_bytes();
    Ok([&[VERSION, CONNECT, 0], &*address, &port].concat())
}

async fn log_in(stream: &mut BoxedIo, user: String, password: String) -> Result<(), TunnelError> {
    let user = sized(&user, "a user of this length")?;
    let password = sized(&password, "a password of this length")?;
    send(stream, [vec![1], user, password].concat()).await?;
    match receive(stream).await? {
        [_, 0] => Ok(()),
        [_, _] => Err(TunnelError::Login),
    }
}

/// The reply to a request, with the address that it ends with, which means nothing here.
async fn read_reply(stream: &mut BoxedIo) -> Result<(), TunnelError> {
    let [version, reply, _, kind] = receive(stream).await?;
    if version != VERSION {
        return Err(TunnelError::Version);
    }
    if reply != 0 {
        return Err(TunnelError::Reply(reply));
    }
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        _ => usize::from(receive::<1>(stream).await?[0]),
    };
    let mut rest = vec![0; length + size_of::<u16>()];
    stream
        .read_exact(&mut rest)
        .await
        .map_err(TunnelError::Io)?;
    Ok(())
}

fn address(host: &str) -> Result<Vec<u8>, TunnelError> {
    let (kind, address) = match host.parse() {
        Ok(IpAddr::V4(address)) => (IPV4, address.octets().to_vec()),
        Ok(IpAddr::V6(address)) => (IPV6, address.octets().to_vec()),
        Err(_) => (NAME, sized(host, "a name of this length")?),
    };
    Ok([vec![kind], address].concat())
}

/// `text` behind its length in one byte.
fn sized(text: &str, what: &'static str) -> Result<Vec<u8>, TunnelError> {
    let length = u8::try_from(text.len()).map_err(|_| TunnelError::Request(what))?;
    Ok([&[length], text.as_bytes()].concat())
}

async fn send(stream: &mut BoxedIo, bytes: Vec<u8>) -> Result<(), TunnelError> {
    stream.write_all(&bytes).await.map_err(TunnelError::Io)?;
    stream.flush().await.map_err(TunnelError::Io)
}

async fn receive<const N: usize>(stream: &mut BoxedIo) -> Result<[u8; N], TunnelError> {
    let mut bytes = [0; N];
    stream
        .read_exact(&mut bytes)
        .await
        .map_err(TunnelError::Io)?;
    Ok(bytes)
}
