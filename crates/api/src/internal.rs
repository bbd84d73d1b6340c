//! Values as Karmada shows them in errors: its internal types have no JSON names, so the fields
//! stand under their Go names.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    ClusterSpec, LocalSecretReference, Quantity, ResourceModel, ResourceModelRange, Taint,
};

/// `spec` as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InternalSpec<'a> {
    #[serde(rename = "id", skip_serializing_if = "str::is_empty")]
    id: &'a str,
    sync_mode: &'a str,
    #[serde(rename = "APIEndpoint")]
    api_endpoint: &'a str,
    secret_ref: Option<InternalSecretRef<'a>>,
    impersonator_secret_ref: Option<InternalSecretRef<'a>>,
    #[serde(rename = "InsecureSkipTLSVerification")]
    insecure_skip_tls_verification: bool,
    #[serde(rename = "ProxyURL")]
    proxy_url: &'a str,
    proxy_header: Option<&'a BTreeMap<String, String>>,
    provider: &'a str,
    region: &'a str,
    zone: &'a str,
    #[serde(rename = "zones", skip_serializing_if = "<[String]>::is_empty")]
    zones: &'a [String],
    taints: Option<&'a [Taint]>,
    resource_models: Option<Vec<InternalModel<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InternalSecretRef<'a> {
    namespace: &'a str,
    name: &'a str,
}

/// A resource model as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InternalModel<'a> {
    grade: u64,
    ranges: Option<Vec<InternalRange<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InternalRange<'a> {
    name: &'a str,
    min: &'a Quantity,
    max: &'a Quantity,
}

/// `models` as they are shown.
pub(crate) fn models(models: &[ResourceModel]) -> Vec<InternalModel<'_>> {
    models.iter().map(InternalModel::from).collect()
}

// === impl InternalSpec ===

impl<'a> From<&'a ClusterSpec> for InternalSpec<'a> {
    fn from(spec: &'a ClusterSpec) -> Self {
        let some = |models: Vec<InternalModel<'a>>| (!models.is_empty()).then_some(models);
        Self {
            id: &spec.id,
            sync_mode: &spec.sync_mode,
            api_endpoint: &spec.api_endpoint,
            secret_ref: spec.secret_ref.as_ref().map(InternalSecretRef::from),
            impersonator_secret_ref: spec
                .impersonator_secret_ref
                .as_ref()
                .map(InternalSecretRef::from),
            insecure_skip_tls_verification: spec.insecure_skip_tls_verification,
            proxy_url: &spec.proxy_url,
            proxy_header: Some(&spec.proxy_header).filter(|headers| !headers.is_empty()),
            provider: &spec.provider,
            region: &spec.region,
            zone: &spec.zone,
            zones: &spec.zones,
            taints: Some(spec.taints.as_slice()).filter(|taints| !taints.is_empty()),
            resource_models: some(models(&spec.resource_models)),
        }
    }
}

// === impl InternalSecretRef ===

impl<'a> From<&'a LocalSecretReference> for InternalSecretRef<'a> {
    fn from(reference: &'a LocalSecretReference) -> Self {
        Self {
            namespace: &reference.namespace,
            name: &reference.name,
        }
    }
}

// === impl InternalModel ===

impl<'a> From<&'a ResourceModel> for InternalModel<'a> {
    fn from(model: &'a ResourceModel) -> Self {
        let range = |range: &'a ResourceModelRange| InternalRange {
            name: &range.name,
            min: &range.min,
            max: &range.max,
        };
        let ranges = model.ranges.as_ref();
        Self {
            grade: model.grade,
            ranges: ranges.map(|ranges| ranges.iter().map(range).collect()),
        }
    }
}
