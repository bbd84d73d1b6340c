//! Server-side apply.

use fleetgate_apimachinery::{
    managed_fields::Configuration, options::PatchOptions, status::Status,
};
use fleetgate_model::{Attributes, Verb};
use fleetgate_registry::{ApplyError, ApplyOutcome, Part, Reached, Strategy, Wanted};
use fleetgate_stack::Body;
use futures::FutureExt;
use http::{Response, StatusCode};

use super::{Resource, view::Shown};
use crate::{
    asked::{Asked, Failure},
    body,
};

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    pub(super) async fn apply(&self, asked: Asked, part: Part) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(self.object_offer())?;
        let shown = Shown::of(output, &asked.query())?;
        let options = PatchOptions::for_apply(&asked.query())?;
        let name = asked.name().to_owned();
        // Who may patch need not be one who may create.
        let user = asked.user().clone();
        let creation = Attributes {
            verb: Verb::of("create"),
            ..asked.attributes().clone()
        };
        let may_create = || {
            let asking = (self.may_also)(user.clone(), creation.clone());
            asking.map(|answer| answer.map_err(Status::from)).boxed()
        };
        let body = body::read(asked.into_body()).await?;
        let validation = options.write.field_validation;
        let configuration = Configuration::parse(&body, &self.expected(), validation)?;
        let wanted = Wanted {
            configuration: &configuration,
            options: &options,
            may_create: &may_create,
        };
        let written = match self.registry.apply(&name, part, &wanted).await {
            Ok(ApplyOutcome::Created(object)) => Ok((StatusCode::CREATED, object)),
            Ok(ApplyOutcome::Updated(object)) => Ok((StatusCode::OK, object)),
            Err(ApplyError { status, reached }) => match reached {
                Reached::Nothing => return Err(status.into()),
                Reached::Merged => Err(status),
            },
        };
        let warnings = configuration.warnings().to_vec();
        self.written(written, part, shown, warnings)
    }
}
