//! Objects as they are, their metadata alone, or rows for people.

use bytes::Bytes;
use fleetgate_apimachinery::{
    field::{FieldError, Path, aggregate},
    json,
    meta::{ListMeta, Time},
    negotiation::{Format, MetaVersion, Output, View},
    query::Query,
    status::Status,
    table::{
        IncludeObject, PartialObjectMetadata, PartialObjectMetadataList, Printer, Row, Table,
        meta_type,
    },
};
use fleetgate_registry::{List, Object, Stored, Strategy};
use fleetgate_stack::Body;
use http::{Response, StatusCode};

use super::Resource;
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
                return Err(Status::bad_request(aggregate(&[error])));
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
        list: &List<S::Object>,
        shown: Shown,
    ) -> Result<Response<Body>, Status> {
        let items = || list.items.iter().map(|item| &**item);
        let document = match shown.output.view {
            View::Object => self.list_json(list)?,
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
        Ok(respond::document(
            StatusCode::OK,
            shown.output.format,
            document,
        ))
    }

    /// The list as JSON, put together from the JSON of its items.
    fn list_json(&self, list: &List<S::Object>) -> Result<Bytes, Status> {
        let names = self.registry.strategy().names();
        let (kind, api_version) = (names.list_kind, names.api_version);
        let items: Vec<_> = list
            .items
            .iter()
            .map(|item| item.item_json_after_brace())
            .collect();
        let size = items.iter().map(|item| item.len() + 2).sum::<usize>();
        let head = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":"#);
        let mut out = Vec::with_capacity(head.len() + size + 256);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&to_json(&list.metadata)?);
        out.extend_from_slice(br#","items":["#);
        for (index, item) in items.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",{" } else { b"{" });
            out.extend_from_slice(item);
        }
        out.extend_from_slice(b"]}");
        Ok(out.into())
    }

    /// The Go types of an object and of a list, for messages.
    fn kinds(&self) -> (String, String) {
        let names = self.registry.strategy().names();
        let version = self.group_version().version;
        (
            format!("*{version}.{}", names.kind),
            format!("*{version}.{}", names.list_kind),
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
        let carried = match shown.include {
            IncludeObject::None => None,
            IncludeObject::Object => Some(serde_json::to_value(object)),
            IncludeObject::Metadata => {
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
