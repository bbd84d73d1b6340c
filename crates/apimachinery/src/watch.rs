//! The events of a watch, as lines of JSON.

use serde::Serialize;

use crate::json;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// The object is there, or new, or begins to match.
    Added,
    /// No object: the resource version up to which everything was sent.
    Bookmark,
    /// The object is gone, or no longer matches.
    Deleted,
    /// The watch ends with a Status.
    Error,
    /// The object changed.
    Modified,
}

/// One event with its object.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Event<'o, T: ?Sized> {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The object, or the Status of an error.
    pub object: &'o T,
}

/// The annotation of the bookmark after which all that was there has been sent.
pub const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

// === impl Event ===

impl<T: Serialize + ?Sized> Event<'_, T> {
    /// The event as one line.
    ///
    /// # Errors
    /// If the object cannot be serialized.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Event, EventType};

    #[test]
    fn an_event_is_one_line() {
        let object = json!({"a": "b\nc"});
        let line = Event {
            kind: EventType::Added,
            object: &object,
        }
        .to_line()
        .unwrap();
        assert_eq!(line, b"{\"type\":\"ADDED\",\"object\":{\"a\":\"b\\nc\"}}\n");
    }
}
