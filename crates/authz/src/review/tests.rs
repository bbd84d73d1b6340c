//! Tests of what is remembered, with closures as hosts and paused time; and of what a host is sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{
    Attributes, Decision, Resource, SelectorOperator, SelectorRequirement, Selectors, User, Verb,
};
use fleetgate_testkit::FakeHost;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{
    AccessReview, KubeAccessReview, ReviewAccess, ReviewError, Reviews, TURN_TIMEOUT, Verdict,
};
use crate::{AlwaysAllowedPaths, Config, Metrics};

fn config() -> Config {
    Config {
        allowed_ttl: Duration::from_secs(10),
        denied_ttl: Duration::from_secs(5),
        always_allowed_paths: AlwaysAllowedPaths::default(),
        max_reviews_at_a_time: 2,
    }
}

fn path(path: &str) -> Attributes {
    Attributes {
        verb: Verb::of("get"),
        path: path.to_owned(),
        ..Attributes::default()
    }
}

fn jane() -> User {
    User {
        name: "jane".to_owned(),
        ..User::default()
    }
}

fn verdict(allowed: bool) -> Verdict {
    Verdict {
        allowed,
        ..Verdict::default()
    }
}

/// Reviews by a host that answers `answer` after a second, and the count of its answers.
fn reviews(
    answer: Result<Verdict, ReviewError>,
) -> (Arc<Reviews<impl ReviewAccess>>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let reviewer = move |_: AccessReview<'_>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let answer = answer.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answer
        }
    };
    (
        Arc::new(Reviews::new(&config(), reviewer, Metrics::default())),
        asked,
    )
}

async fn ask<R: ReviewAccess>(
    reviews: &Reviews<R>,
    user: &User,
    attributes: &Attributes,
) -> Result<Decision, ReviewError> {
    reviews.review(AccessReview { user, attributes }).await
}

