//! Lists.

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    options::{DeleteOptions, ListOptions, ResourceVersion, ResourceVersionMatch},
    selector::{FieldSelector, LabelSelector},
};
use serde_json::Value;

use crate::{
    List,
    testing::{Fixture, assert_golden, cluster, golden},
};

fn names(list: &List<Cluster>) -> Vec<&str> {
    list.items.iter().map(|object| object.name()).collect()
}

fn at(revision: i64) -> ResourceVersion {
    ResourceVersion::At(u64::try_from(revision).expect("positive"))
}

fn selecting(labels: &str) -> ListOptions {
    let label_selector = LabelSelector::parse(labels).expect("a selector");
    ListOptions {
        label_selector,
        ..ListOptions::default()
    }
}

async fn list(fixture: &Fixture, options: &ListOptions) -> List<Cluster> {
    fixture.registry().list(options).await.expect("a list")
}

/// Three clusters with a label, and one without between them.
async fn pages() -> Fixture {
    let fixture = Fixture::new().await;
    for name in ["l-page-0", "l-page-1", "l-page-2"] {
        let mut object = cluster(name);
        object
            .metadata
            .labels
            .insert("pages".to_owned(), "1".to_owned());
        fixture.create_with(object).await;
    }
    fixture.create("l-page-00").await;
    fixture
}

#[tokio::test]
async fn selectors_select() {
    let fixture = pages().await;
    let found = list(&fixture, &selecting("pages=1")).await;
    assert_eq!(names(&found), ["l-page-0", "l-page-1", "l-page-2"]);
    assert_eq!(
        names(&list(&fixture, &selecting("!pages")).await),
        ["l-page-00"]
    );
    let field = |text: &str| ListOptions {
        field_selector: FieldSelector::parse(text).expect("a selector"),
        ..ListOptions::default()
    };
    assert_eq!(
        names(&list(&fixture, &field("metadata.name=l-page-1")).await),
        ["l-page-1"]
    );
    let refused = fixture.registry().list(&field("spec.syncMode=Push")).await;
    assert_golden(&refused.expect_err("an unknown field"), "select", 4);
}

