//! Cuts a raw path into our own part and the member's.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{PathError, ProxiedResource};

/// A raw path in its two parts.
pub(super) struct Split<'p> {
    /// Our own part, decoded; with `/proxy`, without what follows it.
    pub(super) own: Cow<'p, str>,
    /// What follows `/proxy`, as sent.
    pub(super) rest: Option<&'p str>,
}

/// Cuts `path` and checks both parts.
pub(super) fn split<'p>(path: &'p str, proxied: &ProxiedResource) -> Result<Split<'p>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let mut decoded: Option<String> = None;
    let mut leads_to_member = true;
    let mut start = 1;
    for index in 0.. {
        let end = path[start..].find('/').map_or(path.len(), |at| start + at);
        let is_last = end == path.len();
        if start == end && !is_last {
            return Err(PathError::EmptySegment);
        }
        let segment = own_segment(&path[start..end])?;
        leads_to_member = leads_to_member && proxied.expects(index, &segment);
        match (&mut decoded, &segment) {
            (Some(decoded), segment) => {
                decoded.push('/');
                decoded.push_str(segment);
            }
            (None, Cow::Owned(segment)) => decoded = Some([&path[..start], segment].concat()),
            (None, Cow::Borrowed(_)) => {}
        }
        if leads_to_member && index == ProxiedResource::LAST {
            let (own, rest) = path.split_at(end);
            check_member(rest)?;
            return Ok(Split {
                own: decoded.map_or(Cow::Borrowed(own), Cow::Owned),
                rest: Some(rest),
            });
        }
        if is_last {
            break;
        }
        start = end + 1;
    }
    Ok(Split {
        own: decoded.map_or(Cow::Borrowed(path), Cow::Owned),
        rest: None,
    })
}

/// One segment of our own part, decoded.
fn own_segment(raw: &str) -> Result<Cow<'_, str>, PathError> {
    check_escapes(raw)?;
    let segment = percent_decode_str(raw).decode_utf8();
    let segment = segment.map_err(|_| PathError::ForbiddenCharacter)?;
    let separator = |b: u8| matches!(b, b'/' | b'\\' | b'%');
    if segment == "." || segment == ".." {
        Err(PathError::DotSegment)
    } else if segment.bytes().any(separator) {
        Err(PathError::EncodedSeparator)
    } else if segment.bytes().any(|b| b.is_ascii_control()) {
        Err(PathError::ForbiddenCharacter)
    } else {
        Ok(segment)
    }
}

/// Refuses in the member's part what could be resolved to another path. A member may take `%2F`
/// and a backslash for a separator, so both end a segment here.
fn check_member(rest: &str) -> Result<(), PathError> {
    check_escapes(rest)?;
    let (mut dots, mut others) = (0_u32, 0_u32);
    for byte in percent_decode_str(rest).chain([b'/']) {
        match byte {
            b'/' | b'\\' if others == 0 && (1..=2).contains(&dots) => {
                return Err(PathError::DotSegment);
            }
            b'/' | b'\\' => (dots, others) = (0, 0),
            b'.' => dots += 1,
            0 => return Err(PathError::ForbiddenCharacter),
            _ => others += 1,
        }
    }
    Ok(())
}

/// Refuses a `%` that two hexadecimal digits do not follow.
fn check_escapes(raw: &str) -> Result<(), PathError> {
    let bytes = raw.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut percents = bytes.iter().enumerate().filter(|&(_, &b)| b == b'%');
    if percents.all(|(at, _)| is_hex(at + 1) && is_hex(at + 2)) {
        Ok(())
    } else {
        Err(PathError::InvalidEscape)
    }
}

/// `raw` decoded once, as the member decodes it.
pub(super) fn decode_lossy(raw: &str) -> Cow<'_, str> {
    percent_decode_str(raw).decode_utf8_lossy()
}

// === impl ProxiedResource ===

impl ProxiedResource {
    /// Index of the segment `proxy`.
    const LAST: usize = 5;

    /// Whether `segment` stands at `index` of a path to a member.
    fn expects(&self, index: usize, segment: &str) -> bool {
        match index {
            0 => segment == "apis",
            1 => segment == self.group,
            2 => segment == self.version,
            3 => segment == self.resource,
            4 => !segment.is_empty(),
            _ => segment == "proxy",
        }
    }
}
