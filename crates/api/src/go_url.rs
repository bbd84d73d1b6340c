//! URLs as Go's `net/url` reads them: what it accepts, what it refuses, and in which words.
//!
//! A stored Cluster was accepted by these rules, and users know their texts; the rules of the URL
//! standard differ (they accept `10.0.0.1:6443` with another error, or none).

mod escape;
mod host;

use escape::Part;
use fleetgate_apimachinery::go;

/// A parsed URL, as far as validation looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GoUrl {
    /// In lower case; empty where there is none.
    pub(crate) scheme: String,
    /// Host and port, decoded; empty where there is none.
    pub(crate) host: String,
    /// User and password, encoded; nothing where there is no `@`.
    pub(crate) user: Option<String>,
    /// What is behind `?`, as it stands.
    pub(crate) query: String,
    /// What is behind `#`, decoded.
    pub(crate) fragment: String,
}

/// A string is no URL. The whole text is Go's, with the cause at its end, since users read it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {}: {cause}", quote(.url.as_bytes()))]
pub(crate) struct GoUrlError {
    url: String,
    cause: Cause,
}

/// Why a string is no URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Cause {
    #[error("first path segment in URL cannot contain colon")]
    ColonInFirstSegment,
    #[error("net/url: invalid control character in URL")]
    ControlCharacter,
    #[error("invalid URL escape {}", quote(.0))]
    Escape(Vec<u8>),
    #[error("invalid character {} in host name", quote(&[*.0]))]
    HostCharacter(u8),
    #[error("invalid host: {0}")]
    IpAddress(host::IpError),
    #[error("invalid IP-literal")]
    IpLiteral,
    #[error("missing protocol scheme")]
    MissingScheme,
    #[error("invalid port {} after host", quote(.0.as_bytes()))]
    Port(String),
    #[error("missing ']' in host")]
    UnclosedIpLiteral,
    #[error("net/url: invalid userinfo")]
    UserInfo,
}

/// `text` as a Go string literal; what is no UTF-8 becomes `\xNN`.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in text.utf8_chunks() {
        let valid = go::quote(chunk.valid());
        out.push_str(&valid[1..valid.len() - 1]);
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out.push('"');
    out
}

// === impl GoUrl ===

impl GoUrl {
    /// Parses `url`, which may be relative.
    ///
    /// # Errors
    /// What Go's `url.Parse` refuses, in its words.
    pub(crate) fn parse(url: &str) -> Result<Self, GoUrlError> {
        let (before, fragment) = url.split_once('#').unwrap_or((url, ""));
        let refuse = |url: &str| {
            let url = url.to_owned();
            move |cause| GoUrlError { url, cause }
        };
        let mut parsed = Self::parse_before_fragment(before).map_err(refuse(before))?;
        parsed.fragment = escape::decode(fragment, Part::Fragment).map_err(refuse(url))?;
        Ok(parsed)
    }

    fn parse_before_fragment(url: &str) -> Result<Self, Cause> {
        if url.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(Cause::ControlCharacter);
        }
        if url == "*" {
            return Ok(Self::default());
        }
        let (scheme, rest) = split_scheme(url)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parsed = Self {
            scheme: scheme.to_ascii_lowercase(),
            query: query.to_owned(),
            ..Self::default()
        };
        if !rest.starts_with('/') {
            if !parsed.scheme.is_empty() {
                return Ok(parsed);
            }
            if rest
                .split('/')
                .next()
                .is_some_and(|segment| segment.contains(':'))
            {
                return Err(Cause::ColonInFirstSegment);
            }
        }
        let path = parsed.take_authority(rest)?;
        escape::decode(path, Part::Path)?;
        Ok(parsed)
    }

    /// Reads `//user@host` from the front of `rest`, and gives back what follows.
    fn take_authority<'a>(&mut self, rest: &'a str) -> Result<&'a str, Cause> {
        if self.scheme.is_empty() && rest.starts_with("///") {
            return Ok(rest);
        }
        let Some(authority) = rest.strip_prefix("//") else {
            return Ok(rest);
        };
        let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = host::parse(&self.scheme, host)?;
        self.user = user.map(user_info).transpose()?;
        Ok(path)
    }
}

fn split_scheme(url: &str) -> Result<(&str, &str), Cause> {
    let belongs = |(at, b): (usize, u8)| {
        b.is_ascii_alphabetic() || at > 0 && (b.is_ascii_digit() || b"+-.".contains(&b))
    };
    let end = url
        .bytes()
        .enumerate()
        .take_while(|&pair| belongs(pair))
        .count();
    match url[end..].strip_prefix(':') {
        Some(_) if end == 0 => Err(Cause::MissingScheme),
        Some(rest) => Ok((&url[..end], rest)),
        None => Ok(("", url)),
    }
}

/// User and password, decoded and encoded again.
fn user_info(text: &str) -> Result<String, Cause> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    if !text.bytes().all(allowed) {
        return Err(Cause::UserInfo);
    }
    let again = |text| escape::decode_bytes(text, Part::UserInfo).map(|b| escape::encode_user(&b));
    match text.split_once(':') {
        Some((user, password)) => Ok(format!("{}:{}", again(user)?, again(password)?)),
        None => again(text),
    }
}

#[cfg(test)]
mod tests;
