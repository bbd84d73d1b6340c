//! Statuses word for word.

use std::time::Duration;

use fleetgate_model::{Attributes, Fault, Reason, Refusal, RefusalDetails, Resource, Verb};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    field::{FieldError, Path},
    schema::{GroupKind, GroupResource},
    status::Status,
};

const CLUSTERS: GroupResource<'_> = GroupResource {
    group: "cluster.karmada.io",
    resource: "clusters",
};

#[track_caller]
fn check(status: &Status, want: Value) {
    assert_eq!(serde_json::to_value(status).unwrap(), want);
}

fn attributes(verb: &'static str, subresource: &str, name: &str) -> Attributes {
    Attributes {
        verb: Verb::of(verb),
        resource: Some(Resource {
            group: "cluster.karmada.io".to_owned(),
            version: "v1alpha1".to_owned(),
            resource: "clusters".to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..Resource::default()
        }),
        ..Attributes::default()
    }
}

#[test]
fn statuses_are_those_recorded() {
    let details =
        |name: &str| json!({"name": name, "group": "cluster.karmada.io", "kind": "clusters"});
    check(
        &Status::not_found(CLUSTERS, "x"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "clusters.cluster.karmada.io \"x\" not found", "reason": "NotFound",
            "details": details("x"), "code": 404}),
    );
    check(
        &Status::already_exists(CLUSTERS, "x"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "clusters.cluster.karmada.io \"x\" already exists",
            "reason": "AlreadyExists", "details": details("x"), "code": 409}),
    );
    check(
        &Status::modified(CLUSTERS, "x"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Operation cannot be fulfilled on clusters.cluster.karmada.io \"x\": the \
                object has been modified; please apply your changes to the latest version and try \
                again",
            "reason": "Conflict", "details": details("x"), "code": 409}),
    );
    check(
        &Status::deleted(CLUSTERS, "x", "u"),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "x", "group": "cluster.karmada.io", "kind": "clusters",
                "uid": "u"}}),
    );
    check(
        &Status::method_not_allowed(),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "the server does not allow this method on the requested resource",
            "reason": "MethodNotAllowed", "details": {}, "code": 405}),
    );
}

#[test]
fn an_invalid_object_has_a_cause_per_field() {
    let kind = GroupKind {
        group: "cluster.karmada.io",
        kind: "Cluster",
    };
    let secret = Path::new("spec").child("secretRef");
    let errors = [
        FieldError::required(&secret.child("namespace"), ""),
        FieldError::required(&secret.child("name"), ""),
    ];
    check(
        &Status::invalid(kind, "c", &errors),
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Cluster.cluster.karmada.io \"c\" is invalid: \
                [spec.secretRef.namespace: Required value, spec.secretRef.name: Required value]",
            "reason": "Invalid", "code": 422,
            "details": {"name": "c", "group": "cluster.karmada.io", "kind": "Cluster", "causes": [
                {"reason": "FieldValueRequired", "message": "Required value",
                    "field": "spec.secretRef.namespace"},
                {"reason": "FieldValueRequired", "message": "Required value",
                    "field": "spec.secretRef.name"}]}}),
    );
}

#[track_caller]
fn check_forbidden(attributes: &Attributes, reason: &str, want: &str) {
    let status = Status::forbidden("u", attributes, reason);
    assert_eq!((status.message.as_str(), status.code), (want, 403));
}

#[test]
fn a_denial_names_what_is_denied() {
    check_forbidden(
        &attributes("list", "", ""),
        "",
        "clusters.cluster.karmada.io is forbidden: User \"u\" cannot list resource \"clusters\" \
         in API group \"cluster.karmada.io\" at the cluster scope",
    );
    check_forbidden(
        &attributes("get", "proxy", "member1"),
        "RBAC: <x>",
        "clusters.cluster.karmada.io \"member1\" is forbidden: User \"u\" cannot get resource \
         \"clusters/proxy\" in API group \"cluster.karmada.io\" at the cluster scope: RBAC: <x>",
    );
    let path = Attributes {
        verb: Verb::of("get"),
        path: "/<&>".to_owned(),
        ..Attributes::default()
    };
    check_forbidden(
        &path,
        "",
        "forbidden: User \"u\" cannot get path \"/&lt;&amp;&gt;\"",
    );
}

#[test]
fn a_refusal_is_told_as_a_status() {
    let refusal = Refusal {
        details: Some(RefusalDetails {
            group: "g".to_owned(),
            resource: "r".to_owned(),
            name: "n".to_owned(),
        }),
        ..Refusal::caller(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::ServiceUnavailable,
            "down",
        )
        .blame(Fault::Member, Some(Duration::from_secs(2)))
    };
    let status = Status::from(refusal);
    assert_eq!(status.retry_after_seconds(), Some(2));
    check(
        &status,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "down", "reason": "ServiceUnavailable", "code": 503,
            "details": {"name": "n", "group": "g", "kind": "r", "retryAfterSeconds": 2}}),
    );
}

#[test]
fn a_status_tells_no_more_than_can_be_read() {
    let kind = GroupKind {
        group: "g",
        kind: "K",
    };
    let error = |index| FieldError::required(&Path::new("a").index(index), "");
    let errors: Vec<_> = (0..50_000).map(error).collect();
    let status = Status::invalid(kind, "x", &errors);
    assert!(status.message.len() < 128 << 10, "{}", status.message.len());
    assert_eq!(status.details.unwrap().causes.len(), 1000);
}
