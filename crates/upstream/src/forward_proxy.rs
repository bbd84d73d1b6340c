//! The forward proxy of a member: `spec.proxyURL` and `spec.proxyHeader`, taken apart once.

use base64::{Engine, prelude::BASE64_STANDARD};
use fleetgate_model::ForwardProxy;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::PROXY_AUTHORIZATION};
use percent_encoding::percent_decode_str;

use crate::endpoint::port;

/// How a forward proxy is spoken to.
#[derive(Clone)]
pub(crate) struct Via {
    /// Whether the proxy itself is spoken with over TLS.
    pub(crate) tls: bool,
    /// What is spoken with the proxy.
    pub(crate) protocol: Protocol,
    /// Host of the proxy, without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// Port of the proxy.
    pub(crate) port: u16,
}

/// The protocols of forward proxies, with what each presents.
#[derive(Clone)]
pub(crate) enum Protocol {
    /// HTTP CONNECT (RFC 9110, section 9.3.6).
    HttpConnect {
        /// Headers of the CONNECT request, `Proxy-Authorization` among them.
        headers: HeaderMap,
    },
    /// SOCKS 5 (RFC 1928), with user and password (RFC 1929) where there are any. The proxy looks
    /// up the member's name.
    Socks5 {
        /// User and password.
        login: Option<(String, String)>,
    },
}

/// A forward proxy cannot be used. Never repeats the URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardProxyError {
    /// A header of `spec.proxyHeader` cannot be sent.
    #[error("{0:?} is no header that can be sent")]
    Header(String),
    /// No host.
    #[error("the URL has no host")]
    NoHost,
    /// Not a URL.
    #[error("not a URL")]
    NotUrl(#[source] http::uri::InvalidUri),
    /// What stands for a port is none.
    #[error("the URL has no valid port")]
    Port,
    /// Neither `http`, `https` nor `socks5`.
    #[error("unsupported scheme {0:?}")]
    Scheme(String),
    /// User and password are not UTF-8.
    #[error("user and password are not UTF-8")]
    UserInfo,
}

// === impl Via ===

impl Via {
    /// Parses what a Cluster says of its proxy.
    ///
    /// # Errors
    /// [`ForwardProxyError`].
    pub(crate) fn parse(proxy: &ForwardProxy) -> Result<Self, ForwardProxyError> {
        let uri: Uri = proxy
            .url
            .expose()
            .parse()
            .map_err(ForwardProxyError::NotUrl)?;
        let authority = uri.authority().ok_or(ForwardProxyError::NoHost)?;
        let login = login(authority.as_str())?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let (protocol, default_port) = match scheme {
            "http" => (http_connect(proxy, login)?, 80),
            "https" => (http_connect(proxy, login)?, 443),
            "socks5" => (Protocol::Socks5 { login }, 1080),
            other => return Err(ForwardProxyError::Scheme(other.to_owned())),
        };
        let port = port(authority).ok_or(ForwardProxyError::Port)?;
        Ok(Self {
            host: authority
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            tls: scheme == "https",
            protocol,
            port: port.unwrap_or(default_port),
        })
    }
}

/// User and password of an authority, percent-decoded.
fn login(authority: &str) -> Result<Option<(String, String)>, ForwardProxyError> {
    let Some((userinfo, _host)) = authority.rsplit_once('@') else {
        return Ok(None);
    };
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(|text| text.into_owned())
            .map_err(|_| ForwardProxyError::UserInfo)
    };
    Ok(Some((decode(user)?, decode(password)?)))
}

fn http_connect(
    proxy: &ForwardProxy,
    login: Option<(String, String)>,
) -> Result<Protocol, ForwardProxyError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &proxy.headers {
        let unfit = || ForwardProxyError::Header(name.clone());
        let key = HeaderName::try_from(name).map_err(|_| unfit())?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    if let Some((user, password)) = login {
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {basic}"))
            .map_err(|_| ForwardProxyError::UserInfo)?;
        value.set_sensitive(true);
        headers.insert(PROXY_AUTHORIZATION, value);
    }
    Ok(Protocol::HttpConnect { headers })
}

#[cfg(test)]
mod tests {
    use fleetgate_model::{ForwardProxy, Redacted};

    use super::{Protocol, Via};

    fn proxy(url: &str) -> ForwardProxy {
        ForwardProxy {
            url: Redacted::new(url.to_owned()),
            headers: vec![
                ("X-Tenant".to_owned(), Redacted::new("a".to_owned())),
                ("X-Tenant".to_owned(), Redacted::new(" b".to_owned())),
            ],
        }
    }

    #[test]
    fn user_password_and_headers_go_into_connect() {
        let via = Via::parse(&proxy("https://us%40er:p%3Aw@px:3129")).expect("a proxy");
        assert_eq!((via.host.as_str(), via.port), ("px", 3129));
        let Protocol::HttpConnect { headers } = via.protocol else {
            panic!("not CONNECT")
        };
        assert!(via.tls);
        // us@er:p:w
        assert_eq!(headers["proxy-authorization"], "Basic dXNAZXI6cDp3");
        assert_eq!(headers.get_all("x-tenant").iter().count(), 2);
    }

    #[test]
    fn socks5_takes_its_login_and_default_port() {
        let via = Via::parse(&proxy("socks5://u:p@px")).expect("a proxy");
        assert_eq!(via.port, 1080);
        let Protocol::Socks5 { login } = via.protocol else {
            panic!("not SOCKS")
        };
        assert_eq!(login, Some(("u".to_owned(), "p".to_owned())));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
        for url in [
            "ftp://u:secret@px",
            "px:3128",
            "/",
            "http://u:secret@",
            "http://u:secret@px:99999",
        ] {
            let Err(error) = Via::parse(&proxy(url)) else {
                panic!("{url} was taken")
            };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
