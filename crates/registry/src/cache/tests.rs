//! What the cache holds, remembers and forgets.

use std::{convert::Infallible, sync::Arc, time::Duration};

use fleetgate_api::Cluster;

use super::{Cache, TooOld, Update};
use crate::{CLUSTERS, Form, Stored, testing::cluster};

fn stored(name: &str, revision: i64) -> Arc<Stored<Cluster>> {
    Arc::new(Stored::new(cluster(name), revision, &CLUSTERS))
}

fn put(name: &str, revision: i64) -> Update<Cluster> {
    sized(name, revision, 10)
}

fn sized(name: &str, revision: i64, size: usize) -> Update<Cluster> {
    Update {
        revision,
        name: name.into(),
        object: Some(stored(name, revision)),
        size,
    }
}

fn gone(name: &str, revision: i64) -> Update<Cluster> {
    Update {
        revision,
        name: name.into(),
        object: None,
        size: 0,
    }
}

/// A cache that was read at revision 10, with `a` in it.
fn cache() -> Cache<Cluster> {
    let cache = Cache::new();
    cache.replace(vec![stored("a", 5)], 10);
    cache.announce();
    cache
}

fn names(cache: &Cache<Cluster>) -> Vec<String> {
    let found = cache.snapshot(0, |_| true);
    found
        .objects
        .iter()
        .map(|object| format!("{}@{}", object.name(), object.revision()))
        .collect()
}

#[test]
fn the_cache_holds_what_the_store_told_last() {
    let cache = cache();
    assert_eq!(names(&cache), ["a@5"]);
    cache.apply(
        vec![put("b", 11), put("a", 12), gone("b", 13), gone("none", 14)],
        20,
    );
    assert_eq!(names(&cache), ["a@12"]);
    assert_eq!(cache.revision(), 20);
    assert_eq!(cache.get("a").map(|object| object.revision()), Some(12));
    assert!(cache.get("b").is_none());
}

#[test]
fn changes_are_told_from_any_revision_that_is_remembered() {
    let cache = cache();
    cache.apply(vec![put("b", 11), put("a", 12)], 12);
    cache.apply(vec![gone("b", 15)], 17);
    let revisions = |revision: i64| {
        let position = cache
            .position_after(revision)
            .expect("a revision that is remembered");
        let found = cache.changes_from(position, 10).expect("changes");
        found
            .changes
            .iter()
            .map(|change| change.revision)
            .collect::<Vec<_>>()
    };
    assert_eq!(revisions(10), [11, 12, 15]);
    assert_eq!(revisions(11), [12, 15]);
    assert_eq!(revisions(14), [15]);
    assert_eq!(revisions(15), [0; 0]);
    assert_eq!(revisions(99), [0; 0]);
    assert_eq!(cache.position_after(9), Err(TooOld { oldest: 10 }));
}

#[test]
fn a_change_knows_what_was_before() {
    let cache = cache();
    cache.apply(vec![put("a", 11), gone("a", 12)], 12);
    let found = cache.changes_from(cache.position_after(10).expect("remembered"), 10);
    let changes = found.expect("changes").changes;
    let previous: Vec<_> = changes
        .iter()
        .map(|change| change.previous.as_ref().map(|it| it.revision()))
        .collect();
    assert_eq!(previous, [Some(5), Some(11)]);
    let gone = changes[1].gone().expect("it was there");
    assert_eq!(gone.revision(), 12);
    assert_eq!(gone.object().metadata.resource_version, "12");
    assert!(
        Arc::ptr_eq(&gone, &changes[1].gone().expect("the same")),
        "made once"
    );
}

#[test]
fn a_reader_that_stops_midway_does_not_claim_to_have_seen_the_rest() {
    let cache = cache();
    cache.apply(vec![put("b", 11), put("c", 12), put("d", 13)], 20);
    let start = cache.position_after(10).expect("remembered");
    let first = cache.changes_from(start, 2).expect("changes");
    assert_eq!((first.changes.len(), first.revision), (2, 11));
    let rest = cache.changes_from(first.next, 2).expect("changes");
    assert_eq!((rest.changes.len(), rest.revision), (1, 20));
}

#[test]
fn the_oldest_changes_are_forgotten_and_who_needs_them_is_told() {
    let cache = cache();
    let start = cache.position_after(10).expect("remembered");
    let half = super::MAX_CHANGE_BYTES / 2;
    cache.apply(vec![sized("a", 11, half), sized("b", 12, half)], 12);
    assert_eq!(
        cache
            .changes_from(start, 10)
            .expect("both fit")
            .changes
            .len(),
        2
    );
    cache.apply(vec![sized("c", 13, 1)], 13);
    let too_old = TooOld { oldest: 11 };
    assert_eq!(
        cache.changes_from(start, 10).expect_err("one is forgotten"),
        too_old
    );
    assert_eq!(cache.position_after(10), Err(too_old));
    assert_eq!(cache.position_after(11), Ok(start + 1));

    let many: Vec<_> = (0..i64::try_from(super::MAX_CHANGES).expect("small") + 1)
        .map(|n| sized("d", 100 + n, 0))
        .collect();
    cache.apply(many, 100_000);
    assert_eq!(cache.position_after(99), Err(TooOld { oldest: 100 }));
}

#[test]
fn a_new_read_of_everything_leaves_all_watchers_behind() {
    let cache = cache();
    cache.apply(vec![put("b", 11)], 11);
    let caught_up = cache.position_after(11).expect("remembered");
    cache.replace(vec![stored("c", 30)], 40);
    assert_eq!(names(&cache), ["c@30"]);
    assert_eq!(
        cache.changes_from(caught_up, 10).expect_err("missed"),
        TooOld { oldest: 40 }
    );
    assert_eq!(cache.position_after(39), Err(TooOld { oldest: 40 }));
    let position = cache.position_after(40).expect("remembered");
    assert_eq!(
        cache
            .changes_from(position, 10)
            .expect("nothing yet")
            .changes
            .len(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_revision_is_woken_when_it_is_announced() {
    let cache = cache();
    assert!(cache.reached(10, Duration::ZERO).await);
    cache.apply(vec![put("b", 11)], 11);
    assert!(
        !cache.reached(11, Duration::from_secs(1)).await,
        "applied, not announced"
    );
    cache.announce();
    assert!(cache.reached(11, Duration::from_secs(1)).await);
}

const FORM: Form = Form {
    number: 1,
    shows_time: false,
};

#[test]
fn the_forms_of_a_change_are_kept_as_long_as_it_is_news() {
    let cache = cache();
    let object = stored("n", 11);
    let form = |text: &'static str| {
        let Ok(bytes) = object.in_form::<Infallible>(FORM, || Ok(text.into()));
        bytes
    };
    let update = Update {
        object: Some(Arc::clone(&object)),
        ..put("n", 11)
    };
    cache.apply(vec![update], 11);
    let news = i64::try_from(super::NEWS).expect("a small number");
    cache.apply((12..11 + news).map(|at| put("a", at)).collect(), 11 + news);
    assert_eq!(
        (form("first"), form("later")),
        ("first".into(), "first".into())
    );
    cache.apply(vec![put("a", 12 + news)], 12 + news);
    assert_eq!(form("last"), "last");
}
