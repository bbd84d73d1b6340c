//! Tests of what headers say and what is stripped.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{BadCredential, HeaderNames, User, strip, unescape};

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn names() -> HeaderNames {
    HeaderNames::parse(
        &list(&["X-Remote-User", "X-Other-User"]),
        &list(&["X-Remote-Uid"]),
        &list(&["X-Remote-Group", "X-Other-Group"]),
        &list(&["X-Remote-Extra-"]),
    )
    .expect("names")
}

fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &[u8])| {
        let value = HeaderValue::from_bytes(value).expect("a value");
        (HeaderName::from_static(name), value)
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn headers_name_a_user_with_all_that_belongs_to_it() {
    let got = names().user_in(&headers(&[
        ("x-remote-user", b""),
        ("x-other-user", "jané".as_bytes()),
        ("x-remote-uid", b"42"),
        ("x-other-group", b"c"),
        ("x-remote-group", b"a"),
        ("x-remote-group", b""),
        ("x-remote-group", b"b,with comma"),
        ("x-remote-extra-acme.com%2fproject", b"one"),
        ("x-remote-extra-acme.com%2fproject", b"two"),
        ("x-remote-extra-a%zz", b""),
    ]));
    let want = User {
        name: "jané".to_owned(),
        uid: "42".to_owned(),
        groups: list(&["a", "b,with comma", "c"]),
        extra: vec![
            ("a%zz".to_owned(), list(&[""])),
            ("acme.com/project".to_owned(), list(&["one", "two"])),
        ],
    };
    assert_eq!(got, Ok(Some(want)));
}

#[test]
fn groups_without_a_user_name_nobody() {
    let only_group = headers(&[("x-remote-group", b"system:masters")]);
    assert_eq!(names().user_in(&only_group), Ok(None));
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    let garbage = headers(&[("x-remote-user", b"\xff")]);
    assert_eq!(names().user_in(&garbage), Err(BadCredential));
}

#[test]
fn every_claim_is_stripped_and_nothing_else() {
    let mut sent = headers(&[
        ("authorization", b"Bearer a"),
        ("x-remote-user", b"a"),
        ("x-remote-anything", b"a"),
        ("x-other-user", b"a"),
        ("x-other-group", b"a"),
        ("x-remotes", b"kept"),
        ("accept", b"kept"),
    ]);
    strip(&mut sent, Some(&names()));
    let mut kept: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["accept", "x-remotes"]);
}

#[test]
fn names_that_no_header_can_have_are_refused() {
    let parse = |name: &str| HeaderNames::parse(&list(&[name]), &[], &[], &[]);
    assert!(parse(" X-Remote-User ").is_ok());
    assert!(parse("").is_err());
    assert!(parse("a b").is_err());
}

#[track_caller]
fn check_key(key: &str, want: &str) {
    assert_eq!(unescape(key), want);
}

#[test]
fn keys_are_unescaped_as_go_does() {
    check_key("plain", "plain");
    check_key("a%2fb", "a/b");
    check_key("a%2", "a%2");
    check_key("%2f%zz", "%2f%zz");
    check_key("%ff", "%ff");
    check_key("%25", "%");
}
