//! Options that are read and options that are refused.

use std::time::Duration;

use serde_json::json;

use super::{
    CreateOptions, DeleteOptions, DryRun, FieldValidation, GetOptions, ListOptions, PatchOptions,
    Propagation, ResourceVersion, ResourceVersionMatch, validate_field_manager,
};
use crate::{field::Path, query::Query, selector::FieldSelector, status::Status};

/// The status of what is refused: code and message.
#[track_caller]
fn check_refused<T: std::fmt::Debug>(got: Result<T, Status>, code: u16, message: &str) {
    let status = got.unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (code, message));
}

fn list(query: &str) -> Result<ListOptions, Status> {
    ListOptions::from_query(&Query::parse(query))
}

fn watch(query: &str) -> Result<ListOptions, Status> {
    ListOptions::from_query(&Query::parse(&format!("watch=1&{query}")))
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
fn a_watch_that_names_no_state_starts_with_what_is_there() {
    let check = |query: &str, want: Option<bool>| {
        assert_eq!(watch(query).unwrap().send_initial_events, want, "{query}");
    };
    check("", Some(true));
    check("resourceVersion=0", Some(true));
    check("resourceVersion=7", None);
    check(
        "sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
        Some(false),
    );
    assert_eq!(list("watch=0").unwrap().send_initial_events, None);
}

#[test]
fn a_time_is_positive_or_over_at_once() {
    let lasts = |query: &str| watch(query).unwrap().timeout;
    assert_eq!(lasts("timeoutSeconds=0"), None);
    assert_eq!(lasts("timeoutSeconds=3"), Some(Duration::from_secs(3)));
    assert_eq!(lasts("timeoutSeconds=-1"), Some(Duration::ZERO));
    let year = Duration::from_secs(31_536_000);
    assert_eq!(lasts("timeoutSeconds=9223372036854775807"), Some(year));
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
        watch("continue=x"),
        422,
        &invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is \
             provided",
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
    // As Kubernetes has it.
    let rv = rv.trim_start_matches("invalid resource version: ");
    check_refused(watch("resourceVersion=x"), 500, rv);
    check_refused(
        GetOptions::from_query(&Query::parse("resourceVersion=x")),
        500,
        rv,
    );
    assert!(
        list("resourceVersion=x&continue=y").is_ok(),
        "told with the token"
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
fn delete_options_come_from_the_query() {
    let query = Query::parse("propagationPolicy=Orphan&gracePeriodSeconds=0&dryRun=All&uid=u");
    let got = DeleteOptions::from_query(&query).unwrap();
    assert_eq!(got.propagation, Some(Propagation::Orphan));
    assert_eq!(
        (got.grace_period_seconds, got.dry_run),
        (Some(0), DryRun::All)
    );
    assert_eq!(got.preconditions.uid.as_deref(), Some("u"));
    assert_eq!(got.preconditions.resource_version, None);
}

#[test]
fn delete_options_come_from_the_body() {
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "u"},
        "orphanDependents": false, "dryRun": null});
    let got = DeleteOptions::from_body(&body).unwrap();
    assert_eq!(got.preconditions.uid.as_deref(), Some("u"));
    assert_eq!(
        (got.propagation, got.dry_run),
        (Some(Propagation::Background), DryRun::No)
    );
    assert!(got.asks_for_dependents);
    assert_eq!(
        DeleteOptions::from_body(&json!(null)).unwrap(),
        DeleteOptions::default()
    );
    check_refused(
        DeleteOptions::from_body(&json!({"propagationPolicy": "x"})),
        422,
        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"x\": \
         supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
    );
}

#[test]
fn bodies_that_are_no_delete_options_are_refused_in_gos_words() {
    let check = |body: serde_json::Value, want: &str| {
        check_refused(DeleteOptions::from_body(&body), 400, want);
    };
    let field = "json: cannot unmarshal";
    check(
        json!({"kind": "Foo", "apiVersion": "v1"}),
        "no kind \"Foo\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\"",
    );
    check(
        json!({"kind": "Status", "apiVersion": "v1"}),
        "converting (v1.Status) to (v1.DeleteOptions): unknown conversion",
    );
    check(
        json!({"apiVersion": "a/b/c"}),
        "unexpected GroupVersion string: a/b/c",
    );
    check(
        json!([]),
        "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value \
         of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
         \"json:\\\"kind,omitempty\\\"\" }",
    );
    check(
        json!({"kind": 1}),
        &format!(
            "couldn't get version/kind; json parse error: {field} number into Go struct field \
             .kind of type string"
        ),
    );
    let options = "into Go struct field DeleteOptions";
    check(
        json!({"gracePeriodSeconds": 1.5}),
        &format!("{field} number 1.5 {options}.gracePeriodSeconds of type int64"),
    );
    check(
        json!({"gracePeriodSeconds": "5"}),
        &format!("{field} string {options}.gracePeriodSeconds of type int64"),
    );
    check(
        json!({"dryRun": "All"}),
        &format!("{field} string {options}.dryRun of type []string"),
    );
    check(
        json!({"orphanDependents": "x"}),
        &format!("{field} string {options}.orphanDependents of type bool"),
    );
    check(
        json!({"preconditions": {"uid": 1}}),
        &format!(
            "{field} number into Go struct field Preconditions.preconditions.uid of type types.UID"
        ),
    );
}

#[test]
fn a_list_of_one_name_selects_no_other() {
    let of = |selector: &str| {
        let options = ListOptions {
            field_selector: FieldSelector::parse(selector).expect("a selector"),
            ..ListOptions::default()
        };
        options.for_name("a")
    };
    for selector in ["", "metadata.name=a"] {
        let options = of(selector).expect("the same name");
        assert_eq!(options.field_selector.exact("metadata.name"), Some("a"));
    }
    let message = "fieldSelector metadata.name doesn't match requested name";
    check_refused(of("metadata.name=b"), 400, message);
    check_refused(of("metadata.namespace=a"), 400, message);
}

#[test]
fn every_bad_character_of_a_manager_is_told_and_of_one_too_long_the_first() {
    let told = |length: usize| -> Vec<String> {
        let errors = validate_field_manager(&"\u{7f}".repeat(length), &Path::new("m"));
        errors.iter().map(ToString::to_string).collect()
    };
    let whole = told(128);
    assert_eq!(whole.len(), 128);
    assert!(whole[127].ends_with(": invalid character U+007F (at position 127)"));
    let cut = told(2000);
    assert_eq!(cut[0], "m: Too long: may not be more than 128 bytes");
    assert!(cut[1].ends_with(": invalid character U+007F (at position 0)"));
    assert_eq!(cut.len(), 2);
}
