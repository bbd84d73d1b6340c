//! A request for a resource, and what its headers say of the answer.

use fleetgate_apimachinery::{
    negotiation::{self, NotAcceptable, Offer, Output, Pretty, StatusFormat},
    query::Query,
    status::Status,
};
use fleetgate_model::{Attributes, Resource, User};
use fleetgate_stack::Body;
use http::{
    HeaderMap, HeaderName, Method, Request,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use sync_wrapper::SyncWrapper;

/// A request with its attributes.
#[derive(Debug)]
pub(crate) struct Asked {
    parts: Parts,
    /// Never shared, so that handlers may borrow the rest while they wait.
    body: SyncWrapper<Body>,
    user: User,
    attributes: Attributes,
}

/// How an answer is to look, kept while the request itself is used up.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    accept: String,
    accept_encoding: String,
    pretty: Pretty,
    is_long_running: bool,
}

/// Why there is no answer of the kind that was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    NotAcceptable(Box<NotAcceptable>),
    Status(Status),
    /// With texts for `Warning` headers.
    Warned(Status, Vec<String>),
}

/// The first value of `name`, as Go reads a header, or nothing.
fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

// === impl Asked ===

impl Asked {
    pub(crate) fn new(request: Request<Body>, user: User, attributes: Attributes) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            parts,
            body: SyncWrapper::new(body),
            user,
            attributes,
        }
    }

    /// Who acts.
    pub(crate) const fn user(&self) -> &User {
        &self.user
    }

    /// What was authorized.
    pub(crate) const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The verb that was authorized.
    pub(crate) fn verb(&self) -> &str {
        self.attributes.verb.as_str()
    }

    pub(crate) const fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path that was authorized.
    pub(crate) fn path(&self) -> &str {
        &self.attributes.path
    }

    /// The resource that was authorized.
    pub(crate) const fn resource(&self) -> Option<&Resource> {
        self.attributes.resource.as_ref()
    }

    /// The name that was authorized; empty for a collection.
    pub(crate) fn name(&self) -> &str {
        self.resource().map_or("", |resource| &resource.name)
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query::parse(self.parts.uri.query().unwrap_or_default())
    }

    pub(crate) fn content_type(&self) -> &str {
        header(&self.parts.headers, CONTENT_TYPE)
    }

    pub(crate) fn user_agent(&self) -> &str {
        header(&self.parts.headers, USER_AGENT)
    }

    /// How the answer is to look.
    pub(crate) fn answer(&self) -> Answer {
        let query = self.query();
        Answer {
            accept: header(&self.parts.headers, ACCEPT).to_owned(),
            accept_encoding: header(&self.parts.headers, ACCEPT_ENCODING).to_owned(),
            pretty: negotiation::pretty(query.first("pretty"), self.user_agent()),
            is_long_running: self.attributes.long_running,
        }
    }

    /// The request and its attributes again.
    pub(crate) fn into_parts(self) -> (Request<Body>, Attributes) {
        let request = Request::from_parts(self.parts, self.body.into_inner());
        (request, self.attributes)
    }

    /// The body, which is read only once all else is known to be good.
    pub(crate) fn into_body(self) -> Body {
        self.body.into_inner()
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) const fn is_long_running(&self) -> bool {
        self.is_long_running
    }

    /// The encodings of the answer that are accepted, as the caller writes them.
    pub(crate) fn accept_encoding(&self) -> &str {
        &self.accept_encoding
    }

    /// Refuses to answer in any way, where none of the types of the path is accepted.
    pub(crate) fn check_representation(&self, offer: Offer<'_>) -> Result<(), Status> {
        negotiation::check_representation(&self.accept, offer)
    }

    /// How to answer with `offer`.
    pub(crate) fn output(&self, offer: Offer<'_>) -> Result<Output, Failure> {
        negotiation::negotiate(&self.accept, self.pretty, offer)
            .map_err(|refused| Failure::NotAcceptable(Box::new(refused)))
    }

    /// How to write a status.
    pub(crate) fn status_format(&self) -> StatusFormat {
        negotiation::negotiate_status(&self.accept, self.pretty)
    }
}

// === impl Failure ===

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}
