//! What is kept and what is not, on clusters.

use fleetgate_api::Cluster;

use super::read;
use crate::{Strategy, cluster::ClusterStrategy, stored::encode};

/// `stored` with all in angle brackets being unknown, after `change`.
#[track_caller]
fn check(stored: &str, change: impl Fn(&mut Cluster), want: &str) {
    let whole = |inner: &str| {
        format!("{{\"kind\":\"Cluster\",\"apiVersion\":\"cluster.karmada.io/v1alpha1\",{inner}}}\n")
    };
    let stored = whole(stored);
    let (mut cluster, unknown) = read::<Cluster>(stored.as_bytes()).expect("a cluster");
    let unknown = unknown.expect("something unknown");
    let strategy = ClusterStrategy::default();
    let keep = |cluster: &Cluster| {
        let known = encode(cluster, strategy.names()).expect("a cluster serializes");
        let kept = unknown.keep_in(&known, strategy.item_keys());
        String::from_utf8(kept.expect("JSON").to_vec()).expect("JSON is UTF-8")
    };
    assert_eq!(keep(&cluster), stored, "unchanged");
    change(&mut cluster);
    assert_eq!(keep(&cluster), whole(want));
}

#[test]
fn fields_stay_where_they_are_at_every_level() {
    check(
        r#""x":{"b":1.0,"a":[1e3,"\u003c"]},"metadata":{"name":"a","x":1,"labels":{"a":"b"}},"spec":{"id":"1","x":null,"syncMode":"Push","secretRef":{"namespace":"n","x":1,"name":"m"}},"status":{"x":{}},"y":[]"#,
        |cluster| {
            cluster.spec.region = "r".to_owned();
            cluster.spec.id.clear();
            cluster.metadata.labels.clear();
        },
        r#""x":{"b":1.0,"a":[1e3,"\u003c"]},"metadata":{"name":"a","x":1},"spec":{"x":null,"syncMode":"Push","secretRef":{"namespace":"n","x":1,"name":"m"},"region":"r"},"status":{"x":{}},"y":[]"#,
    );
}

#[test]
fn fields_go_with_what_they_are_part_of() {
    check(
        r#""metadata":{"name":"a"},"spec":{"syncMode":"Push","secretRef":{"namespace":"n","name":"m","x":1}},"status":{"nodeSummary":{"x":1}}"#,
        |cluster| cluster.spec.secret_ref = None,
        r#""metadata":{"name":"a"},"spec":{"syncMode":"Push"},"status":{"nodeSummary":{"x":1}}"#,
    );
}

#[test]
fn items_are_found_by_their_keys() {
    check(
        r#""metadata":{"name":"a"},"spec":{"syncMode":"Push","taints":[{"key":"a","effect":"NoExecute","x":1},{"key":"a","value":"v","effect":"NoSchedule","x":2},{"key":"b","effect":"NoSchedule","x":3}]},"status":{"apiEnablements":[{"groupVersion":"v1","resources":[{"name":"pods","kind":"Pod","x":4}],"x":5}]}"#,
        |cluster| {
            cluster.spec.taints.swap(0, 1);
            cluster.spec.taints[0].value = "other".to_owned();
            cluster.spec.taints[2].key = "c".to_owned();
        },
        r#""metadata":{"name":"a"},"spec":{"syncMode":"Push","taints":[{"key":"a","value":"other","effect":"NoSchedule","x":2},{"key":"a","effect":"NoExecute","x":1},{"key":"c","effect":"NoSchedule"}]},"status":{"apiEnablements":[{"groupVersion":"v1","resources":[{"name":"pods","kind":"Pod","x":4}],"x":5}]}"#,
    );
}

#[test]
fn items_that_cannot_be_told_apart_keep_nothing_once_they_change() {
    let stored = concat!(
        r#"{"metadata":{"name":"a"},"spec":{"syncMode":"Push","taints":["#,
        r#"{"key":"a","effect":"NoExecute","x":1},{"key":"a","effect":"NoExecute","x":2}]},"status":{}}"#
    );
    let (cluster, unknown) = read::<Cluster>(stored.as_bytes()).expect("a cluster");
    let strategy = ClusterStrategy::default();
    let known = encode(&cluster, strategy.names()).expect("a cluster serializes");
    let kept = unknown
        .expect("something unknown")
        .keep_in(&known, strategy.item_keys());
    assert_eq!(kept.expect("JSON"), known);
}

#[test]
fn metadata_has_keys_of_its_own() {
    check(
        r#""metadata":{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"1","x":1},{"apiVersion":"v1","kind":"K","name":"n","uid":"2","x":2}]},"spec":{"syncMode":"Push"},"status":{}"#,
        |cluster| {
            cluster.metadata.owner_references.remove(0);
        },
        r#""metadata":{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"K","name":"n","uid":"2","x":2}]},"spec":{"syncMode":"Push"},"status":{}"#,
    );
}

#[test]
fn what_is_all_known_is_not_kept_twice() {
    let stored = r#"{"metadata":{"name":"a","managedFields":[{"manager":"m","fieldsV1":{"f:x":{}}}]},"spec":{"syncMode":"Push","proxyHeader":{"x":"1"},"zone":""},"status":null}"#;
    let (_, unknown) = read::<Cluster>(stored.as_bytes()).expect("a cluster");
    assert!(unknown.is_none(), "{unknown:?}");
}