/// Asks twice, `pause` apart, and returns how often the host was asked.
async fn asked_twice(answer: Result<Verdict, ReviewError>, pause: Duration) -> usize {
    let (reviews, asked) = reviews(answer);
    drop(ask(&reviews, &jane(), &path("/a")).await);
    tokio::time::sleep(pause).await;
    drop(ask(&reviews, &jane(), &path("/a")).await);
    asked.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn verdicts_are_remembered_for_their_time() {
    let millis = Duration::from_millis;
    assert_eq!(asked_twice(Ok(verdict(true)), millis(9_900)).await, 1);
    assert_eq!(asked_twice(Ok(verdict(true)), millis(10_100)).await, 2);
    assert_eq!(asked_twice(Ok(verdict(false)), millis(4_900)).await, 1);
    assert_eq!(asked_twice(Ok(verdict(false)), millis(5_100)).await, 2);
}

#[tokio::test]
async fn without_a_time_nothing_is_remembered() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let reviewer = move |_: AccessReview<'_>| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(verdict(true)))
    };
    let never = Config {
        allowed_ttl: Duration::ZERO,
        denied_ttl: Duration::ZERO,
        ..config()
    };
    let reviews = Reviews::new(&never, reviewer, Metrics::default());
    for _ in 0..3 {
        ask(&reviews, &jane(), &path("/a")).await.expect("answered");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn errors_are_not_remembered_and_allow_nothing() {
    assert_eq!(
        asked_twice(Err(ReviewError::TimedOut), Duration::ZERO).await,
        2
    );
    let (reviews, _) = reviews(Err(ReviewError::TimedOut));
    assert!(ask(&reviews, &jane(), &path("/a")).await.is_err());
    let both = Verdict {
        allowed: true,
        denied: true,
        reason: String::new(),
    };
    let (reviews, _) = self::reviews(Ok(both));
    let got = ask(&reviews, &jane(), &path("/a")).await;
    assert!(matches!(got, Err(ReviewError::Contradictory)), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_question_at_the_same_time_is_asked_once() {
    let (reviews, asked) = reviews(Ok(verdict(true)));
    let (user, attributes) = (jane(), path("/a"));
    let all = join_all((0..100).map(|_| ask(&reviews, &user, &attributes))).await;
    assert!(
        all.iter()
            .all(|answer| matches!(answer, Ok(Decision::Allow { .. })))
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn one_who_goes_away_leaves_the_answer_to_the_others() {
    let (reviews, asked) = reviews(Ok(verdict(true)));
    let (user, attributes) = (jane(), path("/a"));
    let impatient = async {
        let asked = ask(&reviews, &user, &attributes);
        let waited = tokio::time::timeout(Duration::from_millis(500), asked).await;
        assert!(waited.is_err());
    };
    let ((), answer) = tokio::join!(impatient, ask(&reviews, &user, &attributes));
    assert_eq!(answer.expect("answered"), Decision::allow());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn another_user_or_another_question_is_asked_anew() {
    let (reviews, asked) = reviews(Ok(verdict(true)));
    let other = User {
        groups: vec!["a".to_owned()],
        ..jane()
    };
    for (user, attributes) in [
        (&jane(), path("/a")),
        (&jane(), path("/b")),
        (&other, path("/a")),
        (&jane(), path("/a")),
    ] {
        ask(&reviews, user, &attributes).await.expect("answered");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn long_questions_are_asked_each_time() {
    let (reviews, asked) = reviews(Ok(verdict(true)));
    for _ in 0..2 {
        ask(&reviews, &jane(), &path(&"x".repeat(10_000)))
            .await
            .expect("answered");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_questions_are_asked_at_a_time() {
    let (reviews, _) = reviews(Ok(verdict(true)));
    let start = tokio::time::Instant::now();
    let paths: Vec<_> = (0..6).map(|n| path(&format!("/{n}"))).collect();
    let user = jane();
    join_all(
        paths
            .iter()
            .map(|attributes| ask(&reviews, &user, attributes)),
    )
    .await;
    assert_eq!(
        start.elapsed().as_secs(),
        3,
        "six questions, two at a time, a second each"
    );
}

async fn sent(user: &User, attributes: &Attributes, status: Value) -> (Value, Verdict) {
    let host = FakeHost::new();
    host.review_access(move |_| status.clone());
    let reviewer = KubeAccessReview::new(host.client(), Metrics::default());
    let verdict = reviewer
        .review_access(AccessReview { user, attributes })
        .await;
    let body: Value = serde_json::from_str(&host.calls()[0].body).expect("JSON");
    (body["spec"].clone(), verdict.expect("answered"))
}

#[tokio::test]
async fn a_host_is_sent_all_that_is_known() {
    let user = User {
        name: "jane".to_owned(),
        uid: "1".to_owned(),
        groups: vec!["b".to_owned(), "a".to_owned()],
        extra: vec![("k".to_owned(), vec!["v".to_owned()])],
    };
    let attributes = Attributes {
        verb: Verb::of("get"),
        resource: Some(Resource {
            group: "cluster.karmada.io".to_owned(),
            version: "v1alpha1".to_owned(),
            namespace: String::new(),
            resource: "clusters".to_owned(),
            subresource: "proxy".to_owned(),
            name: "*".to_owned(),
        }),
        ..path("/p")
    };
    let status = json!({ "allowed": false, "denied": true, "reason": "because" });
    let (spec, verdict) = sent(&user, &attributes, status).await;
    let want = json!({
        "user": "jane", "uid": "1", "groups": ["b", "a"], "extra": { "k": ["v"] },
        "resourceAttributes": {
            "group": "cluster.karmada.io", "version": "v1alpha1", "resource": "clusters",
            "subresource": "proxy", "name": "*", "verb": "get",
        },
    });
    assert_eq!(spec, want);
    let reason = "because".to_owned();
    assert_eq!(
        verdict,
        Verdict {
            allowed: false,
            denied: true,
            reason
        }
    );
}

#[tokio::test]
async fn a_host_is_told_what_is_selected() {
    let requirement = |key: &str, operator, values: &[&str]| SelectorRequirement {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    let attributes = Attributes {
        verb: Verb::of("list"),
        resource: Some(Resource {
            resource: "clusters".to_owned(),
            ..Resource::default()
        }),
        selectors: Selectors {
            fields: vec![requirement(
                "metadata.name",
                SelectorOperator::NotIn,
                &["a"],
            )],
            labels: vec![
                requirement("k", SelectorOperator::In, &["a", "b"]),
                requirement("l", SelectorOperator::Exists, &[]),
            ],
        },
        ..path("/p")
    };
    let (spec, _) = sent(&jane(), &attributes, json!({ "allowed": true })).await;
    let want = json!({
        "resource": "clusters", "verb": "list",
        "fieldSelector": { "requirements": [
            { "key": "metadata.name", "operator": "NotIn", "values": ["a"] },
        ] },
        "labelSelector": { "requirements": [
            { "key": "k", "operator": "In", "values": ["a", "b"] },
            { "key": "l", "operator": "Exists" },
        ] },
    });
    assert_eq!(spec["resourceAttributes"], want);
}

#[tokio::test]
async fn a_path_is_asked_about_as_a_path() {
    let (spec, verdict) = sent(&jane(), &path("/metrics"), json!({ "allowed": true })).await;
    let want = json!({ "path": "/metrics", "verb": "get" });
    assert_eq!(
        spec,
        json!({ "user": "jane", "nonResourceAttributes": want })
    );
    assert!(verdict.allowed && !verdict.denied);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_asked_again_and_one_that_forbids_is_not() {
    let attempts = async |code| {
        let host = FakeHost::new();
        host.fail_with(Some(code));
        let reviewer = KubeAccessReview::new(host.client(), Metrics::default());
        let (user, attributes) = (jane(), path("/a"));
        let review = AccessReview {
            user: &user,
            attributes: &attributes,
        };
        assert!(reviewer.review_access(review).await.is_err());
        host.count("create", "subjectaccessreviews")
    };
    assert_eq!(attempts(503).await, 4);
    assert_eq!(attempts(429).await, 4);
    assert_eq!(attempts(403).await, 1);
}

#[tokio::test]
async fn what_is_known_needs_no_room_for_asking() {
    let long = |_: AccessReview<'_>| async {
        let way = [0_u8; 16 << 10];
        tokio::task::yield_now().await;
        std::hint::black_box(way);
        Ok(verdict(true))
    };
    let reviews = Reviews::new(&config(), long, Metrics::default());
    let (user, attributes) = (jane(), path("/"));
    let review = ask(&reviews, &user, &attributes);
    assert!(size_of_val(&review) < 2 << 10, "{}", size_of_val(&review));
    assert_eq!(review.await.expect("a review"), Decision::allow());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_holds_nobody_in_turn() {
    let silent = |_: AccessReview<'_>| std::future::pending::<Result<Verdict, ReviewError>>();
    let reviews = Reviews::new(&config(), silent, Metrics::default());
    let (user, paths) = (jane(), ["/1", "/2", "/3"].map(path));
    let asked = paths.iter().map(|path| {
        let asked = ask(&reviews, &user, path);
        tokio::time::timeout(TURN_TIMEOUT * 2, asked)
    });
    let answers = join_all(asked).await;
    assert!(matches!(answers[2], Ok(Err(ReviewError::TimedOut))));
}
