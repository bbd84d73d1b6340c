//! Server-side apply.

use std::sync::Arc;

use fleetgate_api::{CLUSTER, Cluster};
use fleetgate_apimachinery::{
    decode::Expected,
    managed_fields::Configuration,
    options::{DryRun, FieldValidation, PatchOptions, UpdateOptions},
    schema::GroupVersion,
    status::Status,
};
use fleetgate_storage::Write;
use futures::{FutureExt, future, future::join_all};
use serde_json::{Value, json};

use super::{patch, value};
use crate::{
    ApplyOutcome, Part, Stored, Wanted,
    testing::{Fixture, written_by},
};

const EXPECTED: Expected<'_> = Expected {
    group_version: GroupVersion {
        group: "cluster.karmada.io",
        version: "v1alpha1",
    },
    kind: "Cluster",
    definition: &CLUSTER,
};

fn configuration(rest: Value) -> Configuration {
    let mut object = json!({"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "a"}, "spec": {"syncMode": "Push"}});
    json_patch::merge(&mut object, &rest);
    let body = serde_json::to_vec(&object).expect("JSON");
    Configuration::parse(&body, &EXPECTED, FieldValidation::Strict).expect("a cluster")
}

fn by(manager: &str) -> PatchOptions {
    PatchOptions {
        write: written_by(manager),
        force: None,
    }
}

async fn apply_part(
    fixture: &Fixture,
    part: Part,
    rest: Value,
    options: PatchOptions,
) -> Result<ApplyOutcome<Cluster>, Status> {
    let anybody = || future::ready(Ok(())).boxed();
    let wanted = Wanted {
        configuration: &configuration(rest),
        options: &options,
        may_create: &anybody,
    };
    let applied = fixture.registry().apply("a", part, &wanted).await;
    applied.map_err(|refused| refused.status)
}

async fn apply(
    fixture: &Fixture,
    rest: Value,
    manager: &str,
) -> Result<ApplyOutcome<Cluster>, Status> {
    apply_part(fixture, Part::Main, rest, by(manager)).await
}

#[track_caller]
fn created(outcome: Result<ApplyOutcome<Cluster>, Status>) -> Arc<Stored<Cluster>> {
    match outcome.expect("valid") {
        ApplyOutcome::Created(object) => object,
        ApplyOutcome::Updated(object) => panic!("{object:?} was there"),
    }
}

#[track_caller]
fn updated(outcome: Result<ApplyOutcome<Cluster>, Status>) -> Arc<Stored<Cluster>> {
    match outcome.expect("valid") {
        ApplyOutcome::Created(object) => panic!("{object:?} was not there"),
        ApplyOutcome::Updated(object) => object,
    }
}

#[track_caller]
fn check_refused(outcome: Result<ApplyOutcome<Cluster>, Status>, code: u16, message: &str) {
    let status = outcome.expect_err("not valid");
    assert_eq!((status.code, status.message.as_str()), (code, message));
}

#[tokio::test]
async fn an_applied_resource_version_is_a_number() {
    let fixture = Fixture::new().await;
    let wanted = json!({"metadata": {"resourceVersion": "x"}});
    let message = "strconv.ParseUint: parsing \"x\": invalid syntax";
    check_refused(apply(&fixture, wanted.clone(), "m").await, 500, message);
    created(apply(&fixture, json!({}), "m").await);
    check_refused(apply(&fixture, wanted, "m").await, 500, message);
}

#[tokio::test]
async fn an_apply_creates_then_updates_and_then_changes_nothing() {
    let fixture = Fixture::new().await;
    let wanted = json!({"spec": {"provider": "p"}, "status": {"kubernetesVersion": "v1"}});
    let first = created(apply(&fixture, wanted.clone(), "m").await);
    assert_eq!(first.object().metadata.generation, 1);
    assert_eq!(first.object().status.kubernetes_version, "");
    assert_eq!(first.object().spec.resource_models.len(), 9);

    let same = updated(apply(&fixture, wanted, "m").await);
    assert_eq!(same.revision(), first.revision());
    assert_eq!(same.object(), first.object());

    let next = updated(apply(&fixture, json!({"spec": {"region": "r"}}), "m").await);
    let spec = &next.object().spec;
    assert_eq!((spec.provider.as_str(), spec.region.as_str()), ("", "r"));
    assert_eq!(next.object().metadata.generation, 2);
    assert!(next.revision() > first.revision());
}

#[tokio::test]
async fn a_new_owner_of_what_is_there_is_noted_without_a_time() {
    let fixture = Fixture::new().await;
    let first = created(apply(&fixture, json!({}), "m").await);
    let second = updated(apply(&fixture, json!({}), "n").await);
    assert!(second.revision() > first.revision());
    let entries = &second.object().metadata.managed_fields;
    let owners: Vec<_> = entries
        .iter()
        .map(|entry| (entry.manager.as_str(), entry.time.is_some()))
        .collect();
    assert_eq!(owners, [("n", false), ("m", true)]);
}

#[tokio::test]
async fn an_apply_that_is_only_tried_is_not_stored() {
    let fixture = Fixture::new().await;
    let tried = || PatchOptions {
        write: UpdateOptions {
            dry_run: DryRun::All,
            ..written_by("m")
        },
        force: None,
    };
    created(apply_part(&fixture, Part::Main, json!({}), tried()).await);
    assert_eq!(value(&fixture, "a").await, None);
    created(apply(&fixture, json!({}), "m").await);
    let before = value(&fixture, "a").await;
    let change = json!({"spec": {"region": "r"}});
    let seen = updated(apply_part(&fixture, Part::Main, change, tried()).await);
    assert_eq!(seen.object().spec.region, "r");
    assert_eq!(value(&fixture, "a").await, before);
}

#[tokio::test]
async fn who_may_not_create_does_not_by_applying() {
    let fixture = Fixture::new().await;
    let nobody = || future::ready(Err(Status::failure(403, "Forbidden", "no"))).boxed();
    let wanted = Wanted {
        configuration: &configuration(json!({})),
        options: &by("m"),
        may_create: &nobody,
    };
    let registry = fixture.registry();
    let refused = registry.apply("a", Part::Main, &wanted).await;
    check_refused(refused.map_err(|refused| refused.status), 403, "no");
    assert_eq!(value(&fixture, "a").await, None);
    fixture.create("a").await;
    let applied = registry.apply("a", Part::Main, &wanted).await;
    updated(applied.map_err(|refused| refused.status));
}

#[tokio::test]
async fn an_apply_to_another_object_is_refused() {
    let fixture = Fixture::new().await;
    let metadata = |metadata: Value| json!({"metadata": metadata});
    check_refused(
        apply(&fixture, metadata(json!({"name": "b"})), "m").await,
        400,
        "the name of the object (b) does not match the name on the URL (a)",
    );
    check_refused(
        apply(&fixture, metadata(json!({"name": null})), "m").await,
        400,
        "the name of the object (a based on URL) was undeterminable: name must be provided",
    );
    check_refused(
        apply(&fixture, metadata(json!({"uid": "1"})), "m").await,
        409,
        "Operation cannot be fulfilled on clusters.cluster.karmada.io \"a\": uid mismatch: the \
         provided object specified uid 1, and no existing object was found",
    );
    let status = apply_part(&fixture, Part::Status, json!({}), by("m")).await;
    check_refused(status, 404, "clusters.cluster.karmada.io \"a\" not found");
    check_refused(
        apply(&fixture, json!({"spec": {"syncMode": "No"}}), "m").await,
        422,
        "Cluster.cluster.karmada.io \"a\" is invalid: spec.syncMode: Unsupported value: \"No\": \
         supported values: \"Pull\", \"Push\"",
    );
    assert_eq!(value(&fixture, "a").await, None);

    let anew = apply(&fixture, metadata(json!({"resourceVersion": "7"})), "m").await;
    let first = created(anew);
    let stale = metadata(json!({"resourceVersion": "1"}));
    let status = apply(&fixture, stale, "m").await.expect_err("stale");
    assert_eq!((status.code, status.reason.as_ref()), (409, "Conflict"));
    let version = first.object().metadata.resource_version.clone();
    updated(apply(&fixture, metadata(json!({"resourceVersion": version})), "m").await);
    let other = apply(&fixture, metadata(json!({"uid": "1"})), "m").await;
    assert_eq!(other.expect_err("immutable").code, 422);
}

#[tokio::test]
async fn the_status_is_applied_alone() {
    let fixture = Fixture::new().await;
    created(apply(&fixture, json!({}), "m").await);
    let wanted = json!({"metadata": {"labels": {"l": "1"}}, "spec": {"region": "r"},
        "status": {"kubernetesVersion": "v1"}});
    let object = updated(apply_part(&fixture, Part::Status, wanted, by("s")).await);
    let Cluster {
        metadata,
        spec,
        status,
        ..
    } = object.object();
    assert_eq!((spec.region.as_str(), metadata.labels.len()), ("", 0));
    assert_eq!(status.kubernetes_version, "v1");
    let entry = metadata
        .managed_fields
        .iter()
        .find(|entry| entry.manager == "s");
    let entry = entry.expect("an owner of the status");
    assert_eq!(entry.subresource, "status");
    let fields = json!({"f:status": {"f:kubernetesVersion": {}}});
    assert_eq!(entry.fields_v1, Some((&fields).into()));
}

#[tokio::test]
async fn what_an_update_changed_is_a_conflict_and_can_be_forced() {
    let fixture = Fixture::new().await;
    created(apply(&fixture, json!({"spec": {"region": "r"}}), "m").await);
    patch(&fixture, "a", |cluster| {
        cluster.spec.region = "s".to_owned()
    })
    .await
    .expect("valid");
    let wanted = json!({"spec": {"region": "r"}});
    check_refused(
        apply(&fixture, wanted.clone(), "m").await,
        409,
        "Apply failed with 1 conflict: conflict with \"test\" using cluster.karmada.io/v1alpha1: \
         .spec.region",
    );
    let forced = PatchOptions {
        force: Some(true),
        ..by("m")
    };
    let object = updated(apply_part(&fixture, Part::Main, wanted, forced).await);
    assert_eq!(object.object().spec.region, "r");
}

#[tokio::test]
async fn appliers_at_once_all_get_through() {
    let fixture = Fixture::new().await;
    let names: Vec<_> = (0..8).map(|n| format!("m{n}")).collect();
    let applies = names.iter().map(|name| {
        let labels = json!({"metadata": {"labels": {(name.clone()): "1"}}});
        apply(&fixture, labels, name)
    });
    let done = join_all(applies).await;
    let created = done
        .iter()
        .filter(|outcome| matches!(outcome, Ok(ApplyOutcome::Created(_))));
    assert_eq!(created.count(), 1);
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    let object = patch(&fixture, "a", |_| {}).await.expect("it is there");
    assert_eq!(object.object().metadata.labels.len(), 8);
    assert_eq!(object.object().metadata.managed_fields.len(), 8);
}

/// What another server does comes between what an apply has read and what it writes.
#[tokio::test]
async fn an_apply_that_is_overtaken_begins_anew() {
    let elsewhere = Fixture::new().await;
    elsewhere.create("a").await;
    let text = value(&elsewhere, "a").await.expect("it is there");
    let key = "/registry/cluster.karmada.io/clusters/a";
    let fixture = Fixture::new().await;
    fixture.store.overtake(Write::Create {
        key: key.to_owned(),
        value: text.clone().into(),
    });
    let label = |label: &str| json!({"metadata": {"labels": {(label): "1"}}});
    let first = updated(apply(&fixture, label("first"), "m").await);
    assert_eq!(first.object().metadata.labels.len(), 1);

    fixture.store.overtake(Write::Update {
        key: key.to_owned(),
        value: text
            .replace("\"spec\":{", "\"spec\":{\"region\":\"r\",")
            .into(),
        mod_revision: first.revision(),
    });
    let second = updated(apply(&fixture, label("second"), "m").await);
    let Cluster { metadata, spec, .. } = second.object();
    assert_eq!((metadata.labels.len(), spec.region.as_str()), (1, "r"));
}

#[tokio::test]
async fn an_empty_list_of_owners_resets_them() {
    let fixture = Fixture::new().await;
    created(apply(&fixture, json!({}), "m").await);
    let object = patch(&fixture, "a", |cluster| {
        let metadata = json!({"name": "a", "managedFields": []});
        cluster.metadata = serde_json::from_value(metadata).expect("metadata");
    });
    let object = object.await.expect("valid");
    assert_eq!(object.object().metadata.managed_fields, []);
}
