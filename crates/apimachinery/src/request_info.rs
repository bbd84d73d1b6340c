//! What a request asks for, from its method, raw path and raw query: Kubernetes' `RequestInfo`.
//!
//! A path has up to two parts. *Ours* is decoded once, here, and what is authorized is what is
//! routed: a `.`, `..` or empty segment, an encoded separator and every byte that could be read in
//! two ways are refused before anything is decided. The *member's*, all that follows
//! `clusters/{name}/proxy`, arrives there as it was sent; only what a member would resolve to
//! another path (`.` and `..` in any encoding that one decoding undoes) is refused.
//!
//! `%252e%252e` is no dot segment: a member decodes once and sees the name `%2e%2e`.

mod kube;
mod path;

use std::borrow::Cow;

use fleetgate_model::{Attributes, ClusterName, Reason, Refusal, Selectors};
use http::{Method, StatusCode};

/// The parts of a request that say what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'r> {
    /// The HTTP method.
    pub method: &'r Method,
    /// The path as it was sent, percent-encoded.
    pub path: &'r str,
    /// The query as it was sent, without `?`.
    pub query: Option<&'r str>,
    /// Whether the caller asks for another protocol on the connection.
    pub upgrade: Upgrade,
}

/// Whether a request carries `Connection: Upgrade`, or is an extended CONNECT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Another protocol is asked for.
    Asked,
    /// An ordinary request.
    #[default]
    No,
}

/// The resource whose subresource `proxy` leads to a member: `clusters` of `cluster.karmada.io`.
#[derive(Clone, Copy, Debug)]
pub struct ProxiedResource {
    /// API group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Plural name.
    pub resource: &'static str,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// What authorization is asked about: of a proxied request, the cluster's `proxy` subresource.
    /// Its `path` has our own part decoded, and is what may be routed by.
    pub attributes: Attributes,
    /// The way to a member, if that is where the request goes.
    pub proxy: Option<ProxyPath>,
}

/// A path through `clusters/{name}/proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPath {
    /// Which cluster. The segment's text is the name of the outer attributes' resource.
    pub target: ProxyTarget,
    /// What the member is asked. Verb and resource are read from the decoded path, as the member
    /// reads it; `path` is [`Self::rest`].
    pub inner: Attributes,
}

/// The cluster that a proxied request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTarget {
    /// `*`, also sent as `%2A`: all clusters.
    All,
    /// A segment that is the name of no cluster that could exist.
    NoCluster,
    /// One cluster.
    One(ClusterName),
}

/// A path is refused: 400, before authentication and authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A `.` or `..` segment, in any encoding.
    #[error("the path has a \".\" or \"..\" segment")]
    DotSegment,
    /// An empty segment in our own part, such as `/apis//x`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `%2F`, `%5C` or `%25` in our own part, or a backslash.
    #[error("the path has an encoded separator")]
    EncodedSeparator,
    /// A NUL anywhere; in our own part another control character, or bytes that are not UTF-8.
    #[error("the path has a character that is not allowed")]
    ForbiddenCharacter,
    /// A `%` without two hexadecimal digits.
    #[error("the path has an invalid percent-encoding")]
    InvalidEscape,
    /// `…/watch` or `…/proxy` in the place of a verb, without a resource.
    #[error("the path names no resource")]
    MissingResource,
    /// A request target that does not start with `/`.
    #[error("the path does not start with \"/\"")]
    NotAbsolute,
}

// === impl RequestInfo ===

impl RequestInfo {
    /// Reads `line`.
    ///
    /// # Errors
    /// [`PathError`] if the path must not be served, to nobody.
    pub fn of(line: RequestLine<'_>, proxied: &ProxiedResource) -> Result<Self, PathError> {
        let split = path::split(line.path, proxied)?;
        let (verb, resource) = kube::verb_and_resource(line.method, &split.own, line.query)?;
        let Some(rest) = split.rest else {
            let long_running = kube::is_long_running(&verb, resource.as_ref(), &split.own);
            let selectors = kube::selectors(&verb, &split.own, line.query);
            let path = split.own.into_owned();
            let attributes = Attributes {
                verb,
                resource,
                path,
                selectors,
                long_running,
            };
            return Ok(Self {
                attributes,
                proxy: None,
            });
        };
        let inner = inner(line, rest);
        let name = resource.as_ref().map_or("", |resource| &resource.name);
        let target = match name {
            "*" => ProxyTarget::All,
            name => ClusterName::parse(name).map_or(ProxyTarget::NoCluster, ProxyTarget::One),
        };
        let path = match split.own {
            Cow::Borrowed(_) => line.path.to_owned(),
            Cow::Owned(own) => own + rest,
        };
        let long_running = inner.long_running;
        let attributes = Attributes {
            verb,
            resource,
            path,
            selectors: Selectors::default(),
            long_running,
        };
        Ok(Self {
            attributes,
            proxy: Some(ProxyPath { target, inner }),
        })
    }
}

/// What the member is asked, as the member reads it.
fn inner(line: RequestLine<'_>, rest: &str) -> Attributes {
    let decoded = path::decode_lossy(rest);
    let (verb, resource) = kube::verb_and_resource(line.method, &decoded, line.query)
        .unwrap_or_else(|_| (kube::method_verb(line.method), None));
    let long_running =
        line.upgrade == Upgrade::Asked || kube::is_long_running(&verb, resource.as_ref(), &decoded);
    Attributes {
        verb,
        resource,
        path: rest.to_owned(),
        selectors: Selectors::default(),
        long_running,
    }
}

// === impl ProxyPath ===

impl ProxyPath {
    /// What follows `/proxy`, byte for byte as sent: nothing, or a path that starts with `/`.
    pub fn rest(&self) -> &str {
        &self.inner.path
    }
}

// === impl PathError ===

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        Self::caller(
            StatusCode::BAD_REQUEST,
            Reason::BadRequest,
            error.to_string(),
        )
    }
}

#[cfg(test)]
mod tests;
