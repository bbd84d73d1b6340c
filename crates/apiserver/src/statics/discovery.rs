//! `/apis` and what is below it: the old documents, and the aggregated ones with their entity tags.

use bytes::Bytes;
use fleetgate_apimachinery::{
    discovery::{AggregatedDiscovery, AggregatedVersion, ApiGroupList, Group, etag},
    json,
    negotiation::{self, Discovery as Wanted, Format, NotAcceptable, Offer, View},
    query::Query,
    status::Status,
};
use fleetgate_stack::Body;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, USER_AGENT, VARY},
};
use serde::Serialize;

use super::cache;
use crate::respond;

/// The documents. Depends on nothing that could be away.
#[derive(Debug)]
pub(super) struct Discovery {
    groups: &'static [Group],
    /// The list of groups.
    list: Bytes,
    v2: Aggregated,
    v2beta1: Aggregated,
}

/// An aggregated document, which changes only with the program.
#[derive(Debug)]
struct Aggregated {
    document: Bytes,
    etag: HeaderValue,
    content_type: &'static str,
}

// === impl Discovery ===

impl Discovery {
    pub(super) fn new(groups: &'static [Group], address: String) -> Self {
        Self {
            groups,
            list: bytes(&ApiGroupList::of(groups, &address)),
            v2: Aggregated::of(
                groups,
                AggregatedVersion::V2,
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            ),
            v2beta1: Aggregated::of(
                groups,
                AggregatedVersion::V2Beta1,
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            ),
        }
    }

    /// The paths of all documents.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = vec!["/apis".to_owned()];
        for group in self.groups {
            paths.push(format!("/apis/{}", group.name));
            paths.extend(
                group
                    .versions
                    .iter()
                    .map(|v| format!("/apis/{}/{}", group.name, v.name)),
            );
        }
        paths
    }

    /// `/apis`.
    pub(super) fn groups(&self, headers: &HeaderMap, query: Option<&str>) -> Response<Body> {
        let accept = header(headers, &ACCEPT);
        match negotiation::negotiate_discovery(accept, pretty(headers, query)) {
            Ok((Wanted::Groups, format)) => {
                respond::document(StatusCode::OK, format, self.list.clone())
            }
            Ok((Wanted::AggregatedV2, _)) => self.v2.answer(headers),
            Ok((Wanted::AggregatedV2Beta1, _)) => self.v2beta1.answer(headers),
            Err(NotAcceptable { status, format }) => respond::status(&status, format),
        }
    }

    /// `/apis/{group}`.
    pub(super) fn group(
        &self,
        name: &str,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Response<Body> {
        match self.groups.iter().find(|group| group.name == name) {
            Some(group) => plain(&group.document(), "APIGroup", headers, query),
            None => respond::page_not_found(),
        }
    }

    /// `/apis/{group}/{version}`.
    pub(super) fn resources(
        &self,
        name: &str,
        version: &str,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Response<Body> {
        let Some(group) = self.groups.iter().find(|group| group.name == name) else {
            return respond::page_not_found();
        };
        match group.resources(version) {
            Some(resources) => plain(&resources, "APIResourceList", headers, query),
            None => {
                let accept = header(headers, &ACCEPT);
                let format = negotiation::negotiate_status(accept, pretty(headers, query));
                respond::status(&Status::no_such_resource(), format)
            }
        }
    }
}

// === impl Aggregated ===

impl Aggregated {
    fn of(groups: &[Group], version: AggregatedVersion, content_type: &'static str) -> Self {
        let document = bytes(&AggregatedDiscovery::of(groups, version));
        let etag = HeaderValue::from_str(&etag(&document)).expect("hexadecimal digits in quotes");
        Self {
            document,
            etag,
            content_type,
        }
    }

    /// The document, or word that the caller has it.
    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let is_known = cache::has_tag(headers, &self.etag);
        let (code, body) = if is_known {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (
                StatusCode::OK,
                Body::full([&*self.document, b"\n"].concat()),
            )
        };
        let mut response = respond::respond(code, self.content_type, body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        headers.insert(ETAG, self.etag.clone());
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if is_known {
            headers.remove(CONTENT_TYPE);
        }
        response
    }
}

/// A document that has one form only.
fn plain<T: Serialize>(
    document: &T,
    kind: &'static str,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Response<Body> {
    let accept = header(headers, &ACCEPT);
    let pretty = pretty(headers, query);
    let output = negotiation::negotiate(
        accept,
        pretty,
        Offer::Object {
            version: "v1",
            kind,
        },
    );
    let format = match output {
        Ok(output) if output.view == View::Object => output.format,
        Ok(_) => Format::Json,
        Err(NotAcceptable { status, format }) => return respond::status(&status, format),
    };
    respond::document(StatusCode::OK, format, bytes(document))
}

fn bytes<T: Serialize>(document: &T) -> Bytes {
    json::to_vec(document)
        .expect("strings and lists serialize")
        .into()
}

fn pretty(headers: &HeaderMap, query: Option<&str>) -> negotiation::Pretty {
    let query = Query::parse(query.unwrap_or_default());
    negotiation::pretty(query.first("pretty"), header(headers, &USER_AGENT))
}

fn header<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
