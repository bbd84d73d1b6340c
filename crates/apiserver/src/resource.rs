//! The verbs of one resource over its registry.

mod apply;
mod read;
mod view;
mod watch;
mod write;

use std::{fmt, sync::Arc};

use fleetgate_apimachinery::{
    decode::Expected, patch::is_apply, schema::GroupVersion, status::Status, table::Printer,
};
use fleetgate_model::{Attributes, Refusal, User};
use fleetgate_registry::{Part, Registry, Strategy};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::Response;
use tokio_util::sync::CancellationToken;

use crate::{
    asked::{Asked, Failure},
    respond,
};

/// Says whether a user may do what attributes say. Asked of what a request turns out to do beyond
/// what it was admitted for, such as an apply that creates.
pub type MayAlso =
    Arc<dyn Fn(User, Attributes) -> BoxFuture<'static, Result<(), Refusal>> + Send + Sync>;

/// One resource of the API: what the handlers need to serve it.
pub struct Resource<S: Strategy> {
    registry: Arc<Registry<S>>,
    printer: Printer<S::Object>,
    may_also: MayAlso,
    /// Ends watches.
    ending: CancellationToken,
}

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    /// The resource of `registry`, shown as rows by `printer`. Its watches end when `ending` is
    /// cancelled.
    pub const fn new(
        registry: Arc<Registry<S>>,
        printer: Printer<S::Object>,
        may_also: MayAlso,
        ending: CancellationToken,
    ) -> Self {
        Self {
            registry,
            printer,
            may_also,
            ending,
        }
    }

    /// Answers `asked`, by the attributes that were authorized.
    pub(crate) async fn serve(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let Some(part) = self.part(&asked) else {
            return self.unknown(&asked);
        };
        let has_name = !asked.name().is_empty();
        match (asked.verb(), part, has_name) {
            ("get", _, true) => self.get(&asked).await,
            ("list", Part::Main, _) => self.list(&asked).await,
            ("watch", Part::Main, _) => self.watch(&asked).await,
            ("create", Part::Main, false) => self.create(asked).await,
            ("update", part, true) => self.update(asked, part).await,
            ("patch", part, true) if is_apply(asked.content_type()) => {
                self.apply(asked, part).await
            }
            ("patch", part, true) => self.patch(asked, part).await,
            ("delete", Part::Main, true) => self.delete(asked).await,
            ("deletecollection", Part::Main, false) => self.delete_collection(asked).await,
            _ => Err(Status::method_not_allowed().into()),
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

    /// What is said of resources that are not served: within our group a Status.
    fn unknown(&self, asked: &Asked) -> Result<Response<Body>, Failure> {
        let group = self.registry.strategy().names().group;
        match asked.resource() {
            Some(resource) if resource.group == group => Err(Status::no_such_resource().into()),
            Some(_) | None => Ok(respond::page_not_found()),
        }
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