/// The list as it would be answered, with what varies masked.
fn answer(list: &List<Cluster>) -> Value {
    let mut metadata = serde_json::to_value(&list.metadata).expect("metadata");
    for (key, mask) in [("resourceVersion", "RV"), ("continue", "CONTINUE")] {
        if let Some(value) = metadata.get_mut(key) {
            *value = mask.into();
        }
    }
    let items = list.items.iter().map(|object| {
        let text = [b"{", &object.item_json_after_brace()[..]].concat();
        let mut item: Value = serde_json::from_slice(&text).expect("an item is JSON");
        for (key, mask) in [
            ("creationTimestamp", "TIME"),
            ("managedFields", "FIELDS"),
            ("resourceVersion", "RV"),
            ("uid", "UID"),
        ] {
            item["metadata"][key] = mask.into();
        }
        item
    });
    serde_json::json!({
        "kind": "ClusterList",
        "apiVersion": "cluster.karmada.io/v1alpha1",
        "metadata": metadata,
        "items": items.collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn pages_are_as_recorded() {
    let fixture = pages().await;
    let first = ListOptions {
        limit: 2,
        ..selecting("pages=1")
    };
    let page = list(&fixture, &first).await;
    assert_eq!(answer(&page), golden("list/l-pages", 3));
    let token = page.metadata.continue_token;
    let rest = list(
        &fixture,
        &ListOptions {
            continue_token: token,
            ..first
        },
    )
    .await;
    assert_eq!(
        (names(&rest), rest.metadata.continue_token.as_str()),
        (vec!["l-page-2"], "")
    );
    let any = ListOptions {
        limit: 1,
        resource_version: ResourceVersion::Any,
        ..selecting("pages=1")
    };
    assert_eq!(
        answer(&list(&fixture, &any).await),
        golden("list/l-pages", 4)
    );
    fixture
        .registry()
        .delete_collection(&DeleteOptions::default(), &selecting("pages=1"))
        .await
        .expect("a list");
    assert_eq!(
        answer(&list(&fixture, &selecting("pages=1")).await),
        golden("list/l-pages", 6)
    );
}

#[tokio::test]
async fn pages_are_of_one_state() {
    let fixture = pages().await;
    let mut options = ListOptions {
        limit: 3,
        ..ListOptions::default()
    };
    let page = list(&fixture, &options).await;
    assert_eq!(names(&page), ["l-page-0", "l-page-00", "l-page-1"]);
    assert_eq!(page.metadata.remaining_item_count, Some(1));
    fixture.create("z").await;
    let gone = fixture
        .registry()
        .delete("l-page-2", &DeleteOptions::default())
        .await;
    gone.expect("a deletion");
    options.continue_token = page.metadata.continue_token;
    let rest = list(&fixture, &options).await;
    assert_eq!(names(&rest), ["l-page-2"]);
    assert_eq!(
        rest.metadata.resource_version,
        page.metadata.resource_version
    );
    assert_eq!(rest.metadata.remaining_item_count, None);
}

/// The names on each page from `options` on, and how many objects the page says are left.
async fn walk(fixture: &Fixture, mut options: ListOptions) -> Vec<(String, Option<i64>)> {
    let mut pages = Vec::new();
    loop {
        let page = list(fixture, &options).await;
        pages.push((names(&page).join(" "), page.metadata.remaining_item_count));
        if page.metadata.continue_token.is_empty() {
            return pages;
        }
        options.resource_version = ResourceVersion::Unset;
        options.continue_token = page.metadata.continue_token;
    }
}

#[tokio::test]
async fn pages_are_the_same_whether_they_begin_in_memory_or_in_the_store() {
    let fixture = pages().await;
    let now = list(&fixture, &ListOptions::default()).await;
    let now = now.metadata.resource_version.parse().expect("a number");
    for resource_version in [ResourceVersion::Unset, at(now)] {
        let check = async |limit, labels, want: &[(&str, Option<i64>)]| {
            let options = ListOptions {
                limit,
                resource_version,
                ..selecting(labels)
            };
            let want: Vec<_> = want
                .iter()
                .map(|(n, left)| (n.to_string(), *left))
                .collect();
            assert_eq!(walk(&fixture, options).await, want, "{resource_version:?}");
        };
        let three = ("l-page-0 l-page-00 l-page-1", Some(1));
        check(3, "", &[three, ("l-page-2", None)]).await;
        // A page that holds all leads nowhere.
        check(4, "", &[("l-page-0 l-page-00 l-page-1 l-page-2", None)]).await;
        let each = ["l-page-0", "l-page-1", "l-page-2"].map(|name| (name, None));
        check(1, "pages=1", &each).await;
    }
}

#[tokio::test]
async fn pages_from_memory_go_on_in_the_store() {
    let fixture = pages().await;
    let now = list(&fixture, &ListOptions::default())
        .await
        .metadata
        .resource_version;
    let now: i64 = now.parse().expect("a number");
    let mut options = ListOptions {
        limit: 2,
        resource_version: at(now),
        resource_version_match: Some(ResourceVersionMatch::NotOlderThan),
        ..ListOptions::default()
    };
    let page = list(&fixture, &options).await;
    assert_eq!(names(&page), ["l-page-0", "l-page-00"]);
    assert_eq!(page.metadata.remaining_item_count, Some(2));
    options.continue_token = page.metadata.continue_token;
    let refused = fixture
        .registry()
        .list(&options)
        .await
        .expect_err("both are named");
    assert_eq!(
        refused.message,
        "specifying resource version is not allowed when using continue"
    );
    options.resource_version = ResourceVersion::Unset;
    options.resource_version_match = None;
    assert_eq!(
        names(&list(&fixture, &options).await),
        ["l-page-1", "l-page-2"]
    );
}

#[tokio::test]
async fn a_list_is_of_the_state_that_is_asked_for() {
    let fixture = Fixture::new().await;
    let first = fixture.create("a").await.revision();
    let second = fixture.create("b").await.revision();
    let asking = |revision, exactly| ListOptions {
        resource_version: at(revision),
        resource_version_match: exactly,
        ..ListOptions::default()
    };
    let exact = list(&fixture, &asking(first, Some(ResourceVersionMatch::Exact))).await;
    assert_eq!(
        (names(&exact), exact.metadata.resource_version.clone()),
        (vec!["a"], first.to_string())
    );
    let legacy = ListOptions {
        limit: 5,
        ..asking(first, None)
    };
    assert_eq!(names(&list(&fixture, &legacy).await), ["a"]);
    for at_least in [Some(ResourceVersionMatch::NotOlderThan), None] {
        let found = list(&fixture, &asking(first, at_least)).await;
        assert_eq!(found.metadata.resource_version, second.to_string());
        let early = fixture.registry().list(&asking(second + 1, at_least)).await;
        assert_eq!(early.expect_err("yet to come").code, 504);
    }
    let early = asking(second + 1, Some(ResourceVersionMatch::Exact));
    let message = fixture
        .registry()
        .list(&early)
        .await
        .expect_err("yet to come")
        .message;
    let want = format!(
        "Too large resource version: {}, current: {second}",
        second + 1
    );
    assert_eq!(message, format!("Timeout: {want}"));
}

#[tokio::test]
async fn a_page_of_a_state_that_is_gone_leads_on_in_what_is_there() {
    let fixture = pages().await;
    let mut options = ListOptions {
        limit: 2,
        ..ListOptions::default()
    };
    let page = list(&fixture, &options).await;
    let newer = fixture.create("z").await.revision();
    fixture.store.forget_before(newer);
    options.continue_token = page.metadata.continue_token;
    let gone = fixture.registry().list(&options).await;
    let gone = gone.expect_err("no longer kept");
    assert_eq!((gone.code, &*gone.reason), (410, "Expired"));
    assert!(gone.message.contains("results in an inconsistent list"));
    options.continue_token = gone.continue_token;
    options.limit = 2;
    let rest = list(&fixture, &options).await;
    assert_eq!(names(&rest), ["l-page-1", "l-page-2"]);
    assert_eq!(rest.metadata.resource_version, newer.to_string());
    // From here on it is of one state again.
    fixture.create("zz").await;
    options.continue_token = rest.metadata.continue_token;
    assert_eq!(names(&list(&fixture, &options).await), ["z"]);
    let exact = ListOptions {
        resource_version: at(newer - 1),
        resource_version_match: Some(ResourceVersionMatch::Exact),
        ..ListOptions::default()
    };
    let gone = fixture.registry().list(&exact).await;
    let gone = gone.expect_err("no longer kept");
    assert_eq!(gone.continue_token, "");
    assert_eq!(
        gone.message,
        "The resourceVersion for the provided list is too old."
    );
}

#[tokio::test]
async fn a_page_ends_where_its_last_object_was_found() {
    let fixture = pages().await;
    let options = |selector: &str| ListOptions {
        limit: 1,
        ..selecting(selector)
    };
    // What is behind it may match or not: nobody has looked.
    let page = list(&fixture, &options("pages=1")).await;
    assert_eq!(names(&page), ["l-page-0"]);
    assert_ne!(page.metadata.continue_token, "");
    assert_eq!(page.metadata.remaining_item_count, None);
    let page = list(&fixture, &options("pages!=1")).await;
    assert_eq!(names(&page), ["l-page-00"]);
    assert_ne!(page.metadata.continue_token, "");
}

#[tokio::test]
async fn one_name_has_no_pages() {
    let fixture = pages().await;
    let before = list(&fixture, &ListOptions::default()).await;
    let before: i64 = before.metadata.resource_version.parse().expect("a number");
    let deleted = fixture
        .registry()
        .delete("l-page-0", &DeleteOptions::default())
        .await;
    deleted.expect("a deletion");
    let named = |name: &str| ListOptions {
        limit: 1,
        field_selector: FieldSelector::one("metadata.name", name),
        ..ListOptions::default()
    };
    let check = async |options: ListOptions, want: &[&str]| {
        let page = list(&fixture, &options).await;
        assert_eq!(names(&page), want, "{options:?}");
        assert_eq!(page.metadata.continue_token, "");
    };
    check(named("l-page-1"), &["l-page-1"]).await;
    check(named("l-page-0"), &[]).await;
    check(named("no/name"), &[]).await;
    for version in [ResourceVersion::Any, at(before + 1)] {
        let options = ListOptions {
            resource_version: version,
            resource_version_match: Some(ResourceVersionMatch::NotOlderThan),
            ..named("l-page-1")
        };
        check(options, &["l-page-1"]).await;
    }
    let earlier = ListOptions {
        resource_version: at(before),
        resource_version_match: Some(ResourceVersionMatch::Exact),
        ..named("l-page-0")
    };
    check(earlier, &["l-page-0"]).await;
    let other = ListOptions {
        label_selector: LabelSelector::parse("pages=2").expect("a selector"),
        ..named("l-page-1")
    };
    check(other, &[]).await;
}
