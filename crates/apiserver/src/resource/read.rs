//! Get and list.

use fleetgate_apimachinery::{
    negotiation::Offer,
    options::{GetOptions, ListOptions},
};
use fleetgate_registry::Strategy;
use fleetgate_stack::Body;
use http::{Response, StatusCode};

use super::{Resource, view::Shown};
use crate::asked::{Asked, Failure};

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    /// One object. The status is read as the object that it belongs to.
    pub(super) async fn get(&self, asked: &Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.object_offer())?;
        let options = GetOptions::from_query(&asked.query())?;
        let object = self.registry.get(asked.name(), options).await?;
        let shown = Shown::of(output, &asked.query())?;
        Ok(self.show_object(StatusCode::OK, &object, shown)?)
    }

    /// Many objects.
    pub(super) async fn list(&self, asked: &Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.list_offer())?;
        let options = list_options(asked)?;
        let shown = Shown::of(output, &asked.query())?;
        let list = self.registry.list(&options).await?;
        Ok(self.show_list(list, shown)?)
    }

    pub(super) fn object_offer(&self) -> Offer<'static> {
        let kind = self.registry.strategy().names().kind;
        Offer::Object {
            version: self.group_version().version,
            kind,
        }
    }

    pub(super) fn list_offer(&self) -> Offer<'static> {
        let kind = self.registry.strategy().names().list_kind;
        Offer::Object {
            version: self.group_version().version,
            kind,
        }
    }
}

/// The options of a list or watch; of one object, if the path or the selector names one.
pub(super) fn list_options(asked: &Asked) -> Result<ListOptions, Failure> {
    let options = ListOptions::from_query(&asked.query())?;
    Ok(match asked.name() {
        "" => options,
        name => options.for_name(name)?,
    })
}
