//! The messages of `openapi.v2`: those parts that documents here have.

use serde_json::Value;

use super::{
    Choice,
    Kind::{Many, One, Scalar, Texts},
    Message, Rest,
};

pub(in crate::openapi) static DOCUMENT: Message = Message::Object(
    &[
        ("swagger", 1, Scalar),
        ("info", 2, One(|_| (&[], &INFO))),
        ("paths", 8, One(|_| (&[], &PATHS))),
        ("definitions", 9, One(|_| (&[], &SCHEMAS))),
        ("parameters", 10, One(|_| (&[], &PARAMETERS))),
        ("security", 12, Many(|_| (&[], &REQUIREMENT))),
        ("securityDefinitions", 13, One(|_| (&[], &SECURITY))),
    ],
    Rest::Extensions(16),
);

static INFO: Message = Message::Object(&[("title", 1, Scalar), ("version", 2, Scalar)], Rest::None);

static PATHS: Message = Message::Object(&[], Rest::Entries(2, |_| (&[], &PATH_ITEM)));

static PATH_ITEM: Message = Message::Object(
    &[
        ("get", 2, One(|_| (&[], &OPERATION))),
        ("put", 3, One(|_| (&[], &OPERATION))),
        ("post", 4, One(|_| (&[], &OPERATION))),
        ("delete", 5, One(|_| (&[], &OPERATION))),
        ("options", 6, One(|_| (&[], &OPERATION))),
        ("head", 7, One(|_| (&[], &OPERATION))),
        ("patch", 8, One(|_| (&[], &OPERATION))),
        ("parameters", 9, Many(PARAMETER_OR_REFERENCE)),
    ],
    Rest::Extensions(10),
);

static OPERATION: Message = Message::Object(
    &[
        ("tags", 1, Texts),
        ("description", 3, Scalar),
        ("operationId", 5, Scalar),
        ("produces", 6, Texts),
        ("consumes", 7, Texts),
        ("parameters", 8, Many(PARAMETER_OR_REFERENCE)),
        ("responses", 9, One(|_| (&[], &RESPONSES))),
        ("schemes", 10, Texts),
    ],
    Rest::Extensions(13),
);

static REFERENCE: Message = Message::Object(&[("$ref", 1, Scalar)], Rest::None);

static PARAMETERS: Message = Message::Object(&[], Rest::Entries(1, parameter));

static BODY: Message = Message::Object(
    &[
        ("description", 1, Scalar),
        ("name", 2, Scalar),
        ("in", 3, Scalar),
        ("required", 4, Scalar),
        ("schema", 5, One(|_| (&[], &SCHEMA))),
    ],
    Rest::Extensions(6),
);

static QUERY: Message = Message::Object(
    &[
        ("required", 1, Scalar),
        ("in", 2, Scalar),
        ("description", 3, Scalar),
        ("name", 4, Scalar),
        ("type", 6, Scalar),
        ("uniqueItems", 20, Scalar),
    ],
    Rest::Extensions(23),
);

static PATH: Message = Message::Object(
    &[
        ("required", 1, Scalar),
        ("in", 2, Scalar),
        ("description", 3, Scalar),
        ("name", 4, Scalar),
        ("type", 5, Scalar),
        ("uniqueItems", 19, Scalar),
    ],
    Rest::Extensions(22),
);

static RESPONSES: Message = Message::Object(&[], Rest::Entries(1, |_| (&[1], &RESPONSE)));

static RESPONSE: Message = Message::Object(
    &[
        ("description", 1, Scalar),
        ("schema", 2, One(|_| (&[1], &SCHEMA))),
    ],
    Rest::Extensions(5),
);

static SCHEMAS: Message = Message::Object(&[], Rest::Entries(1, |_| (&[], &SCHEMA)));

static SCHEMA: Message = Message::Object(
    &[
        ("$ref", 1, Scalar),
        ("format", 2, Scalar),
        ("description", 4, Scalar),
        ("required", 19, Texts),
        ("enum", 20, Many(|_| (&[], &Message::Any))),
        ("additionalProperties", 21, One(|_| (&[1], &SCHEMA))),
        ("type", 22, One(|_| (&[], &Message::Scalar(1)))),
        ("items", 23, One(|_| (&[1], &SCHEMA))),
        ("properties", 25, One(|_| (&[], &SCHEMAS))),
    ],
    Rest::Extensions(31),
);

static REQUIREMENT: Message = Message::Object(&[], Rest::Entries(1, |_| (&[], &Message::Texts(1))));

static SECURITY: Message = Message::Object(&[], Rest::Entries(1, |_| (&[2], &API_KEY)));

static API_KEY: Message = Message::Object(
    &[
        ("type", 1, Scalar),
        ("name", 2, Scalar),
        ("in", 3, Scalar),
        ("description", 4, Scalar),
    ],
    Rest::Extensions(5),
);

const PARAMETER_OR_REFERENCE: Choice = |value| match value["in"].as_str() {
    None => (&[2], &REFERENCE),
    Some("body") => (&[1, 1], &BODY),
    Some("path") => (&[1, 2, 4], &PATH),
    Some(_) => (&[1, 2, 3], &QUERY),
};

fn parameter(value: &Value) -> (&'static [u32], &'static Message) {
    match PARAMETER_OR_REFERENCE(value) {
        // Not one of a choice between parameters and references.
        ([1, inner @ ..], message) => (inner, message),
        other => other,
    }
}
