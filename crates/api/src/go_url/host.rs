//! The host of a URL, and the IPv6 address in its brackets.

use super::{
    Cause,
    escape::{Part, decode},
    quote,
};

/// A string is no IP address, in the words of Go's `netip.ParseAddr`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("ParseAddr({}): {message}{}", quote(.text.as_bytes()), show_at(.at))]
pub(super) struct IpError {
    text: String,
    message: &'static str,
    at: String,
}

/// The decoded host of the authority `text`, port included.
pub(super) fn parse(scheme: &str, text: &str) -> Result<String, Cause> {
    match text.rfind('[') {
        Some(0) => bracketed(text),
        Some(_) => Err(Cause::IpLiteral),
        None => {
            let strict = matches!(scheme, "http" | "https");
            let colon = if strict {
                text.find(':')
            } else {
                text.rfind(':')
            };
            if let Some(colon) = colon {
                check_port(&text[colon..])?;
            }
            decode(text, Part::Host)
        }
    }
}

/// `[address]` or `[address%25zone]`, perhaps with a port.
fn bracketed(text: &str) -> Result<String, Cause> {
    let close = text.rfind(']').ok_or(Cause::UnclosedIpLiteral)?;
    let port = &text[close + 1..];
    check_port(port)?;
    let inside = &text[1..close];
    let address = match inside.find("%25") {
        Some(at) => decode(&inside[..at], Part::Host)? + &decode(&inside[at..], Part::Zone)?,
        None => decode(inside, Part::Host)?,
    };
    parse_ip_v6(&address)?;
    Ok(format!("[{address}]{port}"))
}

fn check_port(text: &str) -> Result<(), Cause> {
    let digits = text.strip_prefix(':').unwrap_or_default();
    let fits =
        text.is_empty() || text.starts_with(':') && digits.bytes().all(|b| b.is_ascii_digit());
    if fits {
        Ok(())
    } else {
        Err(Cause::Port(text.to_owned()))
    }
}

/// Whether `text` is an IPv6 address, perhaps with a zone; an IPv4 address is none.
fn parse_ip_v6(text: &str) -> Result<(), Cause> {
    let refuse = |message, at: &str| {
        Err(Cause::IpAddress(IpError {
            text: text.to_owned(),
            message,
            at: at.to_owned(),
        }))
    };
    match text.bytes().find(|b| b".:%".contains(b)) {
        Some(b':') => {}
        Some(b'.') => {
            return match ip_v4_fault(text) {
                Some((message, at)) => refuse(message, at),
                None => Err(Cause::IpLiteral),
            };
        }
        Some(_) => return refuse("missing IPv6 address", ""),
        None => return refuse("unable to parse IP", ""),
    }
    let (address, zone) = text.split_once('%').unwrap_or((text, "zone"));
    if zone.is_empty() {
        return refuse("zone must be a non-empty string", "");
    }
    match ip_v6_fault(address) {
        Some((message, at)) => refuse(message, at),
        None => Ok(()),
    }
}

/// A message and the place that it is about, which may be empty.
type Fault<'a> = (&'static str, &'a str);

/// What is wrong with `text` as an IPv6 address without a zone.
fn ip_v6_fault(text: &str) -> Option<Fault<'_>> {
    let (mut rest, mut ellipsis) = match text.strip_prefix("::") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    // Bytes of the address that were read.
    let mut filled = 0;
    while filled < 16 && !(filled == 0 && rest.is_empty() && ellipsis) {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if let Some(fault) = group_fault(rest, digits) {
            return Some(fault);
        }
        if rest[digits..].starts_with('.') {
            if !ellipsis && filled != 12 {
                let message =
                    "embedded IPv4 address must replace the final 2 fields of the address";
                return Some((message, rest));
            }
            if filled + 4 > 16 {
                let message =
                    "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Some((message, rest));
            }
            if let Some(fault) = ip_v4_fault(rest) {
                return Some(fault);
            }
            (rest, filled) = ("", filled + 4);
            break;
        }
        filled += 2;
        rest = &rest[digits..];
        if rest.is_empty() {
            break;
        }
        match rest.strip_prefix(':') {
            None => return Some(("unexpected character, want colon", rest)),
            Some("") => return Some(("colon must be followed by more characters", rest)),
            Some(after) => rest = after,
        }
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis {
                return Some(("multiple :: in address", rest));
            }
            (ellipsis, rest) = (true, after);
            if rest.is_empty() {
                break;
            }
        }
    }
    match (rest.is_empty(), filled < 16) {
        (false, _) => Some(("trailing garbage after address", rest)),
        (true, true) if !ellipsis => Some(("address string too short", "")),
        (true, false) if ellipsis => {
            Some(("the :: must expand to at least one field of zeros", ""))
        }
        (true, _) => None,
    }
}

fn group_fault(rest: &str, digits: usize) -> Option<Fault<'_>> {
    match digits {
        0 => Some((
            "each colon-separated field must have at least one digit",
            rest,
        )),
        1..=4 => None,
        _ => Some(("each group must have 4 or less digits", rest)),
    }
}

/// What is wrong with `text` as an IPv4 address.
fn ip_v4_fault(text: &str) -> Option<Fault<'_>> {
    let (mut value, mut digits, mut fields) = (0_u32, 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' if digits == 1 && value == 0 => {
                return Some(("IPv4 field has octet with leading zero", ""));
            }
            b'0'..=b'9' => {
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Some(("IPv4 field has value >255", ""));
                }
            }
            b'.' if digits == 0 || at + 1 == text.len() => {
                return Some(("IPv4 field must have at least one digit", &text[at..]));
            }
            b'.' if fields == 3 => return Some(("IPv4 address too long", "")),
            b'.' => (value, digits, fields) = (0, 0, fields + 1),
            _ => return Some(("unexpected character", &text[at..])),
        }
    }
    (fields < 3).then_some(("IPv4 address too short", ""))
}

fn show_at(at: &str) -> String {
    if at.is_empty() {
        String::new()
    } else {
        format!(" (at {})", quote(at.as_bytes()))
    }
}
