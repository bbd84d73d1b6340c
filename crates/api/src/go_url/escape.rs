//! Percent-encoding, by the part of a URL in which it stands.

use std::fmt::Write;

use super::Cause;

/// A part of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Fragment,
    Host,
    Path,
    UserInfo,
    /// The zone of an IPv6 address, behind `%25`.
    Zone,
}

/// `text` decoded, with what is no UTF-8 replaced.
pub(super) fn decode(text: &str, part: Part) -> Result<String, Cause> {
    decode_bytes(text, part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// `text` decoded.
pub(super) fn decode_bytes(text: &str, part: Part) -> Result<Vec<u8>, Cause> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            out.push(decode_one(&bytes[at..], part)?);
            at += 3;
        } else {
            if matches!(part, Part::Host | Part::Zone) && !stands_in_host(byte) {
                return Err(Cause::HostCharacter(byte));
            }
            out.push(byte);
            at += 1;
        }
    }
    Ok(out)
}

/// The byte that the `%NN` at the front of `text` stands for, if it may stand there.
fn decode_one(text: &[u8], part: Part) -> Result<u8, Cause> {
    let shown = || text[..text.len().min(3)].to_vec();
    let hex = |at: usize| text.get(at).and_then(|&b| char::from(b).to_digit(16));
    let (Some(high), Some(low)) = (hex(1), hex(2)) else {
        return Err(Cause::Escape(shown()));
    };
    let byte = u8::try_from(high * 16 + low).unwrap_or_default();
    let allowed = match part {
        Part::Fragment | Part::Path | Part::UserInfo => true,
        // Only what is not ASCII may be encoded, and the percent sign before a zone.
        Part::Host => high >= 8 || byte == b'%',
        Part::Zone => byte == b'%' || byte == b' ' || byte < 0x80 && stands_in_host(byte),
    };
    if allowed {
        Ok(byte)
    } else {
        Err(Cause::Escape(shown()))
    }
}

/// Whether `byte` may stand in a host unencoded.
fn stands_in_host(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"!$&'()*+,;=:[]<>\"-_.~".contains(&byte)
}

/// `text` encoded for a user name or a password.
pub(super) fn encode_user(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,;=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
