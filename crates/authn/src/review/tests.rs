//! Tests of what is remembered, with closures as hosts and paused time; and of what a host is sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{BearerToken, User};
use fleetgate_testkit::FakeHost;
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::{KubeTokenReview, MAX_REVIEWS, Review, ReviewError, ReviewToken, Reviews};
use crate::Metrics;

fn token(text: &str) -> BearerToken {
    BearerToken::new(text.to_owned())
}

fn jane() -> Review {
    Review::Known(User {
        name: "jane".to_owned(),
        ..User::default()
    })
}

/// Reviews by a host that answers `answer` after a second, and the count of its answers.
fn reviews(answer: Result<Review, ReviewError>) -> (Reviews<impl ReviewToken>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let reviewer = move |_: &BearerToken| {
        counter.fetch_add(1, Ordering::SeqCst);
        let answer = answer.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            answer
        }
    };
    (
        Reviews::new(reviewer, Duration::from_secs(10), Metrics::default()),
        asked,
    )
}

/// Asks twice, `pause` apart, and returns how often the host was asked.
async fn asked_twice(answer: Result<Review, ReviewError>, pause: Duration) -> usize {
    let (reviews, asked) = reviews(answer);
    drop(reviews.review(token("a")).await);
    tokio::time::sleep(pause).await;
    drop(reviews.review(token("a")).await);
    asked.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_known_token_is_remembered_for_its_time() {
    assert_eq!(
        asked_twice(Ok(jane()), Duration::from_millis(9_900)).await,
        1
    );
    assert_eq!(
        asked_twice(Ok(jane()), Duration::from_millis(10_100)).await,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_remembered_for_less() {
    assert_eq!(
        asked_twice(Ok(Review::Invalid), Duration::from_millis(1_900)).await,
        1
    );
    assert_eq!(
        asked_twice(Ok(Review::Invalid), Duration::from_millis(2_100)).await,
        2
    );
}

#[tokio::test]
async fn without_a_time_nothing_is_remembered() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let reviewer = move |_: &BearerToken| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(jane()))
    };
    let reviews = Reviews::new(reviewer, Duration::ZERO, Metrics::default());
    for _ in 0..3 {
        reviews.review(token("a")).await.expect("answered");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_not_remembered() {
    assert_eq!(
        asked_twice(Err(ReviewError::TimedOut), Duration::ZERO).await,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_requests_with_one_token_ask_once() {
    let (reviews, asked) = reviews(Ok(jane()));
    let all = join_all((0..100).map(|_| reviews.review(token("a")))).await;
    assert!(
        all.into_iter()
            .all(|answer| answer.is_ok_and(|review| review == jane()))
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_who_waited_and_asked_about_once() {
    let (reviews, asked) = reviews(Err(ReviewError::TimedOut));
    let all = join_all((0..100).map(|_| reviews.review(token("a")))).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn one_who_goes_away_leaves_the_answer_to_the_others() {
    let (reviews, asked) = reviews(Ok(jane()));
    let impatient = async {
        let waited = tokio::time::timeout(Duration::from_millis(500), reviews.review(token("a")));
        assert!(waited.await.is_err());
    };
    let ((), patient) = tokio::join!(impatient, reviews.review(token("a")));
    assert_eq!(patient.expect("answered"), jane());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn any_number_may_go_away_one_after_the_other() {
    let (reviews, asked) = reviews(Ok(jane()));
    let mut all: Vec<_> = (0..500)
        .map(|_| Box::pin(reviews.review(token("a"))))
        .collect();
    for waiting in &mut all {
        assert!(futures::poll!(waiting).is_pending());
    }
    while all.len() > 1 {
        drop(all.remove(0));
        for waiting in &mut all {
            assert!(futures::poll!(waiting).is_pending());
        }
    }
    let last = all.pop().expect("one is left").await;
    assert_eq!(last.expect("answered"), jane());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_tokens_are_asked_about_at_a_time() {
    let at_once = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&at_once);
    let reviewer = move |_: &BearerToken| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<Review, ReviewError>>()
    };
    let reviews = Reviews::new(reviewer, Duration::from_secs(10), Metrics::default());
    let invented = (0..1000).map(|n| reviews.review(token(&format!("t{n}"))));
    let mut invented: FuturesUnordered<_> = invented.collect();
    let turned_away = invented.by_ref().take(1000 - MAX_REVIEWS);
    let refusals: Vec<_> = turned_away.collect().await;
    let is_refusal = |review| matches!(review, &Err(ReviewError::TimedOut));
    assert!(refusals.iter().all(is_refusal), "{refusals:?}");
    assert_eq!(at_once.load(Ordering::SeqCst), MAX_REVIEWS);
}

#[tokio::test(start_paused = true)]
async fn another_token_is_asked_about_by_itself() {
    let (reviews, asked) = reviews(Ok(jane()));
    for text in ["a", "b", "a"] {
        reviews.review(token(text)).await.expect("answered");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

async fn reviewed(status: Value) -> (Value, Review) {
    let host = FakeHost::new();
    host.review_tokens(move |_| status.clone());
    let reviewer = KubeTokenReview::new(host.client(), Metrics::default());
    let review = reviewer
        .review_token(&token("s3cret"))
        .await
        .expect("answered");
    let body: Value = serde_json::from_str(&host.calls()[0].body).expect("JSON");
    (body["spec"].clone(), review)
}

#[tokio::test]
async fn a_host_names_the_user_with_all_that_belongs_to_it() {
    let (spec, review) = reviewed(json!({
        "authenticated": true,
        "user": {
            "username": "jane", "uid": "1", "groups": ["b", "a"],
            "extra": { "z": ["1"], "a": ["2", "3"] },
        },
    }))
    .await;
    assert_eq!(spec, json!({ "token": "s3cret" }));
    let list = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let want = User {
        name: "jane".to_owned(),
        uid: "1".to_owned(),
        groups: list(&["b", "a"]),
        extra: vec![
            ("a".to_owned(), list(&["2", "3"])),
            ("z".to_owned(), list(&["1"])),
        ],
    };
    assert_eq!(review, Review::Known(want));
}

#[tokio::test]
async fn only_a_host_that_says_so_with_a_name_authenticates() {
    let named = json!({ "username": "jane" });
    for status in [
        json!({ "authenticated": false, "user": named }),
        json!({ "user": named }),
        json!({ "authenticated": true, "user": { "username": "" } }),
        json!({ "authenticated": true }),
        json!({ "error": "invalid bearer token" }),
    ] {
        assert_eq!(reviewed(status).await.1, Review::Invalid);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_asked_again_and_one_that_forbids_is_not() {
    let attempts = async |code| {
        let host = FakeHost::new();
        host.fail_with(Some(code));
        let reviewer = KubeTokenReview::new(host.client(), Metrics::default());
        let error = reviewer
            .review_token(&token("s3cret"))
            .await
            .expect_err("no answer");
        assert!(!format!("{error:?}").contains("s3cret"));
        host.count("create", "tokenreviews")
    };
    assert_eq!(attempts(503).await, 4);
    assert_eq!(attempts(429).await, 4);
    assert_eq!(attempts(403).await, 1);
}

#[tokio::test]
async fn who_is_known_needs_no_room_for_asking() {
    let long = |_: &BearerToken| async {
        let way = [0_u8; 16 << 10];
        tokio::task::yield_now().await;
        std::hint::black_box(way);
        Ok(jane())
    };
    let reviews = Reviews::new(long, Duration::from_secs(10), Metrics::default());
    let review = reviews.review(token("a"));
    assert!(size_of_val(&review) < 2 << 10, "{}", size_of_val(&review));
    assert_eq!(review.await.expect("a review"), jane());
}
