//! Another kind: a type and a strategy are all it takes.

use std::sync::Arc;

use fleetgate_apimachinery::{
    definition::{Definition, Field, OBJECT_META, Type},
    field::{FieldError, Path},
    meta::{ObjectMeta, Time},
    options::{DeleteOptions, GetOptions, ListOptions},
};
use fleetgate_storage::{History, Store, Write, memory::MemoryStore};
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Change, Names, Object, Part, Registry, Stored, Strategy,
    cache::{Update, feed::Observe},
    testing::written_by,
};

/// A kind that exists nowhere else.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Widget {
    kind: String,
    api_version: String,
    metadata: ObjectMeta,
    color: String,
}

const WIDGETS: Names = Names {
    group: "test.example.com",
    api_version: "test.example.com/v1",
    kind: "Widget",
    list_kind: "WidgetList",
    resource: "widgets",
};

static WIDGET: Definition = Definition::object(
    "test.Widget",
    "",
    &[
        Field::optional("apiVersion", Type::String, ""),
        Field::optional("color", Type::String, ""),
        Field::optional("kind", Type::String, ""),
        Field::optional("metadata", Type::Named(&OBJECT_META), ""),
    ],
);

/// Widgets have a color, in lower case.
#[derive(Debug)]
struct WidgetStrategy;

impl Object for Widget {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn set_type(&mut self, kind: &str, api_version: &str) {
        kind.clone_into(&mut self.kind);
        api_version.clone_into(&mut self.api_version);
    }
}

impl Strategy for WidgetStrategy {
    type Object = Widget;

    fn names(&self) -> &'static Names {
        &WIDGETS
    }

    fn definition(&self) -> &'static Definition {
        &WIDGET
    }

    fn validate(&self, widget: &Widget) -> Vec<FieldError> {
        let missing = widget.color.is_empty();
        missing
            .then(|| FieldError::required(&Path::new("color"), ""))
            .into_iter()
            .collect()
    }

    fn validate_update(&self, widget: &Widget, _old: &Widget) -> Vec<FieldError> {
        self.validate(widget)
    }

    fn canonicalize(&self, widget: &mut Widget, _now: Time) {
        widget.color.make_ascii_lowercase();
    }
}

struct Nobody;

impl Observe<Widget> for Nobody {
    fn replaced(&self, _objects: &[Arc<Stored<Widget>>]) {}
    fn updated(&self, _updates: &[Update<Widget>]) {}
}

fn widget(name: &str, color: &str) -> Widget {
    let metadata = ObjectMeta {
        name: name.to_owned(),
        ..ObjectMeta::default()
    };
    Widget {
        metadata,
        color: color.to_owned(),
        ..Widget::default()
    }
}

/// Widgets in `store`, kept up as long as the runtime lives.
async fn widgets(store: &Arc<MemoryStore>) -> Registry<WidgetStrategy> {
    let shared: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let registry = Registry::new(WidgetStrategy, shared, "/registry");
    TaskTracker::new().spawn(registry.run(Arc::new(Nobody), CancellationToken::new()));
    registry.synced().await;
    registry
}

#[tokio::test]
async fn a_second_kind_is_served_by_the_same_machinery() {
    let store = Arc::new(MemoryStore::new(History::RECENT));
    let registry = widgets(&store).await;
    let mut events = registry
        .watch(&ListOptions::default())
        .await
        .expect("a watch")
        .boxed();
    let created = registry
        .create(widget("a", "Red"), &written_by("test"))
        .await
        .expect("valid");
    assert_eq!(created.object().color, "red");
    let change = Change::Replace(widget("a", ""));
    let refused = registry
        .update("a", Part::Main, change, &written_by("test"))
        .await;
    let message = refused.expect_err("no color").message;
    assert_eq!(
        message,
        "Widget.test.example.com \"a\" is invalid: color: Required value"
    );
    let list = registry
        .list(&ListOptions::default())
        .await
        .expect("a list");
    assert_eq!(list.items.len(), 1);
    registry
        .delete("a", &DeleteOptions::default())
        .await
        .expect("a deletion");
    let missing = registry
        .get("a", GetOptions::default())
        .await
        .expect_err("gone");
    assert_eq!(missing.message, "widgets.test.example.com \"a\" not found");
    for want in ["ADDED", "DELETED"] {
        assert_eq!(events.next().await.expect("an event").event_type(), want);
    }
    assert!(events.next().now_or_never().is_none());
}

#[tokio::test]
async fn a_change_that_comes_to_nothing_moves_no_times() {
    let store = Arc::new(MemoryStore::new(History::RECENT));
    let value = concat!(
        r#"{"kind":"Widget","apiVersion":"test.example.com/v1","metadata":{"name":"a","uid":"u","#,
        r#""managedFields":[{"manager":"test","operation":"Update","#,
        r#""apiVersion":"test.example.com/v1","time":"2020-01-01T00:00:00Z","#,
        r#""fieldsType":"FieldsV1","fieldsV1":{"f:color":{}}}]},"color":"red"}"#,
        "\n"
    );
    let key = "/registry/test.example.com/widgets/a".to_owned();
    store
        .write(Write::Create {
            key,
            value: value.into(),
        })
        .await
        .expect("a new key");
    let registry = widgets(&store).await;
    let before = registry
        .get("a", GetOptions::default())
        .await
        .expect("there")
        .revision();
    let update = |color: &str| {
        let change = Change::Replace(widget("a", color));
        let registry = &registry;
        async move {
            registry
                .update("a", Part::Main, change, &written_by("test"))
                .await
        }
    };
    let same = update("RED").await.expect("valid");
    assert_eq!(same.revision(), before);
    let changed = update("blue").await.expect("valid");
    assert!(changed.revision() > before);
    let time = changed.object().metadata.managed_fields[0]
        .time
        .expect("a time");
    assert!(time.timestamp().as_second() > 1_600_000_000);
}
