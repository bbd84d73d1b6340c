//! The verbs of one resource over its registry.

mod apply;
mod list_body;
mod read;
mod view;
mod watch;
mod write;

use std::{fmt, sync::Arc};

use fleetgate_apimachinery::{
    decode::Expected, negotiation::Offer, patch::is_apply, schema::GroupVersion, status::Status,
    table::Printer,
};
use fleetgate_model::{Attributes, Refusal, User};
use fleetgate_registry::{Part, Registry, Strategy};
use fleetgate_stack::{Body, Tasks};
use futures::future::BoxFuture;
use http::{Method, Response};

use crate::asked::{Asked, Failure};

/// Says whether a user may do what attributes say. Asked of what a request turns out to do beyond
/// what it was admitted for, such as an apply that creates.
pub type MayAlso =
    Arc<dyn Fn(User, Attributes) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;

/// One resource of the API: what the handlers need to serve it.
pub struct Resource<S: Strategy> {
    registry: Arc<Registry<S>>,
    printer: Printer<S::Object>,
    may_also: MayAlso,
    /// Runs what lasts beside requests, and ends watches.
    tasks: Tasks,
}

/// What can be done with a part of an object, or with the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Create,
    Delete,
    DeleteCollection,
    Get,
    List,
    Patch,
    Update,
    Watch,
}

// === impl Verb ===

impl Verb {
    /// The authorized `verb` on `part`, of one object if it `has_name`; nothing if that is not
    /// served.
    fn of(verb: &str, part: Part, has_name: bool) -> Option<Self> {
        match (verb, part, has_name) {
            ("get", _, true) => Some(Self::Get),
            ("list", Part::Main, _) => Some(Self::List),
            ("watch", Part::Main, _) => Some(Self::Watch),
            ("create", Part::Main, false) => Some(Self::Create),
            ("update", _, true) => Some(Self::Update),
            ("patch", _, true) => Some(Self::Patch),
            ("delete", Part::Main, true) => Some(Self::Delete),
            ("deletecollection", Part::Main, false) => Some(Self::DeleteCollection),
            _ => None,
        }
    }

    const fn is_read(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => true,
            Self::Create | Self::Delete | Self::DeleteCollection | Self::Patch | Self::Update => {
                false
            }
        }
    }
}

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    /// The resource of `registry`, shown as rows by `printer`. Its watches end when `tasks` are to
    /// stop.
    pub const fn new(
        registry: Arc<Registry<S>>,
        printer: Printer<S::Object>,
        may_also: MayAlso,
        tasks: Tasks,
    ) -> Self {
        Self {
            registry,
            printer,
            may_also,
            tasks,
        }
    }

    /// Answers `asked`, by the attributes that were authorized.
    pub(crate) async fn serve(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let part = self.part(&asked).ok_or_else(Status::no_such_resource)?;
        let has_name = !asked.name().is_empty();
        let verb = Verb::of(asked.verb(), part, has_name);
        let verb = verb.ok_or_else(Status::method_not_allowed)?;
        // HEAD is authorized as GET is, and what is below `watch` as a watch, whatever the method;
        // nobody serves that.
        if verb.is_read() && *asked.method() != Method::GET {
            return Err(Status::method_not_allowed().into());
        }
        asked.answer().check_representation(match verb {
            Verb::List | Verb::Watch => Offer::Watch,
            Verb::Create
            | Verb::Delete
            | Verb::DeleteCollection
            | Verb::Get
            | Verb::Patch
            | Verb::Update => self.object_offer(),
        })?;
        // Boxed where it takes long ways: whoever reads needs no room for them.
        match verb {
            Verb::Create => Box::pin(self.create(asked)).await,
            Verb::Delete => Box::pin(self.delete(asked)).await,
            Verb::DeleteCollection => Box::pin(self.delete_collection(asked)).await,
            Verb::Get => self.get(&asked).await,
            Verb::List => self.list(&asked).await,
            Verb::Patch if is_apply(asked.content_type()) => {
                Box::pin(self.apply(asked, part)).await
            }
            Verb::Patch => Box::pin(self.patch(asked, part)).await,
            Verb::Update => Box::pin(self.update(asked, part)).await,
            Verb::Watch => self.watch(asked).await,
        }
    }

    /// The part of an object that is asked for; nothing if this resource is not meant.
    fn part(&self, asked: &Asked) -> Option<Part> {
        let names = self.registry.strategy().names();
        let resource = asked.resource()?;
        let is_ours = resource.group == names.group
            && resource.version == self.group_version().version
            && resource.resource == names.resource
            && resource.namespace.is_empty();
        match resource.subresource.as_str() {
            "" if is_ours => Some(Part::Main),
            "status" if is_ours && !has_more(asked) => Some(Part::Status),
            _ => None,
        }
    }

    /// Whether `attributes` are of a resource in the group of this one.
    pub(crate) fn is_of_group(&self, attributes: &Attributes) -> bool {
        let group = self.registry.strategy().names().group;
        attributes
            .resource
            .as_ref()
            .is_some_and(|r| r.group == group)
    }

    fn group_version(&self) -> GroupVersion<'static> {
        let names = self.registry.strategy().names();
        let version = names.api_version.rsplit('/').next().unwrap_or_default();
        GroupVersion {
            group: names.group,
            version,
        }
    }

    /// What the body of a write must hold.
    fn expected(&self) -> Expected<'static> {
        let strategy = self.registry.strategy();
        Expected {
            group_version: self.group_version(),
            kind: strategy.names().kind,
            definition: strategy.definition(),
        }
    }
}

impl<S: Strategy> fmt::Debug for Resource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Whether the path goes on below the subresource: `…/clusters/x/status/y`.
fn has_more(asked: &Asked) -> bool {
    asked.path().trim_matches('/').split('/').count() > 6
}
