//! Objects as they are, their metadata alone, or rows for people.

use std::iter;

use bytes::Bytes;
use fleetgate_apimachinery::{
    field::{FieldError, Path},
    json,
    meta::{ListMeta, Time},
    negotiation::{Format, MetaVersion, Output, View},
    query::Query,
    status::Status,
    table::{
        IncludeObject, PartialObjectMetadata, PartialObjectMetadataList, Printer, Row, Table,
        meta_type,
    },
    watch::INITIAL_EVENTS_END,
};
use fleetgate_registry::{Form, List, Object, Stored, Strategy};
use fleetgate_stack::Body;
use http::{Response, StatusCode};

use super::{Resource, list_body::ListBody};
use crate::respond;

/// How objects are shown to one caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) output: Output,
    /// What rows carry beside their cells.
    include: IncludeObject,
    pub(super) headers: Headers,
}

/// Whether a table says what its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headers {
    Hide,
    Show,
}

/// `value` as JSON.
fn to_json<T: serde::Serialize>(value: &T) -> Result<Bytes, Status> {
    json::to_vec(value)
        .map(Bytes::from)
        .map_err(Status::internal)
}

// === impl Shown ===

impl Shown {
    /// `output`, with the options of tables from `query`.
    ///
    /// # Errors
    /// 400 for an `includeObject` that is none.
    pub(super) fn of(output: Output, query: &Query<'_>) -> Result<Self, Status> {
        let wanted = query.text("includeObject");
        let include = match (output.view, IncludeObject::parse(wanted)) {
            (_, Some(include)) => include,
            (View::Table(_), None) => {
                let path = Path::new("includeObject");
                let detail = "must be 'Metadata', 'Object', 'None', or empty";
                let error = FieldError::invalid(&path, wanted, detail);
                let message = format!("Unable to convert to Table as requested: {error}");
                return Err(Status::bad_request(message));
            }
            (View::Object | View::Partial(_) | View::PartialList(_), None) => {
                IncludeObject::default()
            }
        };
        let headers = match query.boolean("noHeaders") {
            Some(true) => Headers::Hide,
            Some(false) | None => Headers::Show,
        };
        Ok(Self {
            output,
            include,
            headers,
        })
    }

    /// The form of an event whose type has this number, of 3.
    pub(super) const fn form(self, event: u32) -> Form {
        Form {
            number: self.number() * 3 + event,
            // Rows tell how old objects are.
            shows_time: matches!(self.output.view, View::Table(_)),
        }
    }

