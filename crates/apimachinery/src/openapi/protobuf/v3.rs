//! The messages of `openapi.v3`: those parts that documents here have.

use serde_json::Value;

use super::{
    Choice,
    Kind::{Many, One, Scalar, Texts},
    Message, Rest,
};

pub(in crate::openapi) static DOCUMENT: Message = Message::Object(
    &[
        ("openapi", 1, Scalar),
        ("info", 2, One(|_| (&[], &INFO))),
        ("paths", 4, One(|_| (&[], &PATHS))),
        ("components", 5, One(|_| (&[], &COMPONENTS))),
    ],
    Rest::Extensions(9),
);

static INFO: Message = Message::Object(&[("title", 1, Scalar), ("version", 6, Scalar)], Rest::None);

static PATHS: Message = Message::Object(&[], Rest::Entries(1, |_| (&[], &PATH_ITEM)));

static PATH_ITEM: Message = Message::Object(
    &[
        ("get", 4, One(|_| (&[], &OPERATION))),
        ("put", 5, One(|_| (&[], &OPERATION))),
        ("post", 6, One(|_| (&[], &OPERATION))),
        ("delete", 7, One(|_| (&[], &OPERATION))),
        ("options", 8, One(|_| (&[], &OPERATION))),
        ("head", 9, One(|_| (&[], &OPERATION))),
        ("patch", 10, One(|_| (&[], &OPERATION))),
        ("parameters", 13, Many(|_| (&[1], &PARAMETER))),
    ],
    Rest::Extensions(14),
);

static OPERATION: Message = Message::Object(
    &[
        ("tags", 1, Texts),
        ("description", 3, Scalar),
        ("operationId", 5, Scalar),
        ("parameters", 6, Many(|_| (&[1], &PARAMETER))),
        ("requestBody", 7, One(|_| (&[1], &REQUEST_BODY))),
        ("responses", 8, One(|_| (&[], &RESPONSES))),
    ],
    Rest::Extensions(13),
);

static PARAMETER: Message = Message::Object(
    &[
        ("name", 1, Scalar),
        ("in", 2, Scalar),
        ("description", 3, Scalar),
        ("required", 4, Scalar),
        ("schema", 10, One(SCHEMA_OR_REFERENCE)),
    ],
    Rest::Extensions(14),
);

static REQUEST_BODY: Message = Message::Object(
    &[
        ("description", 1, Scalar),
        ("content", 2, One(|_| (&[], &MEDIA_TYPES))),
        ("required", 3, Scalar),
    ],
    Rest::Extensions(4),
);

static RESPONSES: Message = Message::Object(&[], Rest::Entries(2, |_| (&[1], &RESPONSE)));

static RESPONSE: Message = Message::Object(
    &[
        ("description", 1, Scalar),
        ("content", 3, One(|_| (&[], &MEDIA_TYPES))),
    ],
    Rest::Extensions(5),
);

static MEDIA_TYPES: Message = Message::Object(&[], Rest::Entries(1, |_| (&[], &MEDIA_TYPE)));

static MEDIA_TYPE: Message = Message::Object(
    &[("schema", 1, One(SCHEMA_OR_REFERENCE))],
    Rest::Extensions(5),
);

static COMPONENTS: Message =
    Message::Object(&[("schemas", 1, One(|_| (&[], &SCHEMAS)))], Rest::None);

static SCHEMAS: Message = Message::Object(&[], Rest::Entries(1, SCHEMA_OR_REFERENCE));

static SCHEMA: Message = Message::Object(
    &[
        ("uniqueItems", 20, Scalar),
        ("required", 23, Texts),
        ("enum", 24, Many(|_| (&[], &Message::Any))),
        ("type", 25, Scalar),
        ("allOf", 26, Many(SCHEMA_OR_REFERENCE)),
        ("oneOf", 27, Many(SCHEMA_OR_REFERENCE)),
        ("items", 30, One(ITEMS)),
        ("properties", 31, One(|_| (&[], &SCHEMAS))),
        ("additionalProperties", 32, One(ITEMS)),
        ("default", 33, One(DEFAULT)),
        ("description", 34, Scalar),
        ("format", 35, Scalar),
    ],
    Rest::Extensions(36),
);

static REFERENCE: Message = Message::Object(&[("$ref", 1, Scalar)], Rest::None);

const SCHEMA_OR_REFERENCE: Choice = |value| {
    if value.get("$ref").is_some() {
        (&[2], &REFERENCE)
    } else {
        (&[1], &SCHEMA)
    }
};

/// Items, and values of maps: a schema or a reference, in a message of its own.
const ITEMS: Choice = |value| {
    if value.get("$ref").is_some() {
        (&[1, 2], &REFERENCE)
    } else {
        (&[1, 1], &SCHEMA)
    }
};

/// Gnostic knows scalars alone; what is none is an empty message.
const DEFAULT: Choice = |value| match value {
    Value::Number(_) => (&[], &Message::Scalar(1)),
    Value::Bool(_) => (&[], &Message::Scalar(2)),
    Value::String(_) => (&[], &Message::Scalar(3)),
    Value::Null | Value::Array(_) | Value::Object(_) => (&[], &Message::Object(&[], Rest::None)),
};
