//! Tests of what a verdict depends on.

use fleetgate_model::{
    Attributes, Resource, SelectorOperator, SelectorRequirement, Selectors, User, Verb,
};

use super::{AccessReview, Key, MAX_CONTROLLED};

fn user() -> User {
    User {
        name: "jane".to_owned(),
        uid: "1".to_owned(),
        groups: vec!["a".to_owned(), "b".to_owned()],
        extra: vec![("k".to_owned(), vec!["v".to_owned()])],
    }
}

fn attributes() -> Attributes {
    Attributes {
        verb: Verb::of("get"),
        resource: Some(Resource {
            group: "cluster.karmada.io".to_owned(),
            version: "v1alpha1".to_owned(),
            namespace: String::new(),
            resource: "clusters".to_owned(),
            subresource: "proxy".to_owned(),
            name: "member1".to_owned(),
        }),
        path: "/apis/cluster.karmada.io/v1alpha1/clusters/member1/proxy/a".to_owned(),
        ..Attributes::default()
    }
}

fn key(user: &User, attributes: &Attributes) -> Option<Key> {
    Key::of(AccessReview { user, attributes })
}

#[track_caller]
fn check(change: impl Fn(&mut User, &mut Attributes), same: bool) {
    let (mut user, mut attributes) = (user(), attributes());
    let before = key(&user, &attributes);
    change(&mut user, &mut attributes);
    assert_eq!(before == key(&user, &attributes), same);
}

fn change(attributes: &mut Attributes, change: impl Fn(&mut Resource)) {
    attributes
        .resource
        .as_mut()
        .map(change)
        .expect("a resource");
}

#[test]
fn every_field_that_is_asked_about_counts() {
    check(|user, _| user.name.push('x'), false);
    check(|user, _| user.uid.clear(), false);
    check(|user, _| user.groups.reverse(), false);
    check(|user, _| user.groups = vec!["ab".to_owned()], false);
    check(|user, _| user.groups.truncate(1), false);
    check(|user, _| user.extra.clear(), false);
    check(|user, _| user.extra[0].1.push(String::new()), false);
    check(|_, attributes| attributes.verb = Verb::of("delete"), false);
    check(
        |_, attributes| change(attributes, |r| r.group.clear()),
        false,
    );
    check(
        |_, attributes| change(attributes, |r| r.version.clear()),
        false,
    );
    check(
        |_, attributes| change(attributes, |r| r.namespace.push('x')),
        false,
    );
    check(
        |_, attributes| change(attributes, |r| r.resource.push('x')),
        false,
    );
    check(
        |_, attributes| change(attributes, |r| r.subresource.clear()),
        false,
    );
    check(
        |_, attributes| change(attributes, |r| r.name = "member2".to_owned()),
        false,
    );
    check(|_, attributes| attributes.resource = None, false);
}

fn requirement(key: &str, values: &[&str]) -> SelectorRequirement {
    SelectorRequirement {
        key: key.to_owned(),
        operator: SelectorOperator::In,
        values: values.iter().map(|&value| value.to_owned()).collect(),
    }
}

/// The key of a question that is restricted by one requirement of a field, and of a label.
fn selected(
    field: Option<&SelectorRequirement>,
    label: Option<&SelectorRequirement>,
) -> Option<Key> {
    let attributes = Attributes {
        selectors: Selectors {
            fields: field.cloned().into_iter().collect(),
            labels: label.cloned().into_iter().collect(),
        },
        ..attributes()
    };
    key(&user(), &attributes)
}

#[test]
fn every_part_of_a_selector_counts() {
    let one = requirement("a", &["b"]);
    let not = SelectorRequirement {
        operator: SelectorOperator::NotIn,
        ..one.clone()
    };
    let (other, more) = (requirement("x", &["b"]), requirement("a", &["b", "c"]));
    let keys = [
        selected(None, None),
        selected(Some(&one), None),
        selected(None, Some(&one)),
        selected(None, Some(&not)),
        selected(None, Some(&other)),
        selected(None, Some(&more)),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{at}");
    }
    assert_eq!(selected(None, Some(&one)), keys[2]);
}

#[test]
fn neighbouring_fields_do_not_run_into_each_other() {
    let shift = |_: &mut User, attributes: &mut Attributes| {
        change(attributes, |r| {
            r.resource = "clustersproxy".to_owned();
            r.subresource.clear();
        });
    };
    check(shift, false);
}

#[test]
fn what_is_not_asked_about_does_not_count() {
    check(|_, attributes| attributes.long_running = true, true);
    check(|_, attributes| attributes.path.push('x'), true);
    let path = |path: &str| Attributes {
        path: path.to_owned(),
        ..Attributes::default()
    };
    assert_ne!(key(&user(), &path("/a")), key(&user(), &path("/b")));
}

#[test]
fn long_questions_have_no_key() {
    let long = |len| Attributes {
        path: "x".repeat(len),
        ..Attributes::default()
    };
    assert!(key(&user(), &long(MAX_CONTROLLED - 1)).is_some());
    assert!(key(&user(), &long(MAX_CONTROLLED)).is_none());
}
