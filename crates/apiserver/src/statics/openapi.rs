//! `/openapi`: the documents, made once, with what lets callers keep them.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::OnceLock,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use fleetgate_apimachinery::{
    discovery::Group,
    negotiation::{self, DocumentFormat, OpenApi as Version},
    openapi::{self, Document, Info},
};
use fleetgate_stack::{Body, list_elements};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, EXPIRES, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, VARY,
    },
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::cache;
use crate::respond;

/// What Karmada's documents of version 3 are called, where it calls those of version 2 by its name.
const V3_TITLE: &str = "Generic API Server";
/// How long a document may be kept whose hash was asked for.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The documents.
#[derive(Debug)]
pub(super) struct OpenApi {
    v2: Kept,
    index: Kept,
    v3: BTreeMap<String, Kept>,
    /// Since when they are as they are: since the start.
    modified: HeaderValue,
}

/// A document, as it is answered.
#[derive(Debug)]
struct Kept {
    json: Form,
    protobuf: Form,
    hash: String,
    etag: HeaderValue,
}

/// One form of a document, and that compressed once it is first asked for.
#[derive(Debug)]
struct Form {
    plain: Bytes,
    gzip: OnceLock<Option<Bytes>>,
}

// === impl OpenApi ===

impl OpenApi {
    /// The documents of `groups`, which call the API `title`.
    pub(super) fn new(groups: &[Group], title: &str, version: &super::Version) -> Self {
        let version = &format!("{}.{}", version.major, version.minor);
        let v3_title = V3_TITLE;
        let v3 = openapi::v3(
            groups,
            Info {
                title: v3_title,
                version,
            },
        );
        let index = openapi::v3_index(&v3);
        Self {
            v2: Kept::of(openapi::v2(groups, Info { title, version })),
            index: Kept::of(Document {
                hash: openapi::hash(&index),
                json: index,
                protobuf: Vec::new(),
            }),
            v3: v3
                .into_iter()
                .map(|(key, document)| (key, Kept::of(document)))
                .collect(),
            modified: date(Timestamp::now()),
        }
    }

    /// `/openapi/v2`.
    pub(super) fn v2(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = match negotiation::negotiate_openapi(accept(headers), Version::V2) {
            // Kubernetes says this without a word.
            None => respond::empty(StatusCode::NOT_ACCEPTABLE),
            Some(format) => {
                let form = self.v2.form(format);
                let gzip = takes_gzip(headers).then(|| form.gzip()).flatten();
                let body = gzip.unwrap_or(&form.plain).clone();
                let mut response =
                    self.answer(&self.v2, format.content_type(Version::V2), body, headers);
                if gzip.is_some() && response.status() == StatusCode::OK {
                    let gzip = HeaderValue::from_static("gzip");
                    response.headers_mut().insert(CONTENT_ENCODING, gzip);
                }
                response
            }
        };
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.append(VARY, HeaderValue::from_static("Accept"));
        response
    }

    /// `/openapi/v3`.
    pub(super) fn index(&self, headers: &HeaderMap) -> Response<Body> {
        let body = self.index.json.plain.clone();
        let json = DocumentFormat::Json.content_type(Version::V3);
        self.answer(&self.index, json, body, headers)
    }

    /// `/openapi/v3/{key}`, with the hash that the caller knows of it.
    ///
    /// With an old hash Kubernetes redirects to the new one, which does not work behind the
    /// aggregator, for it lets no redirect through. The document is answered instead, and not to be
    /// kept.
    pub(super) fn v3(&self, key: &str, hash: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let kept = self.v3.get(key)?;
        let mut response = match negotiation::negotiate_openapi(accept(headers), Version::V3) {
            // Kubernetes says this without a word.
            None => respond::empty(StatusCode::NOT_ACCEPTABLE),
            Some(format) => {
                let body = kept.form(format).plain.clone();
                self.answer(kept, format.content_type(Version::V3), body, headers)
            }
        };
        let is_found = response.status() != StatusCode::NOT_ACCEPTABLE;
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if is_found && hash == kept.hash {
            let immutable = HeaderValue::from_static("public, immutable");
            headers.insert(CACHE_CONTROL, immutable);
            headers.insert(EXPIRES, date(Timestamp::now() + YEAR));
        }
        Some(response)
    }

    /// `body`, or word that the caller has it.
    fn answer(
        &self,
        kept: &Kept,
        content_type: &'static str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let is_known = match headers.get(IF_NONE_MATCH) {
            Some(_) => cache::has_tag(headers, &kept.etag),
            None => headers.get(IF_MODIFIED_SINCE) == Some(&self.modified),
        };
        let mut response = if is_known {
            respond::empty(StatusCode::NOT_MODIFIED)
        } else {
            let mut response = respond::respond(StatusCode::OK, content_type, Body::full(body));
            let modified = self.modified.clone();
            response.headers_mut().insert(LAST_MODIFIED, modified);
            response
        };
        response.headers_mut().insert(ETAG, kept.etag.clone());
        response
    }
}

// === impl Kept ===

impl Kept {
    fn of(document: Document) -> Self {
        let Document {
            json,
            protobuf,
            hash,
        } = document;
        Self {
            json: Form::of(json),
            protobuf: Form::of(protobuf),
            etag: HeaderValue::from_str(&format!("\"{hash}\""))
                .expect("hexadecimal digits in quotes"),
            hash,
        }
    }

    const fn form(&self, format: DocumentFormat) -> &Form {
        match format {
            DocumentFormat::Json => &self.json,
            DocumentFormat::Protobuf => &self.protobuf,
        }
    }
}

// === impl Form ===

impl Form {
    fn of(plain: Vec<u8>) -> Self {
        Self {
            plain: plain.into(),
            gzip: OnceLock::new(),
        }
    }

    /// Compressed. Nothing if that fails, which a write to memory does not.
    fn gzip(&self) -> Option<&Bytes> {
        self.gzip
            .get_or_init(|| compress(&self.plain).ok())
            .as_ref()
    }
}

fn compress(plain: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?.into())
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    list_elements(headers, ACCEPT_ENCODING).any(|encoding| {
        let (name, weight) = encoding.split_once(';').unwrap_or((encoding, ""));
        name.trim() == "gzip" && !matches!(weight.trim(), "q=0" | "q=0.0")
    })
}

fn accept(headers: &HeaderMap) -> &str {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A time as HTTP writes it.
fn date(time: Timestamp) -> HeaderValue {
    let text = time
        .to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    HeaderValue::from_str(&text).expect("a date is ASCII")
}

#[cfg(test)]
mod tests;
