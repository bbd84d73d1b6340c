//! Objects as rows for people, and their metadata alone.

use serde::Serialize;
use serde_json::Value;

use crate::{
    meta::{ListMeta, ObjectMeta, Time, TypeMeta},
    negotiation::MetaVersion,
};

/// A column of a table (`metav1.TableColumnDefinition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: &'static str,
    /// An OpenAPI type: `string`, `integer`, `number`, `boolean`, `date`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `name` for the column that identifies an object; else empty.
    pub format: &'static str,
    pub description: &'static str,
    /// 0 is always shown, more only where there is room.
    pub priority: i32,
}

/// How objects become rows: a cell for each column.
#[derive(Debug)]
pub struct Printer<O> {
    /// The columns.
    pub columns: &'static [Column],
    /// The cells of one object, as it is now.
    pub cells: fn(&O, Time) -> Vec<Value>,
}

/// `metav1.Table`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    #[serde(flatten)]
    pub types: TypeMeta,
    pub metadata: ListMeta,
    /// Nothing where no headers are wanted.
    pub column_definitions: Option<&'static [Column]>,
    pub rows: Vec<Row>,
}

/// One object (`metav1.TableRow`).
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// One scalar per column.
    pub cells: Vec<Value>,
    /// The object, or its metadata, or nothing, which is written as `null`.
    pub object: Option<Value>,
}

/// The metadata of an object (`metav1.PartialObjectMetadata`).
#[derive(Clone, Debug, Serialize)]
pub struct PartialObjectMetadata<'o> {
    #[serde(flatten)]
    pub types: TypeMeta,
    pub metadata: &'o ObjectMeta,
}

/// The metadata of the items of a list (`metav1.PartialObjectMetadataList`).
#[derive(Clone, Debug, Serialize)]
pub struct PartialObjectMetadataList<'o> {
    #[serde(flatten)]
    pub types: TypeMeta,
    pub metadata: ListMeta,
    pub items: Vec<PartialObjectMetadata<'o>>,
}

/// How much of an object a row carries (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Its metadata.
    #[default]
    Metadata,
    /// Nothing.
    None,
    /// All of it.
    Object,
}

/// The age of what was made at `created`, as `kubectl` prints it; `<unknown>` where that is not
/// known.
pub fn age(created: Option<Time>, now: Time) -> String {
    created.map_or_else(
        || "<unknown>".to_owned(),
        |created| human_duration(now.timestamp().as_second() - created.timestamp().as_second()),
    )
}

/// A duration of `seconds` in one or two units: `90s`, `3m5s`, `2d4h`, `3y12d`.
pub fn human_duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let pair = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{of}"),
    };
    match (seconds, hours) {
        (..=-2, _) => "<invalid>".to_owned(),
        (-1, _) => "0s".to_owned(),
        (..120, _) => format!("{seconds}s"),
        (..600, _) => pair(minutes, "m", seconds % 60, "s"),
        (..10_800, _) => format!("{minutes}m"),
        (_, ..8) => pair(hours, "h", minutes % 60, "m"),
        (_, ..48) => format!("{hours}h"),
        (_, ..192) => pair(days, "d", hours % 24, "h"),
        (_, ..17_520) => format!("{days}d"),
        (_, ..70_080) => pair(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// `kind` and `apiVersion` of a type of `meta.k8s.io`.
pub fn meta_type(kind: &str, version: MetaVersion) -> TypeMeta {
    TypeMeta {
        kind: kind.to_owned(),
        api_version: version.api_version().to_string(),
    }
}

// === impl Printer ===

impl<O> Clone for Printer<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Printer<O> {}

// === impl PartialObjectMetadata ===

impl<'o> PartialObjectMetadata<'o> {
    /// The metadata of one object.
    pub fn of(metadata: &'o ObjectMeta, version: MetaVersion) -> Self {
        Self {
            types: meta_type("PartialObjectMetadata", version),
            metadata,
        }
    }
}

// === impl IncludeObject ===

impl IncludeObject {
    /// Reads the query parameter; nothing if it has another value.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::None),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[track_caller]
    fn check(seconds: i64, want: &str) {
        assert_eq!(human_duration(seconds), want);
    }

    #[test]
    fn durations_are_printed_as_kubectl_prints_them() {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        check(-2, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(119, "119s");
        check(2 * MINUTE, "2m");
        check(9 * MINUTE + 59, "9m59s");
        check(10 * MINUTE + 59, "10m");
        check(3 * HOUR - 1, "179m");
        check(3 * HOUR, "3h");
        check(7 * HOUR + 59 * MINUTE, "7h59m");
        check(8 * HOUR + 59 * MINUTE, "8h");
        check(2 * DAY - 1, "47h");
        check(2 * DAY + 3 * HOUR, "2d3h");
        check(7 * DAY, "7d");
        check(8 * DAY + 3 * HOUR, "8d");
        check(729 * DAY, "729d");
        check(730 * DAY, "2y");
        check(731 * DAY, "2y1d");
        check(8 * 365 * DAY + DAY, "8y");
    }
}
