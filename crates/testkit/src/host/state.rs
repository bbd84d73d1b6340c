//! The objects of the fake host, with their history.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Call;

/// Objects by resource, namespace and name; every change has a revision.
#[derive(Debug, Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    revision: u64,
    compacted: u64,
    /// Grows when watches are to end.
    epoch: u64,
    objects: BTreeMap<(String, String, String), Value>,
    history: Vec<Event>,
}

/// A change, as a watch tells it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) object: Value,
    revision: u64,
    resource: String,
}

/// Where a watch has come to.
#[derive(Debug)]
pub(super) struct Cursor {
    revision: u64,
    epoch: u64,
    changed: watch::Receiver<()>,
}

// === impl State ===

impl State {
    pub(super) fn put(&self, resource: &str, mut object: Value) {
        let mut inner = self.inner.lock();
        inner.revision += 1;
        let revision = inner.revision;
        let key = key(resource, &object);
        let old = inner.objects.get(&key);
        let uid = match old {
            Some(old) => old["metadata"]["uid"].clone(),
            None => json!(format!("00000000-0000-0000-0000-{revision:012}")),
        };
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        object["metadata"]["uid"] = uid;
        inner.objects.insert(key, object.clone());
        inner.history.push(Event {
            kind,
            object,
            revision,
            resource: resource.to_owned(),
        });
        self.changed.send_replace(());
    }

    pub(super) fn delete(&self, resource: &str, namespace: &str, name: &str) {
        let mut inner = self.inner.lock();
        inner.revision += 1;
        let revision = inner.revision;
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = inner.objects.remove(&key).unwrap();
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        let resource = resource.to_owned();
        inner.history.push(Event {
            kind: "DELETED",
            object,
            revision,
            resource,
        });
        self.changed.send_replace(());
    }

    pub(super) fn end_watches(&self) {
        self.inner.lock().epoch += 1;
        self.changed.send_replace(());
    }

    pub(super) fn compact(&self) {
        let mut inner = self.inner.lock();
        inner.revision += 1;
        inner.compacted = inner.revision;
        inner.history.clear();
    }

    /// The objects that `call` asks for, and the revision of that answer.
    pub(super) fn select(&self, call: &Call) -> (Vec<Value>, u64) {
        let inner = self.inner.lock();
        let of_resource = inner
            .objects
            .iter()
            .filter(|((kind, ..), _)| *kind == call.resource);
        let found = of_resource
            .map(|(_, object)| object)
            .filter(|object| matches(call, object));
        (found.cloned().collect(), inner.revision)
    }

    /// The start of a watch, or nothing if its revision is too old.
    pub(super) fn cursor(&self, call: &Call) -> Option<Cursor> {
        let inner = self.inner.lock();
        let asked = call.param("resourceVersion").and_then(|rv| rv.parse().ok());
        let revision = asked.filter(|rv| *rv != 0).unwrap_or(inner.revision);
        (revision >= inner.compacted).then(|| Cursor {
            revision,
            epoch: inner.epoch,
            changed: self.changed.subscribe(),
        })
    }

    /// The next event that `call` watches, once there is one; nothing when watches end.
    pub(super) async fn next(&self, call: &Call, cursor: &mut Cursor) -> Option<Event> {
        loop {
            {
                let inner = self.inner.lock();
                if inner.epoch != cursor.epoch {
                    return None;
                }
                let mut later = inner.history.iter().filter(|event| {
                    event.revision > cursor.revision
                        && event.resource == call.resource
                        && matches(call, &event.object)
                });
                if let Some(event) = later.next() {
                    cursor.revision = event.revision;
                    return Some(event.clone());
                }
            }
            cursor.changed.changed().await.ok()?;
        }
    }
}

fn key(resource: &str, object: &Value) -> (String, String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (resource.to_owned(), text("namespace"), text("name"))
}

/// Whether `object` is in the namespace, has the name and the labels that `call` asks for. Label
/// selectors are `key=value` and `key`, joined by commas.
fn matches(call: &Call, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let is = |field: &str, want: &str| want.is_empty() || metadata[field] == want;
    let label = |term: &str| match term.split_once('=') {
        Some((key, value)) => metadata["labels"][key] == value.trim_start_matches('='),
        None => metadata["labels"].get(term).is_some(),
    };
    is("namespace", &call.namespace)
        && is("name", &call.name)
        && is(
            "namespace",
            call.selected("metadata.namespace").unwrap_or(""),
        )
        && call
            .selected("type")
            .is_none_or(|want| object["type"] == want)
        && call
            .param("labelSelector")
            .is_none_or(|terms| terms.split(',').all(label))
}
