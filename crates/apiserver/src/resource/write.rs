//! Create, update, patch and delete.

use std::sync::Arc;

use bytes::Bytes;
use fleetgate_apimachinery::{
    decode::{decode, decode_value},
    managed_fields::manager_name,
    negotiation,
    options::{CreateOptions, DeleteOptions, PatchOptions},
    patch::{ObjectPatch, PatchType},
    status::Status,
};
use fleetgate_registry::{Change, Deleted, Part, Stored, Strategy};
use fleetgate_stack::Body;
use http::{Response, StatusCode};

use super::{Resource, read::list_options, view::Shown};
use crate::{
    asked::{Asked, Failure},
    body, respond, warning,
};

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    pub(super) async fn create(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.object_offer())?;
        let input = negotiation::input(asked.content_type())?;
        let shown = Shown::of(output, &asked.query())?;
        let mut options = CreateOptions::from_query(&asked.query())?;
        options.field_manager = manager_name(&options.field_manager, asked.user_agent());
        let body = body::read(asked.into_body()).await?;
        let decoded = decode(&body, input, &self.expected(), options.field_validation)?;
        let created = self.registry.create(decoded.object, &options).await;
        let created = created.map(|object| (StatusCode::CREATED, object));
        self.written(created, Part::Main, shown, decoded.warnings)
    }

    pub(super) async fn update(&self, asked: Asked, part: Part) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.object_offer())?;
        let input = negotiation::input(asked.content_type())?;
        let shown = Shown::of(output, &asked.query())?;
        let mut options = CreateOptions::for_update(&asked.query())?;
        options.field_manager = manager_name(&options.field_manager, asked.user_agent());
        let name = asked.name().to_owned();
        let body = body::read(asked.into_body()).await?;
        let decoded = decode(&body, input, &self.expected(), options.field_validation)?;
        let change = Change::Replace(decoded.object);
        let updated = self.registry.update(&name, part, change, &options).await;
        let updated = updated.map(|object| (StatusCode::OK, object));
        self.written(updated, part, shown, decoded.warnings)
    }

    pub(super) async fn patch(&self, asked: Asked, part: Part) -> Result<Response<Body>, Failure> {
        let kind = PatchType::of(asked.content_type())?;
        let output = asked.answer().output(self.object_offer())?;
        let shown = Shown::of(output, &asked.query())?;
        let PatchOptions {
            write: mut options,
            force: _,
        } = PatchOptions::from_query(&asked.query())?;
        options.field_manager = manager_name(&options.field_manager, asked.user_agent());
        let name = asked.name().to_owned();
        let body = body::read(asked.into_body()).await?;
        let patch = ObjectPatch::parse(kind, &body, options.field_validation);
        let mut warnings = Vec::new();
        let expected = self.expected();
        let change = Change::with(|current| {
            let patched = patch.apply(current.object(), &expected)?;
            warnings = patched.warnings;
            Ok(patched.object)
        });
        let patched = self.registry.update(&name, part, change, &options).await;
        let patched = patched.map(|object| (StatusCode::OK, object));
        self.written(patched, part, shown, warnings)
    }

    pub(super) async fn delete(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let answer = asked.answer();
        let output = answer.output(self.object_offer())?;
        let shown = Shown::of(output, &asked.query())?;
        let name = asked.name().to_owned();
        let options = delete_options(asked).await?;
        match self.registry.delete(&name, &options).await? {
            Deleted::Gone(status) => Ok(respond::status(&status, answer.status_format())),
            Deleted::Held(object) => {
                let code = if options.asks_for_dependents {
                    StatusCode::ACCEPTED
                } else {
                    StatusCode::OK
                };
                Ok(self.show_object(code, &object, shown)?)
            }
        }
    }

    pub(super) async fn delete_collection(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.list_offer())?;
        let shown = Shown::of(output, &asked.query())?;
        let selected = list_options(&asked)?;
        let options = delete_options(asked).await?;
        let deleted = self.registry.delete_collection(&options, &selected).await?;
        Ok(self.show_list(deleted, shown)?)
    }

    /// The answer to a write, with the `warnings` that its body gave rise to, whether it was done or
    /// not, and with those of the kind if it was.
    pub(super) fn written(
        &self,
        outcome: Result<(StatusCode, Arc<Stored<S::Object>>), Status>,
        part: Part,
        shown: Shown,
        mut warnings: Vec<String>,
    ) -> Result<Response<Body>, Failure> {
        let response = outcome.and_then(|(code, object)| {
            match part {
                Part::Main => warnings.extend(self.registry.strategy().warnings(object.object())),
                // Controllers write it over and over, and can change nothing of the rest.
                Part::Status => {}
            }
            self.show_object(code, &object, shown)
        });
        match response {
            Ok(mut response) => {
                warning::add(response.headers_mut(), &warnings);
                Ok(response)
            }
            Err(status) => Err(Failure::Warned(status, warnings)),
        }
    }
}

/// The options of a deletion: the body, or where there is none the query.
async fn delete_options(asked: Asked) -> Result<DeleteOptions, Status> {
    let input = negotiation::input(asked.content_type());
    let query = asked.query().into_owned();
    let body: Bytes = body::read(asked.into_body()).await?;
    if body.is_empty() {
        return DeleteOptions::from_query(&query);
    }
    let value = decode_value(&body, input?).map_err(|error| {
        Status::bad_request(format!(
            "couldn't get version/kind; json parse error: {error}"
        ))
    })?;
    DeleteOptions::from_body(&value)
}
