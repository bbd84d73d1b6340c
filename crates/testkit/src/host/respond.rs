//! The answers of the fake host.

use std::{convert::Infallible, io, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};

use super::{Call, state::State};
use crate::server::Body;

/// A failure as Kubernetes tells it.
pub(super) fn failure(code: u16, message: &str) -> Response<Body> {
    let reason = match code {
        404 => "NotFound",
        410 => "Expired",
        _ => "",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    answer(code, &status)
}

/// A review with its status, as 201.
pub(super) fn review(body: &Bytes, reviewer: &dyn Fn(&Value) -> Value) -> Response<Body> {
    let mut review: Value = serde_json::from_slice(body).unwrap();
    review["status"] = reviewer(&review["spec"]);
    answer(201, &review)
}

/// A get, list or watch of what was put.
pub(super) fn read(state: &Arc<State>, call: &Call) -> Response<Body> {
    match call.verb.as_str() {
        "get" => match state.select(call).0.first() {
            Some(object) => answer(200, &shown(call, object.clone())),
            None => failure(
                404,
                &format!("{} \"{}\" not found", call.resource, call.name),
            ),
        },
        "list" => list(state, call),
        "watch" => watch(state, call),
        _ => failure(405, "the fake host only reads"),
    }
}

fn list(state: &State, call: &Call) -> Response<Body> {
    let (objects, revision) = state.select(call);
    let items: Vec<Value> = objects
        .into_iter()
        .map(|object| shown(call, object))
        .collect();
    let (kind, api_version) = match call.wants_metadata() {
        true => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
        false => ("List", call.api_version()),
    };
    let list = json!({
        "kind": kind, "apiVersion": api_version,
        "metadata": { "resourceVersion": revision.to_string() }, "items": items,
    });
    answer(200, &list)
}

fn watch(state: &Arc<State>, call: &Call) -> Response<Body> {
    let Some(cursor) = state.cursor(call) else {
        return failure(410, "too old resource version");
    };
    let events = stream::unfold(
        (state.clone(), call.clone(), cursor),
        |(state, call, mut cursor)| async move {
            let event = state.next(&call, &mut cursor).await?;
            let object = shown(&call, event.object);
            let line = format!("{}\n", json!({ "type": event.kind, "object": object }));
            Some((Ok(Frame::data(Bytes::from(line))), (state, call, cursor)))
        },
    );
    with_type(Response::new(StreamBody::new(events).boxed_unsync()))
}

/// `object`, cut down to its metadata where only that is asked for.
fn shown(call: &Call, object: Value) -> Value {
    match call.wants_metadata() {
        true => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"],
        }),
        false => object,
    }
}

fn answer(code: u16, value: &Value) -> Response<Body> {
    let never = |never: Infallible| -> io::Error { match never {} };
    let mut answer = Response::new(Full::from(value.to_string()).map_err(never).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    with_type(answer)
}

fn with_type(mut answer: Response<Body>) -> Response<Body> {
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

// === impl Call ===

impl Call {
    fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}
