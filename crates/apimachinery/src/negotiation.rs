//! Which form an answer takes, from `Accept`, and which one a body has, from `Content-Type`.

mod accept;
mod openapi;
mod statusz;

use crate::{schema::GroupVersion, status::Status};

use self::accept::clauses;
pub use self::{
    openapi::{DocumentFormat, OpenApi, negotiate_openapi},
    statusz::{PageVersion, StatusPage, negotiate_page},
};

/// The types that bodies are said to be read in, in Kubernetes' order. Protobuf is named, as
/// Karmada names it, though no resource here has one.
const MEDIA_TYPES: [&str; 3] = [JSON, YAML, PROTOBUF];
/// The types that watches are said to be given in.
const STREAMS: [&str; 2] = [
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON on one line, with a line feed at its end.
    Json,
    /// JSON for people: indented by two spaces.
    PrettyJson,
    /// YAML.
    Yaml,
}

/// What an answer shows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The object itself.
    Object,
    /// Its metadata alone (`PartialObjectMetadata`), in the version of `meta.k8s.io`.
    Partial(MetaVersion),
    /// The metadata of the items of a list (`PartialObjectMetadataList`).
    PartialList(MetaVersion),
    /// Rows for people (`Table`).
    Table(MetaVersion),
}

/// A version of `meta.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaVersion {
    V1,
    V1Beta1,
}

/// The answer that a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub format: Format,
    /// What is shown.
    pub view: View,
}

/// How statuses and discovery documents are written: in protobuf too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFormat {
    /// As objects are.
    Object(Format),
    /// Kubernetes' protobuf.
    Protobuf,
}

/// Whether JSON is indented where `Accept` does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pretty {
    /// On one line.
    #[default]
    No,
    /// Indented.
    Yes,
}

/// What kind of answer there is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<'a> {
    /// One object or a list, of the kind `kind`.
    Object {
        /// Version of the kind.
        version: &'a str,
        /// The kind, for the text of an error.
        kind: &'a str,
    },
    /// A watch: a row of events.
    Watch,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// JSON, which is also assumed where nothing is said.
    Json,
    /// YAML.
    Yaml,
}

/// Which discovery document is asked for at `/api` and `/apis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `apidiscovery.k8s.io/v2`.
    AggregatedV2,
    /// `apidiscovery.k8s.io/v2beta1`.
    AggregatedV2Beta1,
    /// The list of groups or versions alone.
    Groups,
}

/// `Accept` leaves nothing that can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAcceptable {
    /// What to answer: 406.
    pub status: Status,
    /// How to write it.
    pub format: StatusFormat,
}

/// Whether JSON is to be indented, from the query parameter `pretty` and the user agent: for
/// `curl`, `Wget` and browsers, unless the parameter says otherwise.
pub fn pretty(parameter: Option<&str>, user_agent: &str) -> Pretty {
    let is_pretty = match parameter.filter(|text| !text.is_empty()) {
        Some(text) => matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        None => ["curl", "Wget", "Mozilla/5.0"]
            .iter()
            .any(|name| user_agent.starts_with(name)),
    };
    if is_pretty { Pretty::Yes } else { Pretty::No }
}

/// How to answer with `offer`.
///
/// A clause for protobuf is passed over where a later one can be met, since no resource has a
/// protobuf form; Kubernetes' own server fails there.
///
/// # Errors
/// [`NotAcceptable`] if no clause of `accept` can be met, or the first that can is not for streams
/// where there is a stream to give.
pub fn negotiate(accept: &str, pretty: Pretty, offer: Offer<'_>) -> Result<Output, NotAcceptable> {
    let clauses = clauses(accept);
    let met = clauses.iter().find_map(|clause| {
        let view = clause.view()?;
        let format = clause.format()?;
        Some(Output {
            format: clause.prettify(format, pretty),
            view,
        })
    });
    match (met, offer) {
        (Some(output), Offer::Watch) if output.format == Format::Yaml => {
            let mut refused = refuse(&STREAMS);
            refused.format = StatusFormat::Object(output.format);
            Err(refused)
        }
        (Some(output), Offer::Object { .. } | Offer::Watch) => Ok(output),
        (None, Offer::Object { version, kind }) if accepts_protobuf(&clauses) => {
            let status = Status::failure(
                406,
                "NotAcceptable",
                format!(
                    "object *{version}.{kind} does not implement the protobuf marshalling \
                     interface and cannot be encoded to a protobuf message"
                ),
            );
            Err(NotAcceptable {
                status,
                format: StatusFormat::Protobuf,
            })
        }
        (None, Offer::Object { .. } | Offer::Watch) => Err(refuse(&MEDIA_TYPES)),
    }
}

