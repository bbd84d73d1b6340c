//! `/apis` and what is below it: the old documents, and the aggregated ones with their entity tags.

use bytes::Bytes;
use fleetgate_apimachinery::{
    discovery::{AggregatedDiscovery, AggregatedVersion, ApiGroupList, Group, etag},
    json,
    negotiation::{self, Discovery as Wanted, NotAcceptable, StatusFormat},
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
    list: Forms,
    v2: Aggregated,
    v2beta1: Aggregated,
}

/// A document in both forms.
#[derive(Debug)]
struct Forms {
    json: Bytes,
    protobuf: Bytes,
}

/// An aggregated document, which changes only with the program.
#[derive(Debug)]
struct Aggregated {
    forms: Forms,
    etag: HeaderValue,
    /// Of the media type.
    parameters: &'static str,
}

// === impl Discovery ===

impl Discovery {
    pub(super) fn new(groups: &'static [Group], address: String) -> Self {
        let list = ApiGroupList::of(groups, &address);
        Self {
            groups,
            list: Forms::of(&list, list.to_protobuf()),
            v2: Aggregated::of(
                groups,
                AggregatedVersion::V2,
                ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            ),
            v2beta1: Aggregated::of(
                groups,
                AggregatedVersion::V2Beta1,
                ";g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
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
            Ok((Wanted::Groups, format)) => self.list.answer(format),
            Ok((Wanted::AggregatedV2, format)) => self.v2.answer(headers, format),
            Ok((Wanted::AggregatedV2Beta1, format)) => self.v2beta1.answer(headers, format),
            Err(NotAcceptable { status, format }) => respond::status(&status, format),
        }
    }

    /// `/apis/{group}`; nothing for a group that is not served.
    pub(super) fn group(
        &self,
        name: &str,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Option<Response<Body>> {
        let group = self.groups.iter().find(|group| group.name == name)?;
        Some(plain(headers, query, || {
            let document = group.document();
            Forms::of(&document, document.to_protobuf())
        }))
    }

    /// `/apis/{group}/{version}`; nothing for a group that is not served.
    pub(super) fn resources(
        &self,
        name: &str,
        version: &str,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Option<Response<Body>> {
        let group = self.groups.iter().find(|group| group.name == name)?;
        Some(match group.resources(version) {
            Some(resources) => plain(headers, query, || {
                Forms::of(&resources, resources.to_protobuf())
            }),
            None => {
                let accept = header(headers, &ACCEPT);
                let format = negotiation::negotiate_status(accept, pretty(headers, query));
                respond::status(&Status::no_such_resource(), format)
            }
        })
    }
}

// === impl Forms ===

impl Forms {
    fn of<T: Serialize>(document: &T, protobuf: Vec<u8>) -> Self {
        let json = json::to_vec(document).expect("strings and lists serialize");
        Self {
            json: json.into(),
            protobuf: protobuf.into(),
        }
    }

    fn answer(&self, format: StatusFormat) -> Response<Body> {
        match format {
            StatusFormat::Object(format) => {
                respond::document(StatusCode::OK, format, self.json.clone())
            }
            StatusFormat::Protobuf => {
                let body = Body::full(self.protobuf.clone());
                respond::respond(StatusCode::OK, format.content_type(), body)
            }
        }
    }
}

// === impl Aggregated ===

impl Aggregated {
    fn of(groups: &[Group], version: AggregatedVersion, parameters: &'static str) -> Self {
        let document = AggregatedDiscovery::of(groups, version);
        let forms = Forms::of(&document, document.to_protobuf());
        let etag = HeaderValue::from_str(&etag(&forms.json)).expect("hexadecimal digits in quotes");
        Self {
            forms,
            etag,
            parameters,
        }
    }

    /// The document, or word that the caller has it.
    fn answer(&self, headers: &HeaderMap, format: StatusFormat) -> Response<Body> {
        let mut response = if cache::has_tag(headers, &self.etag) {
            respond::empty(StatusCode::NOT_MODIFIED)
        } else {
            let mut response = self.forms.answer(format);
            let content_type = format!("{}{}", format.content_type(), self.parameters);
            let content_type = HeaderValue::from_str(&content_type).expect("media types are ASCII");
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        headers.insert(ETAG, self.etag.clone());
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        response
    }
}

/// A document that is there once, whatever is asked for.
fn plain(
    headers: &HeaderMap,
    query: Option<&str>,
    document: impl FnOnce() -> Forms,
) -> Response<Body> {
    let accept = header(headers, &ACCEPT);
    match negotiation::negotiate_plain(accept, pretty(headers, query)) {
        Ok(format) => document().answer(format),
        Err(NotAcceptable { status, format }) => respond::status(&status, format),
    }
}

fn pretty(headers: &HeaderMap, query: Option<&str>) -> negotiation::Pretty {
    let query = Query::parse(query.unwrap_or_default());
    negotiation::pretty(query.first("pretty"), header(headers, &USER_AGENT))
}

/// The first value of `name`, or nothing.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