    /// The same for the same form only.
    const fn number(self) -> u32 {
        let (view, version) = match self.output.view {
            View::Object => return 0,
            View::Partial(version) => (1, version),
            View::PartialList(version) => (2, version),
            View::Table(version) => (3, version),
        };
        let version = match version {
            MetaVersion::V1 => 0,
            MetaVersion::V1Beta1 => 1,
        };
        let include = match self.include {
            IncludeObject::Metadata => 0,
            IncludeObject::None => 1,
            IncludeObject::Object => 2,
        };
        let headers = match self.headers {
            Headers::Hide => 0,
            Headers::Show => 1,
        };
        ((view * 2 + version) * 3 + include) * 2 + headers
    }
}

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    /// An answer with one object.
    pub(super) fn show_object(
        &self,
        code: StatusCode,
        object: &Stored<S::Object>,
        shown: Shown,
    ) -> Result<Response<Body>, Status> {
        let document = self.object_json(object, shown)?;
        Ok(respond::document(code, shown.output.format, document))
    }

    /// One object as JSON.
    pub(super) fn object_json(
        &self,
        object: &Stored<S::Object>,
        shown: Shown,
    ) -> Result<Bytes, Status> {
        let metadata = object.object().metadata();
        match shown.output.view {
            View::Object => Ok(object.json()),
            View::Partial(version) => to_json(&PartialObjectMetadata::of(metadata, version)),
            View::PartialList(_) => Err(unfit(
                "PartialObjectMetadataList",
                "is not a list",
                self.kinds().0,
            )),
            View::Table(version) => {
                let metadata = ListMeta {
                    resource_version: metadata.resource_version.clone(),
                    ..ListMeta::default()
                };
                let rows = [object];
                to_json(&table(
                    &self.printer,
                    metadata,
                    rows.into_iter(),
                    (version, shown),
                )?)
            }
        }
    }

    /// An answer with many objects.
    pub(super) fn show_list(
        &self,
        list: List<S::Object>,
        shown: Shown,
    ) -> Result<Response<Body>, Status> {
        let items = || list.items.iter().map(|item| &**item);
        let format = shown.output.format;
        let document = match shown.output.view {
            View::Object if format == Format::Json => {
                let body = Body::new(self.list_body(list)?);
                let content_type = format.content_type();
                return Ok(respond::respond(StatusCode::OK, content_type, body));
            }
            View::Object => {
                let mut body = self.list_body(list)?;
                let frames: Vec<_> = iter::from_fn(|| body.next_frame()).collect();
                // Without the line feed that ends a compact answer.
                frames.concat().trim_ascii_end().to_vec().into()
            }
            View::Partial(_) => {
                return Err(unfit("PartialObjectMetadata", "is a list", self.kinds().1));
            }
            View::PartialList(version) => to_json(&PartialObjectMetadataList {
                types: meta_type("PartialObjectMetadataList", version),
                metadata: list.metadata.clone(),
                items: items()
                    .map(|item| PartialObjectMetadata::of(item.object().metadata(), version))
                    .collect(),
            })?,
            View::Table(version) => {
                let metadata = list.metadata.clone();
                to_json(&table(&self.printer, metadata, items(), (version, shown))?)?
            }
        };
        Ok(respond::document(StatusCode::OK, format, document))
    }

    /// The list as JSON.
    fn list_body(&self, list: List<S::Object>) -> Result<ListBody<S::Object>, Status> {
        let List { metadata, items } = list;
        let names = self.registry.strategy().names();
        let (kind, api_version) = (names.list_kind, names.api_version);
        let types = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":"#);
        let metadata = to_json(&metadata)?;
        let head = [types.as_bytes(), &metadata, br#","items":["#].concat();
        Ok(ListBody::new(head.into(), items))
    }

    /// The Go types of an object and of a list, for messages: those of the package that is named as
    /// the first part of the group is.
    fn kinds(&self) -> (String, String) {
        let names = self.registry.strategy().names();
        let package = names.group.split('.').next().unwrap_or_default();
        (
            format!("*{package}.{}", names.kind),
            format!("*{package}.{}", names.list_kind),
        )
    }
}

/// 406 for a form that what is asked for does not have.
fn unfit(wanted: &str, but: &str, kind: String) -> Status {
    let message = format!("you requested {wanted}, but the requested object {but} ({kind})");
    Status::failure(406, "NotAcceptable", message)
}

/// `objects` as rows.
fn table<'o, O: Object>(
    printer: &Printer<O>,
    metadata: ListMeta,
    objects: impl Iterator<Item = &'o Stored<O>>,
    (version, shown): (MetaVersion, Shown),
) -> Result<Table, Status> {
    let now = Time::now();
    let rows = objects.map(|stored| {
        let object = stored.object();
        let ends_initial = object
            .metadata()
            .annotations
            .contains_key(INITIAL_EVENTS_END);
        let carried = match shown.include {
            // The bookmark that is one only by its annotation shows that in any case.
            IncludeObject::None if !ends_initial => None,
            IncludeObject::Object => Some(serde_json::to_value(object)),
            IncludeObject::Metadata | IncludeObject::None => {
                let metadata = PartialObjectMetadata::of(object.metadata(), version);
                Some(serde_json::to_value(metadata))
            }
        };
        let carried = carried.transpose().map_err(Status::internal)?;
        Ok(Row {
            cells: (printer.cells)(object, now),
            object: carried,
        })
    });
    Ok(Table {
        types: meta_type("Table", version),
        metadata,
        rows: rows.collect::<Result<_, Status>>()?,
        column_definitions: match shown.headers {
            Headers::Hide => None,
            Headers::Show => Some(printer.columns),
        },
    })
}

/// The one form of events.
pub(super) const STREAMED: Format = Format::Json;