fn accepts_protobuf(clauses: &[accept::Clause<'_>]) -> bool {
    clauses
        .iter()
        .any(|clause| clause.is_protobuf() && clause.view().is_some())
}

/// Refuses what names none of the types of a path in full, nor anything as `*/*`: the first thing
/// that Kubernetes looks at, before it reads `accept` in earnest. `offer` is what a GET of the path
/// can be, an [`Offer::Watch`] where that may be a stream.
///
/// # Errors
/// 406.
pub fn check_representation(accept: &str, offer: Offer<'_>) -> Result<(), Status> {
    if is_named(accept, &MEDIA_TYPES) {
        return Ok(());
    }
    Err(match offer {
        Offer::Object { .. } => Status::no_representation(&MEDIA_TYPES),
        Offer::Watch => Status::no_representation(&[&MEDIA_TYPES[..], &STREAMS].concat()),
    })
}

/// Refuses callers who do not accept JSON, in which alone what is no object is written.
///
/// # Errors
/// 406.
pub fn check_json(accept: &str) -> Result<(), Status> {
    if is_named(accept, &[JSON]) {
        return Ok(());
    }
    Err(Status::no_representation(&[JSON]))
}

/// Whether `accept` names one of `types`, or takes anything. Parameters do not count here.
fn is_named(accept: &str, types: &[&str]) -> bool {
    let names = |clause: &str| {
        let range = clause.split(';').next().unwrap_or_default().trim();
        range == "*/*" || types.contains(&range)
    };
    accept.is_empty() || accept.split(',').any(names)
}

fn refuse(accepted: &[&str]) -> NotAcceptable {
    let status = Status::not_acceptable(accepted);
    NotAcceptable {
        status,
        format: StatusFormat::Object(Format::PrettyJson),
    }
}

/// How to write a status: in what is accepted, and if nothing is, as JSON for people.
pub fn negotiate_status(accept: &str, pretty: Pretty) -> StatusFormat {
    let clauses = clauses(accept);
    let plain = clauses
        .iter()
        .filter(|clause| clause.view() == Some(View::Object));
    let mut met = plain.filter_map(|clause| match clause.format() {
        Some(format) => Some(StatusFormat::Object(clause.prettify(format, pretty))),
        None if clause.is_protobuf() => Some(StatusFormat::Protobuf),
        None => None,
    });
    met.next()
        .unwrap_or(StatusFormat::Object(Format::PrettyJson))
}

/// Which discovery document to give, and how.
///
/// # Errors
/// [`NotAcceptable`] if no clause of `accept` can be met.
pub fn negotiate_discovery(
    accept: &str,
    pretty: Pretty,
) -> Result<(Discovery, StatusFormat), NotAcceptable> {
    let every = [
        Discovery::Groups,
        Discovery::AggregatedV2,
        Discovery::AggregatedV2Beta1,
    ];
    negotiate_among(&every, accept, pretty)
}

/// How to give a discovery document of which there is one kind alone.
///
/// # Errors
/// [`NotAcceptable`] if no clause of `accept` can be met.
pub fn negotiate_plain(accept: &str, pretty: Pretty) -> Result<StatusFormat, NotAcceptable> {
    let (_, format) = negotiate_among(&[Discovery::Groups], accept, pretty)?;
    Ok(format)
}

fn negotiate_among(
    offers: &[Discovery],
    accept: &str,
    pretty: Pretty,
) -> Result<(Discovery, StatusFormat), NotAcceptable> {
    let met = clauses(accept).into_iter().find_map(|clause| {
        let discovery = clause
            .discovery()
            .filter(|wanted| offers.contains(wanted))?;
        let format = match clause.format() {
            Some(format) => StatusFormat::Object(clause.prettify(format, pretty)),
            None if clause.is_protobuf() => StatusFormat::Protobuf,
            None => return None,
        };
        Some((discovery, format))
    });
    // As for objects, a type must be named in full, whatever its clause would take in.
    if !is_named(accept, &MEDIA_TYPES) {
        return Err(NotAcceptable {
            status: Status::no_representation(&MEDIA_TYPES),
            format: negotiate_status(accept, pretty),
        });
    }
    met.ok_or_else(|| refuse(&MEDIA_TYPES))
}

/// How the body of a create or update is written.
///
/// # Errors
/// 415 for types that are not read.
pub fn input(content_type: &str) -> Result<Input, Status> {
    let has_parameters = content_type.split(';').skip(1).all(is_parameter);
    match essence(content_type).as_str() {
        "" | JSON if has_parameters => Ok(Input::Json),
        YAML if has_parameters => Ok(Input::Yaml),
        _ => Err(Status::unsupported_media_type(&MEDIA_TYPES)),
    }
}

/// Whether `text` is a parameter as Go's `mime` reads it; nothing behind the last `;` is none too
/// many.
fn is_parameter(text: &str) -> bool {
    let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    let text = text.trim();
    let named = text.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim_end();
        !name.is_empty() && name.chars().all(is_token)
    });
    text.is_empty() || named
}

/// A media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

// === impl Format ===

impl Format {
    /// The `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::PrettyJson => JSON,
            Self::Yaml => YAML,
        }
    }
}

// === impl StatusFormat ===

impl StatusFormat {
    /// The `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Object(format) => format.content_type(),
            Self::Protobuf => PROTOBUF,
        }
    }
}

// === impl MetaVersion ===

impl MetaVersion {
    /// Group and version, as in `apiVersion`.
    pub const fn api_version(self) -> GroupVersion<'static> {
        let version = match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        };
        GroupVersion {
            group: "meta.k8s.io",
            version,
        }
    }
}

#[cfg(test)]
mod tests;
