//! Many watches of one object, which tell what each of them has seen, and how it ended.

use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::connection::{Caller, chunk};

/// Watches that go on until this is dropped.
#[derive(Debug)]
pub struct Watching {
    seen: Vec<Arc<Mutex<Seen>>>,
    _watches: JoinSet<()>,
}

/// What one watch has told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.resourceVersion` of the object in the last event.
    pub version: String,
    /// How it ended, if it has: nothing where it ended in order, after a whole event.
    pub ended: Option<Result<(), String>>,
}

// === impl Watching ===

impl Watching {
    /// `number` watches at `path`, each on a connection of its own. Done when each of them has begun.
    ///
    /// # Errors
    /// If one of them is refused.
    pub async fn start(caller: &Caller, number: usize, path: &str) -> Result<Self> {
        let (mut seen, mut watches) = (Vec::new(), JoinSet::new());
        for _ in 0..number {
            let mut connection = caller.connect().await?;
            let mut body = connection.watch(path).await?;
            let told = Arc::<Mutex<Seen>>::default();
            seen.push(Arc::clone(&told));
            watches.spawn(async move {
                let mut line = Vec::new();
                let end = loop {
                    match chunk(&mut body).await {
                        Ok(Some(piece)) => line.extend_from_slice(&piece),
                        Ok(None) if line.is_empty() => break Ok(()),
                        Ok(None) => break Err("it ended within an event".to_owned()),
                        Err(error) => break Err(format!("{error:#}")),
                    }
                    if let Err(error) = tell(&mut line, &told) {
                        break Err(format!("{error:#}"));
                    }
                };
                told.lock().ended = Some(end);
                drop(connection);
            });
        }
        Ok(Self {
            seen,
            _watches: watches,
        })
    }

    /// What each of them has told.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.iter().map(|seen| seen.lock().clone()).collect()
    }
}

/// Takes the events that are whole from the front of `text`.
///
/// # Errors
/// If one is none.
pub fn events(text: &mut Vec<u8>) -> Result<Vec<Value>> {
    let mut events = Vec::new();
    while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
        let line: Vec<u8> = text.drain(..=end).collect();
        let event: Value = serde_json::from_slice(&line).context("read an event")?;
        event["type"].as_str().context("an event without a type")?;
        events.push(event);
    }
    Ok(events)
}

fn tell(text: &mut Vec<u8>, seen: &Mutex<Seen>) -> Result<()> {
    for event in events(text)? {
        let version = &event["object"]["metadata"]["resourceVersion"];
        let version = version.as_str().with_context(|| format!("in {event}"))?;
        version.clone_into(&mut seen.lock().version);
    }
    Ok(())
}
