//! What list, watch and get take from the query.

use std::time::Duration;

use super::META_GROUP;
use crate::{
    field::{FieldError, Path},
    query::{Query, parse_uint},
    schema::GroupKind,
    selector::{FieldSelector, LabelSelector},
    status::Status,
};

/// The longest that a caller can ask for: whoever wants more has forgotten by then, and a clock has
/// an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The options of a list or a watch (`metav1.ListOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Labels that objects must have.
    pub label_selector: LabelSelector,
    /// Fields that objects must have.
    pub field_selector: FieldSelector,
    /// Whether bookmarks may be sent.
    pub allow_watch_bookmarks: bool,
    /// Which state to read, or from where to watch.
    pub resource_version: ResourceVersion,
    /// How [`Self::resource_version`] is meant.
    pub resource_version_match: Option<ResourceVersionMatch>,
    /// How long a watch lasts; nothing for as long as the server likes.
    pub timeout: Option<Duration>,
    /// Most items of one page; 0 for all.
    pub limit: u64,
    /// Where the next page starts; empty for the first.
    pub continue_token: String,
    /// Whether a watch starts with what is there.
    pub send_initial_events: Option<bool>,
}

/// The options of a get (`metav1.GetOptions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Which state to read.
    pub resource_version: ResourceVersion,
}

/// A `resourceVersion` as clients send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceVersion {
    /// `0`: any state will do.
    Any,
    /// That state, or a newer one; see [`ResourceVersionMatch`].
    At(u64),
    /// Not sent: the newest state.
    #[default]
    Unset,
}

/// `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceVersionMatch {
    /// That state only.
    Exact,
    /// That state or a newer one.
    NotOlderThan,
}

// === impl ListOptions ===

impl ListOptions {
    /// Reads `query`. The parameter `watch` says what for: where the path alone asks for a watch, it
    /// is read as that of a list, as Kubernetes does.
    ///
    /// # Errors
    /// 400 for what cannot be read, 422 for what does not go together.
    pub fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        let bad = |error: &dyn std::error::Error| Status::bad_request(error.to_string());
        let label_selector =
            LabelSelector::parse(query.text("labelSelector")).map_err(|e| bad(&e))?;
        let field_selector =
            FieldSelector::parse(query.text("fieldSelector")).map_err(|e| bad(&e))?;
        let timeout = query.integer("timeoutSeconds").map_err(|e| bad(&e))?;
        let limit = query.integer("limit").map_err(|e| bad(&e))?;
        let verb = match query.boolean("watch") {
            Some(true) => Verb::Watch,
            Some(false) | None => Verb::List,
        };
        let initial = InitialEvents::of(query, verb);
        let errors = validate(query, verb, initial);
        if !errors.is_empty() {
            let kind = GroupKind {
                group: META_GROUP,
                kind: "ListOptions",
            };
            return Err(Status::invalid(kind, "", &errors));
        }
        Ok(Self {
            label_selector,
            field_selector,
            allow_watch_bookmarks: query.boolean("allowWatchBookmarks").unwrap_or_default(),
            resource_version: ResourceVersion::of_list(query, verb)?,
            resource_version_match: match initial.version_match {
                "Exact" => Some(ResourceVersionMatch::Exact),
                "NotOlderThan" => Some(ResourceVersionMatch::NotOlderThan),
                _ => None,
            },
            timeout: timeout
                .filter(|seconds| *seconds != 0)
                .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
                .map(|asked| asked.min(LONGEST)),
            limit: limit
                .and_then(|limit| u64::try_from(limit).ok())
                .unwrap_or_default(),
            continue_token: query.text("continue").to_owned(),
            send_initial_events: initial.send,
        })
    }

    /// The same options for the one object called `name`, which the path or the field selector
    /// names.
    ///
    /// # Errors
    /// 400 if the field selector asks for another one.
    pub fn for_name(mut self, name: &str) -> Result<Self, Status> {
        if self.field_selector.is_empty() {
            self.field_selector = FieldSelector::one("metadata.name", name);
        } else if self.field_selector.exact("metadata.name") != Some(name) {
            let message = "fieldSelector metadata.name doesn't match requested name";
            return Err(Status::bad_request(message));
        }
        Ok(self)
    }
}

/// What list options are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// A list, or the deletion of a collection.
    List,
    /// A watch.
    Watch,
}

