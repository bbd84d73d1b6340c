//! Options that are read and options that are refused.

use std::time::Duration;

use serde_json::json;

use super::{
    CreateOptions, DeleteOptions, DryRun, FieldValidation, GetOptions, ListOptions, ListVerb,
    PatchOptions, Propagation, ResourceVersion, ResourceVersionMatch,
};
use crate::{query::Query, status::Status};

/// The status of what is refused: code and message.
#[track_caller]
fn check_refused<T: std::fmt::Debug>(got: Result<T, Status>, code: u16, message: &str) {
    let status = got.unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (code, message));
}

fn list(query: &str) -> Result<ListOptions, Status> {
    ListOptions::from_query(&Query::parse(query), ListVerb::List)
}

fn watch(query: &str) -> Result<ListOptions, Status> {
    ListOptions::from_query(&Query::parse(query), ListVerb::Watch)
}

#[test]
fn list_options_are_read() {
    assert_eq!(list("").unwrap(), ListOptions::default());
    let got = list("limit=500&continue=x&resourceVersion=7&timeoutSeconds=3&labelSelector=a%3Db");
    let got = got.unwrap();
    assert_eq!(got.resource_version, ResourceVersion::At(7));
    assert_eq!((got.limit, got.continue_token.as_str()), (500, "x"));
    assert_eq!(got.timeout, Some(Duration::from_secs(3)));
    assert!(!got.label_selector.is_empty());
    assert_eq!(
        list("resourceVersion=0&limit=-1").unwrap().resource_version,
        ResourceVersion::Any
    );
    let got =
        watch("allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    let got = got.unwrap();
    assert_eq!(
        got.resource_version_match,
        Some(ResourceVersionMatch::NotOlderThan)
    );
    assert_eq!(
        (got.allow_watch_bookmarks, got.send_initial_events),
        (true, Some(true))
    );
}

#[test]
fn list_options_that_do_not_go_together_are_refused() {
    let invalid = |detail: &str| format!("ListOptions.meta.k8s.io \"\" is invalid: {detail}");
    check_refused(
        list("resourceVersionMatch=Exact"),
        422,
        &invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless \
             resourceVersion is provided",
        ),
    );
    check_refused(
        list("resourceVersionMatch=Exact&resourceVersion=0"),
        422,
        &invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for \
             resourceVersion \"0\"",
        ),
    );
    check_refused(
        list("resourceVersionMatch=X&resourceVersion=1"),
        422,
        &invalid(
            "resourceVersionMatch: Unsupported value: \"X\": supported values: \"Exact\", \
             \"NotOlderThan\", \"\"",
        ),
    );
    check_refused(
        list("sendInitialEvents=1"),
        422,
        &invalid("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
    );
    check_refused(
        watch("sendInitialEvents=1"),
        422,
        &invalid(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
             resourceVersionMatch to NotOlderThan",
        ),
    );
    check_refused(
        watch("resourceVersionMatch=NotOlderThan"),
        422,
        &invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless \
             sendInitialEvents is provided",
        ),
    );
}

#[test]
fn parameters_that_cannot_be_read_are_bad_requests() {
    check_refused(
        list("limit=x"),
        400,
        "strconv.ParseInt: parsing \"x\": invalid syntax",
    );
    check_refused(
        list("labelSelector=%3D%3D"),
        400,
        "found '==', expected: !, identifier, or 'end of string'",
    );
    let rv = "invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: \
              parsing \"x\": invalid syntax";
    check_refused(list("resourceVersion=x"), 400, rv);
    check_refused(
        GetOptions::from_query(&Query::parse("resourceVersion=x")),
        400,
        rv,
    );
}

#[test]
fn write_options_are_read() {
    let got = CreateOptions::from_query(&Query::parse(
        "dryRun=All&fieldManager=m&fieldValidation=Strict",
    ));
    let want = CreateOptions {
        dry_run: DryRun::All,
        field_manager: "m".to_owned(),
        field_validation: FieldValidation::Strict,
    };
    assert_eq!(got.unwrap(), want);
    check_refused(
        CreateOptions::from_query(&Query::parse("dryRun=x&fieldValidation=y")),
        422,
        "CreateOptions.meta.k8s.io \"\" is invalid: [dryRun: Unsupported value: [\"x\"]: supported \
         values: \"All\", fieldValidation: Unsupported value: \"y\": supported values: \"\", \
         \"Ignore\", \"Strict\", \"Warn\"]",
    );
    let long = format!("fieldManager={}%07", "m".repeat(128));
    check_refused(
        CreateOptions::for_update(&Query::parse(&long)),
        422,
        &format!(
            "UpdateOptions.meta.k8s.io \"\" is invalid: [fieldManager: Too long: may not be more \
             than 128 bytes, fieldManager: Invalid value: \"{}\\a\": invalid character U+0007 (at \
             position 128)]",
            "m".repeat(128)
        ),
    );
    check_refused(
        PatchOptions::from_query(&Query::parse("force=true")),
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for \
         non-apply patch",
    );
}

#[test]
fn delete_options_come_from_the_body_or_the_query() {
    let query = Query::parse("propagationPolicy=Orphan&gracePeriodSeconds=0&dryRun=All");
    let got = DeleteOptions::from_parts(&query, None).unwrap();
    assert_eq!(got.propagation, Some(Propagation::Orphan));
    assert_eq!(
        (got.grace_period_seconds, got.dry_run),
        (Some(0), DryRun::All)
    );
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "u"},
        "orphanDependents": false});
    let got = DeleteOptions::from_parts(&query, Some(&body)).unwrap();
    assert_eq!(got.preconditions.uid.as_deref(), Some("u"));
    assert_eq!(
        (got.propagation, got.dry_run),
        (Some(Propagation::Background), DryRun::No)
    );
    assert!(got.asks_for_dependents);
    check_refused(
        DeleteOptions::from_parts(&query, Some(&json!({"propagationPolicy": "x"}))),
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"x\": \
         supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
    );
}
