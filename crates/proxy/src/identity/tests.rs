//! What a member sees of a caller.

use fleetgate_model::{Credentials, User};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{forwarded_for, present, strip_hop_by_hop};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

fn user(groups: &[&str]) -> User {
    User {
        name: "jane".to_owned(),
        groups: groups.iter().map(|&g| g.to_owned()).collect(),
        ..User::default()
    }
}

fn credentials() -> Credentials {
    Credentials {
        authorization: HeaderValue::from_static("bearer ours"),
        ca_bundle: None,
    }
}

#[test]
fn nothing_that_a_caller_claims_reaches_a_member() {
    let mut headers = headers(&[
        ("authorization", "Bearer theirs"),
        ("impersonate-user", "root"),
        ("impersonate-group", "system:masters"),
        ("impersonate-uid", "0"),
        ("impersonate-extra-scopes", "all"),
        ("x-remote-user", "root"),
        ("x-remote-extra-a", "b"),
        ("accept", "application/json"),
    ]);
    present(&mut headers, &user(&["dev"]), &credentials()).expect("names fit");
    let mut seen: Vec<_> = headers
        .iter()
        .map(|(n, v)| format!("{n}={}", v.to_str().expect("ASCII")))
        .collect();
    seen.sort();
    let want = [
        "accept=application/json",
        "authorization=bearer ours",
        "impersonate-group=dev",
        "impersonate-user=jane",
    ];
    assert_eq!(seen, want);
}

#[test]
fn the_implied_groups_are_not_impersonated() {
    let mut headers = HeaderMap::new();
    let groups = ["system:authenticated", "b", "system:unauthenticated", "a"];
    present(&mut headers, &user(&groups), &credentials()).expect("names fit");
    let groups: Vec<_> = headers.get_all("impersonate-group").iter().collect();
    assert_eq!(groups, ["b", "a"]);
}

#[test]
fn a_name_that_a_member_would_read_as_another_is_refused() {
    let forged = "jane\r\nImpersonate-Group: system:masters";
    for name in ["", " ", " jane", "jane\t", "a\0b", forged] {
        let mut headers = HeaderMap::new();
        let user = User {
            name: name.to_owned(),
            ..user(&[])
        };
        assert!(present(&mut headers, &user, &credentials()).is_err());
        let in_group = present(&mut HeaderMap::new(), &self::user(&[name]), &credentials());
        assert!(in_group.is_err(), "{name:?}");
    }
}

#[test]
fn a_name_is_sent_as_its_bytes() {
    let mut headers = HeaderMap::new();
    let user = User {
        name: "josé müller".to_owned(),
        ..user(&[])
    };
    present(&mut headers, &user, &credentials()).expect("fits");
    assert_eq!(
        headers["impersonate-user"].as_bytes(),
        "josé müller".as_bytes()
    );
}

#[test]
fn trailers_stay_announced() {
    let mut headers = headers(&[("trailer", "x-sum"), ("transfer-encoding", "chunked")]);
    strip_hop_by_hop(&mut headers, None);
    assert_eq!(headers["trailer"], "x-sum");
    assert!(!headers.contains_key("transfer-encoding"));
}

#[test]
fn what_connection_names_goes_and_an_identity_cannot_be_named_away() {
    let mut headers = headers(&[
        ("connection", "x-private, Authorization, impersonate-user"),
        ("x-private", "1"),
        ("keep-alive", "1"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
    ]);
    strip_hop_by_hop(&mut headers, None);
    present(&mut headers, &user(&[]), &credentials()).expect("names fit");
    assert!(!headers.contains_key("x-private") && !headers.contains_key("upgrade"));
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["authorization"], "bearer ours");
    assert_eq!(headers["impersonate-user"], "jane");
}

#[test]
fn what_both_ends_need_cannot_be_named_away() {
    let needed = [
        ("audit-id", "a1"),
        ("cache-control", "no-cache"),
        ("content-type", "application/json"),
        ("warning", "299 - \"w\""),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-kubernetes-pf-flowschema-uid", "f1"),
    ];
    let mut headers = headers(&needed);
    for (name, _) in needed {
        headers.append("connection", HeaderValue::from_static(name));
    }
    strip_hop_by_hop(&mut headers, None);
    for (name, value) in needed {
        assert_eq!(headers[name], value);
    }
    assert_eq!(headers.len(), needed.len());
}

#[test]
fn trailers_are_asked_for_among_other_codings() {
    for (te, want) in [
        ("trailers", true),
        ("gzip;q=0.5, Trailers", true),
        ("gzip", false),
        ("x-trailers", false),
    ] {
        let mut headers = headers(&[("connection", "TE"), ("te", te)]);
        strip_hop_by_hop(&mut headers, None);
        let kept = headers.get("te").map(|te| te.to_str().expect("text"));
        assert_eq!(kept, want.then_some("trailers"), "{te}");
    }
}

#[test]
fn an_upgrade_keeps_its_protocol() {
    let mut headers = headers(&[("connection", "upgrade, x-private"), ("x-private", "1")]);
    strip_hop_by_hop(&mut headers, Some(HeaderValue::from_static("SPDY/3.1")));
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(headers["upgrade"], "SPDY/3.1");
    assert!(!headers.contains_key("x-private"));
}

#[test]
fn each_hop_adds_its_address() {
    let mut headers = headers(&[("x-forwarded-for", "10.0.0.1")]);
    forwarded_for(&mut headers, "::ffff:10.0.0.2".parse().expect("an address"));
    assert_eq!(headers["x-forwarded-for"], "10.0.0.1, 10.0.0.2");
}
