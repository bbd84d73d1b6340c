//! Answers: objects, statuses and text, in the form that the caller accepts.

use bytes::Bytes;
use fleetgate_apimachinery::{
    json,
    negotiation::{Format, NotAcceptable, PageVersion, StatusFormat},
    status::Status,
};
use fleetgate_stack::Body;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::Value;

use crate::{
    asked::{Answer, Failure},
    warning,
};

const PRIVATE: HeaderValue = HeaderValue::from_static("no-cache, private");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// An answer that nobody may keep.
pub(crate) fn respond(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, PRIVATE);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer without a body.
pub(crate) fn empty(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response.headers_mut().insert(CACHE_CONTROL, PRIVATE);
    response
}

/// `compact`, which is JSON on one line, in `format`.
pub(crate) fn document(code: StatusCode, format: Format, compact: Bytes) -> Response<Body> {
    respond(
        code,
        format.content_type(),
        Body::full(written(format, compact)),
    )
}

/// `compact`, JSON of the page `kind` of `config.k8s.io`, in `format`, with a warning where the
/// version is an old one.
pub(crate) fn versioned(
    format: Format,
    compact: Bytes,
    (kind, version): (&str, PageVersion),
) -> Response<Body> {
    let mut response = document(StatusCode::OK, format, compact);
    let (media_type, name) = (format.content_type(), version.name());
    let content_type = format!("{media_type};g=config.k8s.io;v={name};as={kind}");
    let content_type = HeaderValue::from_str(&content_type).expect("media types are ASCII");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    match version {
        PageVersion::V1Beta1 => {}
        PageVersion::V1Alpha1 => {
            let page = kind.to_ascii_lowercase();
            let old = format!(
                "This version of the {page} endpoint is deprecated. Please use a newer version."
            );
            warning::add(headers, &[old]);
        }
    }
    response
}

/// What went wrong, in a form that the caller accepts.
pub(crate) fn failure(failure: &Failure, answer: &Answer) -> Response<Body> {
    match failure {
        Failure::Status(failed) => status(failed, answer.status_format()),
        Failure::Warned(failed, warnings) => {
            let mut response = status(failed, answer.status_format());
            warning::add(response.headers_mut(), warnings);
            response
        }
        Failure::NotAcceptable(refused) => {
            let NotAcceptable {
                status: failed,
                format,
            } = &**refused;
            status(failed, *format)
        }
    }
}

/// A status, with the headers that say the same.
pub(crate) fn status(status: &Status, format: StatusFormat) -> Response<Body> {
    let bytes = match format {
        StatusFormat::Protobuf => status.to_protobuf().into(),
        StatusFormat::Object(format) => {
            written(format, json::to_vec(status).unwrap_or_default().into())
        }
    };
    let mut response = respond(status.http_code(), format.content_type(), Body::full(bytes));
    if let Some(seconds) = status.retry_after_seconds() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Plain text.
pub(crate) fn text(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, PRIVATE);
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(CONTENT_TYPE_OPTIONS, NO_SNIFF);
    response
}

fn written(format: Format, compact: Bytes) -> Bytes {
    match format {
        Format::Json => {
            let mut line = Vec::with_capacity(compact.len() + 1);
            line.extend_from_slice(&compact);
            line.push(b'\n');
            line.into()
        }
        Format::PrettyJson => json::indent(&compact).into(),
        Format::Yaml => {
            let value: Value = serde_json::from_slice(&compact).unwrap_or_default();
            serde_saphyr::to_string(&value).unwrap_or_default().into()
        }
    }
}
