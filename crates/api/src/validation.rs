//! What is refused in a Cluster, in Karmada's words.

mod models;
mod taints;
mod urls;

use fleetgate_apimachinery::{
    field::{BadValue, FieldError, Path},
    validation::{dns_label, label_value, validate_object_meta, validate_object_meta_update},
};
use fleetgate_model::ClusterName;

use crate::{Cluster, ClusterSpec, LocalSecretReference, PULL, PUSH, internal::InternalSpec};

/// What a condition may say.
const CONDITION_STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// What is wrong with `cluster` as a new one, defaults set and models in order.
pub fn validate(cluster: &Cluster) -> Vec<FieldError> {
    let mut errors = validate_object_meta(&cluster.metadata, name_errors);
    check_spec(&cluster.spec, &Path::new("spec"), &mut errors);
    errors
}

/// What is wrong with `cluster` as the new state of `old`.
pub fn validate_update(cluster: &Cluster, old: &Cluster) -> Vec<FieldError> {
    let mut errors = validate_object_meta_update(&cluster.metadata, &old.metadata);
    errors.extend(validate(cluster));
    errors
}

/// What is wrong with the status of `cluster`: conditions that nobody could read. Karmada looks at
/// nothing here.
pub fn validate_status(cluster: &Cluster) -> Vec<FieldError> {
    let path = Path::new("status").child("conditions");
    let mut errors = Vec::new();
    for (at, condition) in cluster.status.conditions.iter().enumerate() {
        let path = path.index(at);
        if condition.r#type.is_empty() {
            errors.push(FieldError::required(&path.child("type"), ""));
        }
        if !CONDITION_STATUSES.contains(&&*condition.status) {
            let path = path.child("status");
            errors.push(FieldError::not_supported(
                &path,
                &condition.status,
                &CONDITION_STATUSES,
            ));
        }
    }
    errors
}

/// What is wrong with `name` as the name of a cluster.
fn name_errors(name: &str) -> Vec<String> {
    let max = ClusterName::MAX_LEN;
    match name.len() {
        0 => vec!["must be not empty".to_owned()],
        len if len > max => vec![format!("must be no more than {max} characters")],
        _ => dns_label(name),
    }
}

fn check_spec(spec: &ClusterSpec, path: &Path, errors: &mut Vec<FieldError>) {
    let mode = path.child("syncMode");
    if spec.sync_mode.is_empty() {
        errors.push(FieldError::required(&mode, ""));
    }
    if ![PULL, PUSH].contains(&&*spec.sync_mode) {
        errors.push(FieldError::not_supported(
            &mode,
            &spec.sync_mode,
            &[PULL, PUSH],
        ));
    }
    if !spec.api_endpoint.is_empty() {
        urls::check_endpoint(&spec.api_endpoint, &path.child("apiEndpoint"), errors);
    }
    check_secret_ref(spec.secret_ref.as_ref(), &path.child("secretRef"), errors);
    let impersonator = spec.impersonator_secret_ref.as_ref();
    check_secret_ref(impersonator, &path.child("impersonatorSecretRef"), errors);
    if !spec.proxy_url.is_empty() {
        urls::check_proxy(&spec.proxy_url, &path.child("proxyURL"), errors);
    }
    check_place(spec, path, errors);
    taints::check(&spec.taints, &path.child("taints"), errors);
    errors.extend(models::check(
        &spec.resource_models,
        &path.child("resourceModels"),
    ));
}

fn check_secret_ref(
    reference: Option<&LocalSecretReference>,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let Some(LocalSecretReference { namespace, name }) = reference else {
        return;
    };
    for (field, value) in [("namespace", namespace), ("name", name)] {
        if value.is_empty() {
            errors.push(FieldError::required(&path.child(field), ""));
        }
    }
}

/// Provider, region and zones, which are label values. The paths of the zones begin with a capital.
fn check_place(spec: &ClusterSpec, path: &Path, errors: &mut Vec<FieldError>) {
    let mut check_label = |field: &str, value: &str| {
        let wrong = label_value(value);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid(
                &path.child(field),
                value,
                wrong.join("; "),
            ));
        }
    };
    check_label("provider", &spec.provider);
    check_label("region", &spec.region);
    if spec.zone.is_empty() {
        spec.zones
            .iter()
            .for_each(|zone| check_label("Zones", zone));
    } else if spec.zones.is_empty() {
        check_label("Zone", &spec.zone);
    } else {
        let value = BadValue::json(&InternalSpec::from(spec));
        let detail = "Zone and Zones cannot co-exist";
        errors.push(FieldError::type_invalid(&path.child("spec"), value, detail));
    }
}

#[cfg(test)]
mod tests;