/// Two parameters that go together.
#[derive(Clone, Copy, Debug)]
struct InitialEvents<'q> {
    send: Option<bool>,
    version_match: &'q str,
}

/// `ValidateListOptions`.
fn validate(query: &Query<'_>, verb: Verb, initial: InitialEvents<'_>) -> Vec<FieldError> {
    let matches = Path::new("resourceVersionMatch");
    let mut errors = Vec::new();
    let mut forbid = |path: &Path, detail: &str| errors.push(FieldError::forbidden(path, detail));
    let InitialEvents {
        send: initial,
        version_match: wanted,
    } = initial;
    let version = query.text("resourceVersion");
    let continued = !query.text("continue").is_empty();
    let supported: &[&str] = match verb {
        Verb::List => {
            if !wanted.is_empty() && version.is_empty() {
                let needs = "resourceVersionMatch is forbidden unless resourceVersion is provided";
                forbid(&matches, needs);
            }
            &["Exact", "NotOlderThan", ""]
        }
        Verb::Watch => {
            if initial.is_some() && wanted != "NotOlderThan" {
                let needs = "sendInitialEvents requires setting resourceVersionMatch to \
                             NotOlderThan";
                forbid(&matches, needs);
            }
            if !wanted.is_empty() && initial.is_none() {
                let needs = "resourceVersionMatch is forbidden for watch unless \
                             sendInitialEvents is provided";
                forbid(&matches, needs);
            }
            &["NotOlderThan"]
        }
    };
    if !wanted.is_empty() && continued {
        forbid(
            &matches,
            "resourceVersionMatch is forbidden when continue is provided",
        );
    }
    if verb == Verb::List && wanted == "Exact" && version == "0" {
        let never = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        forbid(&matches, never);
    }
    if verb == Verb::List && initial.is_some() {
        let never = "sendInitialEvents is forbidden for list";
        forbid(&Path::new("sendInitialEvents"), never);
    }
    if !wanted.is_empty() && !supported.contains(&wanted) {
        errors.push(FieldError::not_supported(&matches, wanted, supported));
    }
    errors
}

// === impl InitialEvents ===

impl<'q> InitialEvents<'q> {
    /// What `query` says, or means where it says neither: a watch that names no state starts with
    /// what is there (`SetListOptionsDefaults`).
    fn of(query: &'q Query<'_>, verb: Verb) -> Self {
        let said = Self {
            send: query.boolean("sendInitialEvents"),
            version_match: query.text("resourceVersionMatch"),
        };
        let is_silent = said.send.is_none() && said.version_match.is_empty();
        let names_no_state = matches!(query.text("resourceVersion"), "" | "0");
        if verb == Verb::Watch && is_silent && names_no_state {
            return Self {
                send: Some(true),
                version_match: "NotOlderThan",
            };
        }
        said
    }
}

// === impl GetOptions ===

impl GetOptions {
    /// Reads `query`.
    ///
    /// # Errors
    /// 500, as Kubernetes does, for a resource version that is none.
    pub fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        let resource_version = ResourceVersion::of(query).map_err(unexpected)?;
        Ok(Self { resource_version })
    }
}

// === impl ResourceVersion ===

impl ResourceVersion {
    fn of_list(query: &Query<'_>, verb: Verb) -> Result<Self, Status> {
        let read = Self::of(query);
        match verb {
            Verb::Watch => read.map_err(unexpected),
            // Beside a continue token any version is refused later, be it one or not.
            Verb::List if !query.text("continue").is_empty() => {
                Ok(read.unwrap_or(Self::At(u64::MAX)))
            }
            Verb::List => read
                .map_err(|error| Status::bad_request(format!("invalid resource version: {error}"))),
        }
    }

    fn of(query: &Query<'_>) -> Result<Self, FieldError> {
        match query.text("resourceVersion") {
            "" => Ok(Self::Unset),
            "0" => Ok(Self::Any),
            text => parse_uint(text).map(Self::At).map_err(|error| {
                FieldError::invalid(&Path::new("resourceVersion"), text, error.to_string())
            }),
        }
    }
}

/// Where Kubernetes meets an error that it did not expect of a caller.
fn unexpected(error: FieldError) -> Status {
    Status::failure(500, "", error.to_string())
}
