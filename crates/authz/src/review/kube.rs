//! SubjectAccessReview at a Kubernetes host.

use std::{sync::Arc, time::Duration};

use fleetgate_model::{Resource, SelectorRequirement};
use k8s_openapi::{
    api::authorization::v1::{
        FieldSelectorAttributes, LabelSelectorAttributes, NonResourceAttributes,
        ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
        SubjectAccessReviewStatus,
    },
    apimachinery::pkg::apis::meta::v1::{FieldSelectorRequirement, LabelSelectorRequirement},
};
use kube::{Api, Client, Error, api::PostParams};

use super::{AccessReview, ReviewAccess, ReviewError, Verdict};
use crate::Metrics;

/// How long a review may take, with all its attempts.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses before further attempts, as long as the host's answer may change by itself.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
];

/// Asks a host by `authorization.k8s.io/v1` SubjectAccessReview, with the server's own rights.
#[derive(Clone)]
pub struct KubeAccessReview {
    client: Client,
    metrics: Metrics,
}

// === impl KubeAccessReview ===

impl KubeAccessReview {
    /// Asks through `client`.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics }
    }

    async fn attempts(&self, review: &SubjectAccessReview) -> Result<SubjectAccessReview, Error> {
        for pause in PAUSES {
            match self.attempt(review).await {
                Err(error) if may_pass(&error) => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        self.attempt(review).await
    }

    async fn attempt(&self, review: &SubjectAccessReview) -> Result<SubjectAccessReview, Error> {
        let api = Api::<SubjectAccessReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), review).await;
        self.metrics.reviewed(match &answer {
            Ok(_) => "201".to_owned(),
            Err(Error::Api(status)) => status.code.to_string(),
            Err(_) => "<error>".to_owned(),
        });
        answer
    }
}

impl ReviewAccess for KubeAccessReview {
    async fn review_access(&self, review: AccessReview<'_>) -> Result<Verdict, ReviewError> {
        let review = SubjectAccessReview {
            spec: spec(review),
            ..Default::default()
        };
        let answer = tokio::time::timeout(TIMEOUT, self.attempts(&review))
            .await
            .map_err(|_| ReviewError::TimedOut)?
            .map_err(|error| ReviewError::Host(Arc::new(error)))?;
        Ok(verdict(answer.status.unwrap_or_default()))
    }
}

impl std::fmt::Debug for KubeAccessReview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeAccessReview").finish_non_exhaustive()
    }
}

/// Whether the same question may be answered later: the host was not reached, is overloaded or
/// broken. A host that forbids us to ask will go on to do so.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::HyperError(_) | Error::Service(_))
        || matches!(error, Error::Api(status) if status.code == 429 || status.code >= 500)
}

fn spec(review: AccessReview<'_>) -> SubjectAccessReviewSpec {
    let AccessReview { user, attributes } = review;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let verb = some(attributes.verb.as_str());
    let mut spec = SubjectAccessReviewSpec {
        user: some(&user.name),
        uid: some(&user.uid),
        groups: (!user.groups.is_empty()).then(|| user.groups.clone()),
        extra: (!user.extra.is_empty()).then(|| user.extra.iter().cloned().collect()),
        ..Default::default()
    };
    match &attributes.resource {
        Some(Resource {
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
        }) => {
            spec.resource_attributes = Some(ResourceAttributes {
                group: some(group),
                version: some(version),
                namespace: some(namespace),
                resource: some(resource),
                subresource: some(subresource),
                name: some(name),
                verb,
                field_selector: field_selector(&attributes.selectors.fields),
                label_selector: label_selector(&attributes.selectors.labels),
            });
        }
        None => {
            let path = some(&attributes.path);
            spec.non_resource_attributes = Some(NonResourceAttributes { path, verb });
        }
    }
    spec
}

/// What the host is told of a field selector; nothing of one that asks for nothing.
fn field_selector(asked: &[SelectorRequirement]) -> Option<FieldSelectorAttributes> {
    let requirement = |asked: &SelectorRequirement| FieldSelectorRequirement {
        key: asked.key.clone(),
        operator: asked.operator.as_str().to_owned(),
        values: values(asked),
    };
    (!asked.is_empty()).then(|| FieldSelectorAttributes {
        requirements: Some(asked.iter().map(requirement).collect()),
        ..Default::default()
    })
}

/// The same of a label selector.
fn label_selector(asked: &[SelectorRequirement]) -> Option<LabelSelectorAttributes> {
    let requirement = |asked: &SelectorRequirement| LabelSelectorRequirement {
        key: asked.key.clone(),
        operator: asked.operator.as_str().to_owned(),
        values: values(asked),
    };
    (!asked.is_empty()).then(|| LabelSelectorAttributes {
        requirements: Some(asked.iter().map(requirement).collect()),
        ..Default::default()
    })
}

fn values(asked: &SelectorRequirement) -> Option<Vec<String>> {
    (!asked.values.is_empty()).then(|| asked.values.clone())
}

fn verdict(status: SubjectAccessReviewStatus) -> Verdict {
    Verdict {
        allowed: status.allowed,
        denied: status.denied.unwrap_or(false),
        reason: status.reason.unwrap_or_default(),
    }
}
