//! Tests of the order of things.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fleetgate_model::{Attributes, Authorize, Decision, MASTERS, Resource, User, Verb};

use super::{Authorizer, Config};
use crate::{AccessReview, AlwaysAllowedPaths, Metrics, ReviewError, Verdict};

/// What an authorizer whose host answers `answer` says, and how often the host was asked.
async fn authorize(
    answer: Result<Verdict, ReviewError>,
    user: &User,
    attributes: &Attributes,
) -> (Option<Decision>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let reviewer = move |_: AccessReview<'_>| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::future::ready(answer.clone())
    };
    let config = Config {
        allowed_ttl: Duration::from_secs(10),
        denied_ttl: Duration::from_secs(10),
        always_allowed_paths: AlwaysAllowedPaths::parse(&["/healthz"]).expect("valid"),
        max_reviews_at_a_time: 8,
    };
    let authorizer = Authorizer::new(config, reviewer, Metrics::default());
    let decision = authorizer.authorize(user, attributes).await.ok();
    (decision, asked.load(Ordering::SeqCst))
}

fn user(groups: &[&str]) -> User {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    User {
        name: "jane".to_owned(),
        groups,
        ..User::default()
    }
}

fn path(path: &str) -> Attributes {
    Attributes {
        verb: Verb::of("get"),
        path: path.to_owned(),
        ..Attributes::default()
    }
}

fn unavailable() -> Result<Verdict, ReviewError> {
    Err(ReviewError::TimedOut)
}

#[tokio::test]
async fn masters_may_do_everything_without_being_asked_about() {
    let (decision, asked) = authorize(unavailable(), &user(&["a", MASTERS]), &path("/x")).await;
    assert_eq!((decision, asked), (Some(Decision::allow()), 0));
    let (decision, asked) = authorize(unavailable(), &user(&["masters"]), &path("/x")).await;
    assert_eq!((decision, asked), (None, 1));
}

#[tokio::test]
async fn an_open_path_is_open_to_everybody_but_never_a_resource() {
    let (decision, asked) = authorize(unavailable(), &User::anonymous(), &path("/healthz")).await;
    assert_eq!((decision, asked), (Some(Decision::allow()), 0));
    let resource = Some(Resource::default());
    let disguised = Attributes {
        resource,
        ..path("/healthz")
    };
    let (decision, asked) = authorize(unavailable(), &User::anonymous(), &disguised).await;
    assert_eq!((decision, asked), (None, 1));
}

#[tokio::test]
async fn the_host_decides_about_the_rest() {
    let allow = Verdict {
        allowed: true,
        ..Verdict::default()
    };
    let (decision, _) = authorize(Ok(allow), &user(&[]), &path("/x")).await;
    assert_eq!(decision, Some(Decision::allow()));

    let reason = "not you".to_owned();
    let no_opinion = Verdict {
        reason: reason.clone(),
        ..Verdict::default()
    };
    let (decision, _) = authorize(Ok(no_opinion), &user(&[]), &path("/x")).await;
    assert_eq!(decision, Some(Decision::Deny { reason }));

    let deny = Verdict {
        denied: true,
        ..Verdict::default()
    };
    let (decision, _) = authorize(Ok(deny), &user(&[]), &path("/x")).await;
    assert_eq!(
        decision,
        Some(Decision::Deny {
            reason: String::new()
        })
    );
}

#[tokio::test]
async fn without_an_answer_nothing_is_allowed() {
    let (decision, asked) = authorize(unavailable(), &user(&[]), &path("/x")).await;
    assert_eq!((decision, asked), (None, 1));
}
