//! A caller that writes frames of HTTP/2 itself (RFC 9113, section 4).

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, World};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame types.
pub(in crate::serve) const HEADERS: u8 = 1;
pub(in crate::serve) const RST_STREAM: u8 = 3;
pub(in crate::serve) const SETTINGS: u8 = 4;
pub(in crate::serve) const GOAWAY: u8 = 7;
/// END_STREAM and END_HEADERS.
pub(in crate::serve) const END: u8 = 1 | 4;

/// A connection of HTTP/2 on which the test writes frames.
pub(in crate::serve) struct RawHttp2 {
    pub(in crate::serve) stream: TlsStream<TcpStream>,
}

// === impl RawHttp2 ===

impl RawHttp2 {
    pub(in crate::serve) async fn start(world: &World) -> Self {
        let mut stream = world.tls("h2").await;
        stream.write_all(PREFACE).await.expect("sent");
        let mut raw = Self { stream };
        raw.frame(SETTINGS, 0, 0, &[]).await.expect("sent");
        raw
    }

    /// Writes a frame.
    pub(in crate::serve) async fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        self.stream
            .write_all(&frame(kind, flags, stream, payload))
            .await?;
        self.stream.flush().await
    }

    /// A GET on stream 1.
    pub(in crate::serve) async fn get(&mut self, path: &str, fields: &[(&str, &str)]) {
        let block = get_block(path, fields);
        self.frame(HEADERS, END, 1, &block).await.expect("sent");
    }

    /// Whether stream 1, or the connection, was given up, or answered with 400.
    pub(in crate::serve) async fn is_refused(&mut self) -> bool {
        loop {
            match self.next().await {
                None | Some((RST_STREAM | GOAWAY, _)) => return true,
                // ":status 400" is the static table's 12th, ":status 200" its 8th.
                Some((HEADERS, payload)) => return payload.first() == Some(&0x8c),
                Some(_) => {}
            }
        }
    }

    /// Whether the next answer is 200, and comes before anything ends the connection.
    pub(in crate::serve) async fn is_served(&mut self) -> bool {
        loop {
            match self.next().await {
                None | Some((GOAWAY, _)) => return false,
                // ":status 200" of the static table.
                Some((HEADERS, payload)) => return payload.first() == Some(&0x88),
                Some(_) => {}
            }
        }
    }

    /// The next frame: its type and payload; nothing at the end of the connection.
    pub(in crate::serve) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let next = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((kind, payload))
        };
        timeout(PATIENCE, next).await.expect("in time")
    }
}

/// The bytes of a frame.
pub(in crate::serve) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a GET (RFC 7541): `:method` and `:scheme` from the static table, all else
/// as literals that are not remembered.
pub(in crate::serve) fn get_block(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    // Names 1 and 4 of the static table: `:authority` and `:path`.
    block.push(0x01);
    text(&mut block, "server");
    block.push(0x04);
    text(&mut block, path);
    for (name, value) in fields {
        block.push(0x00);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// A length of 7 bits and more (RFC 7541, section 5.1), and the bytes as they are.
fn text(block: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 0x7f => block.push(length),
        _ => {
            block.push(0x7f);
            let mut rest = text.len() - 0x7f;
            while rest >= 0x80 {
                block.push(u8::try_from(rest & 0x7f).expect("7 bits") | 0x80);
                rest >>= 7;
            }
            block.push(u8::try_from(rest).expect("7 bits"));
        }
    }
    block.extend(text.as_bytes());
}
