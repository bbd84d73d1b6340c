//! Reads an `Accept` header: clauses in the order in which they are wanted.

use super::{Discovery, Format, JSON, MetaVersion, PROTOBUF, Pretty, View};

/// One clause: a media range with parameters.
#[derive(Clone, Debug)]
pub(super) struct Clause<'h> {
    range: &'h str,
    params: Vec<(&'h str, &'h str)>,
}

/// The clauses of `header`, those with the highest `q` first; the empty header accepts anything.
pub(super) fn clauses(header: &str) -> Vec<Clause<'_>> {
    let header = if header.is_empty() { "*/*" } else { header };
    let mut clauses: Vec<(f32, Clause<'_>)> = header.split(',').filter_map(clause).collect();
    // Stable: clauses of one weight keep their order.
    clauses.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    clauses.into_iter().map(|(_, clause)| clause).collect()
}

fn clause(text: &str) -> Option<(f32, Clause<'_>)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| range.contains('/'))?;
    let mut weight = 1.0;
    let mut params = Vec::new();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match (key.trim(), value.trim()) {
            ("q", value) => weight = value.parse().unwrap_or(1.0),
            (key, value) => params.push((key, value)),
        }
    }
    (weight > 0.0).then_some((weight, Clause { range, params }))
}

// === impl Clause ===

impl Clause<'_> {
    /// Whether the media range takes `media_type` in.
    pub(super) fn takes(&self, media_type: &str) -> bool {
        let kind = media_type.split('/').next();
        self.range == media_type || self.range == "*/*" || self.range.strip_suffix("/*") == kind
    }

    /// Whether protobuf is asked for by its name.
    pub(super) fn is_protobuf(&self) -> bool {
        self.range == PROTOBUF && self.streams_as(PROTOBUF)
    }

    /// In which of JSON and YAML the answer may be.
    pub(super) fn format(&self) -> Option<Format> {
        [Format::Json, Format::Yaml].into_iter().find(|format| {
            let media_type = format.content_type();
            self.takes(media_type) && self.streams_as(media_type)
        })
    }

    /// Whether `media_type` has the form for streams that is asked for, whether or not there is a
    /// stream to give: a clause that cannot be met for a watch is none for an object either.
    pub(super) fn streams_as(&self, media_type: &str) -> bool {
        match self.param("stream") {
            "" => true,
            "watch" => matches!(media_type, JSON | PROTOBUF),
            _ => false,
        }
    }

    /// What of an object is asked for; nothing if that does not exist.
    pub(super) fn view(&self) -> Option<View> {
        let version = match (self.param("g"), self.param("v")) {
            ("", "") if self.param("as").is_empty() => return Some(View::Object),
            ("meta.k8s.io", "v1") => MetaVersion::V1,
            ("meta.k8s.io", "v1beta1") => MetaVersion::V1Beta1,
            _ => return None,
        };
        match self.param("as") {
            "PartialObjectMetadata" => Some(View::Partial(version)),
            "PartialObjectMetadataList" => Some(View::PartialList(version)),
            "Table" => Some(View::Table(version)),
            _ => None,
        }
    }

    /// Group, version and kind that are asked for, each perhaps empty.
    pub(super) fn kind(&self) -> (&str, &str, &str) {
        (self.param("g"), self.param("v"), self.param("as"))
    }

    /// Which discovery document is asked for; nothing if that does not exist.
    pub(super) fn discovery(&self) -> Option<Discovery> {
        match self.kind() {
            ("", "", "") => Some(Discovery::Groups),
            ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList") => Some(Discovery::AggregatedV2),
            ("apidiscovery.k8s.io", "v2beta1", "APIGroupDiscoveryList") => {
                Some(Discovery::AggregatedV2Beta1)
            }
            _ => None,
        }
    }

    /// `format`, indented where that is asked for.
    pub(super) fn prettify(&self, format: Format, pretty: Pretty) -> Format {
        let is_pretty = pretty == Pretty::Yes || self.param("pretty") == "1";
        match format {
            Format::Json if is_pretty => Format::PrettyJson,
            Format::Json => Format::Json,
            Format::PrettyJson => Format::PrettyJson,
            Format::Yaml => Format::Yaml,
        }
    }

    /// The last of those called `name`.
    fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .rfind(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    }
}
