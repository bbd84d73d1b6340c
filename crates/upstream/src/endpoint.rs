//! Where a member is: `spec.apiEndpoint`, taken apart once.

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// The parts of an endpoint that connecting and requests need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `http` or `https`.
    pub(crate) scheme: Scheme,
    /// Host and port as a request names them; the port is left out where the endpoint has none.
    pub(crate) authority: Authority,
    /// The authority as the `Host` header of HTTP/1.1.
    pub(crate) host_header: HeaderValue,
    /// Port to connect to.
    pub(crate) port: u16,
    /// Path in front of every request's path, without a slash at its end; usually empty.
    base_path: String,
}

/// An endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    /// It has no host.
    #[error("the URL has no host")]
    NoHost,
    /// It is no URL.
    #[error("not a URL")]
    NotUrl(#[source] http::uri::InvalidUri),
    /// What stands for a port is none.
    #[error("the URL has no valid port")]
    Port,
    /// Only `http` and `https` can be spoken.
    #[error("unsupported scheme {0:?}")]
    Scheme(String),
    /// A user or password has no place in it.
    #[error("the URL carries user information")]
    UserInfo,
}

// === impl Endpoint ===

impl Endpoint {
    /// Parses the value of `spec.apiEndpoint`.
    ///
    /// # Errors
    /// [`EndpointError`], without the value: it may hold a password.
    pub(crate) fn parse(value: &str) -> Result<Self, EndpointError> {
        let parts = value
            .parse::<Uri>()
            .map_err(EndpointError::NotUrl)?
            .into_parts();
        let authority = parts.authority.ok_or(EndpointError::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let scheme = parts.scheme.ok_or(EndpointError::NoHost)?;
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let port = port(&authority).ok_or(EndpointError::Port)?;
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        Ok(Self {
            host_header: HeaderValue::from_str(authority.as_str())
                .map_err(|_| EndpointError::NoHost)?,
            port: port.unwrap_or(default_port),
            base_path: path.trim_end_matches('/').to_owned(),
            scheme,
            authority,
        })
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
    }

    /// Whether requests travel over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// What a forward proxy is asked to connect to: always with the port.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.authority.host(), self.port)
    }

    /// `target` below the base path, bytes as they are.
    ///
    /// # Errors
    /// If base path and target are together no valid URI, e.g. longer than 65,534 bytes.
    pub(crate) fn path_and_query(
        &self,
        target: &PathAndQuery,
    ) -> Result<PathAndQuery, http::uri::InvalidUri> {
        if self.base_path.is_empty() {
            return Ok(target.clone());
        }
        PathAndQuery::try_from(format!("{}{target}", self.base_path))
    }
}

/// The port of `authority`, if it names one; nothing at all where that is no port.
pub(crate) fn port(authority: &Authority) -> Option<Option<u16>> {
    let whole = authority.as_str();
    let host_and_port = whole.rsplit_once('@').map_or(whole, |(_user, rest)| rest);
    match host_and_port.strip_prefix(authority.host())? {
        "" | ":" => Some(None),
        port => port.strip_prefix(':')?.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;

    use super::Endpoint;

    #[track_caller]
    fn check(value: &str, host: &str, port: u16, path: &str) {
        let endpoint = Endpoint::parse(value).expect(value);
        let target = PathAndQuery::from_static("/api//v1/a%2Fb/?x=1&x=2");
        let got = endpoint.path_and_query(&target).expect("a valid path");
        assert_eq!((endpoint.host(), endpoint.port), (host, port));
        assert_eq!(got.as_str(), format!("{path}{target}"));
    }

    #[test]
    fn an_endpoint_is_host_port_and_base_path() {
        check("https://10.0.0.1:6443", "10.0.0.1", 6443, "");
        check("https://10.0.0.1:6443/", "10.0.0.1", 6443, "");
        check(
            "https://rancher/k8s/clusters/c-1",
            "rancher",
            443,
            "/k8s/clusters/c-1",
        );
        check("http://[::1]:8080", "::1", 8080, "");
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_without_being_repeated() {
        let port = "https://h:65536";
        for value in [
            "",
            "10.0.0.1:6443",
            "/x",
            "ftp://h",
            "https://u:secret@h",
            port,
        ] {
            let error = Endpoint::parse(value).expect_err(value);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
