//! One who counts in an object through the server, and reads whether what was answered is so.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use bytes::Bytes;
use fleetgate_tests::{
    account::{Account, Came},
    connection::{Caller, Connection},
    http::Reply,
};
use http::{Method, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

/// Longer than any time limit of the server here.
const LIMIT: Duration = Duration::from_secs(40);
/// From one change to the next.
const EVERY: Duration = Duration::from_millis(500);

/// The only one who changes its object.
#[derive(Debug)]
pub(crate) struct Patcher {
    caller: Caller,
    path: String,
    kept: Option<Connection>,
    count: Count,
}

/// What the object may say.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// What it has said: it never says less.
    known: u64,
    /// What was sent last. If that was not answered, it may have been taken or not.
    sent: u64,
}

// === impl Patcher ===

impl Patcher {
    /// Of the object at `path`, whose count is 0.
    pub(crate) fn new(caller: Caller, path: String) -> Self {
        Self {
            caller,
            path,
            kept: None,
            count: Count::default(),
        }
    }

    /// Counts for ever, and enters each answer: to the change, and to the read that follows it.
    pub(crate) async fn run(mut self, account: &Account) {
        loop {
            let since = Instant::now();
            let came = self.ask(None).await;
            let (object, came) = judged(came, |object| self.count.read(object));
            account.enter("read after patch", since, came);
            // The rest is before the change, so that a fault mostly finds a change to be sent next.
            sleep(EVERY).await;
            if let Some(object) = object {
                let since = Instant::now();
                let patch = self.count.next(&object);
                let came = self.ask(Some(&patch)).await;
                let (_, came) = judged(came, |object| self.count.answered(object));
                account.enter("patch", since, came);
            }
        }
    }

    /// Reads the object, or patches it.
    async fn ask(&mut self, patch: Option<&Value>) -> Result<Value, Came> {
        let mut connection = match self.kept.take() {
            Some(connection) => connection,
            None => self.caller.connect().await.map_err(Came::Wrong)?,
        };
        let request = match patch {
            Some(_) => connection
                .request(Method::PATCH, &self.path)
                .header(header::CONTENT_TYPE, "application/merge-patch+json"),
            None => connection.request(Method::GET, &self.path),
        };
        let body = patch.map_or_else(Bytes::new, |patch| patch.to_string().into());
        let request = request.body(Full::new(body)).context("build a request");
        let answer = timeout(LIMIT, connection.start(request.map_err(Came::Wrong)?)).await;
        let answer = answer.map_err(|_| Came::Wrong(anyhow!("no answer")))?;
        let (head, body) = answer.map_err(Came::Wrong)?.into_parts();
        let body = timeout(LIMIT, body.collect()).await;
        let body = body.map_err(|_| Came::Wrong(anyhow!("no end of an answer")))?;
        let body = body.map_err(|error| Came::BrokenOff(error.into()))?;
        let reply = Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        };
        self.kept = Some(connection);
        if reply.status != 200 {
            return Err(Came::Other(reply));
        }
        let object = serde_json::from_slice(&reply.body).map_err(Error::from);
        object.map_err(|error| Came::Wrong(error.context("read the answer")))
    }
}

/// What came, and the object if `check` finds it to be what was asked for.
fn judged(
    came: Result<Value, Came>,
    check: impl FnOnce(&Value) -> Result<()>,
) -> (Option<Value>, Came) {
    match came {
        Ok(object) => match check(&object) {
            Ok(()) => (Some(object), Came::Whole),
            Err(error) => (None, Came::Wrong(error)),
        },
        Err(came) => (None, came),
    }
}

// === impl Count ===

impl Count {
    /// The change of `object` by one. It names the version: one that is late, or comes twice, is
    /// refused.
    fn next(&mut self, object: &Value) -> Value {
        self.sent += 1;
        let version = &object["metadata"]["resourceVersion"];
        json!({"metadata": {"resourceVersion": version}, "data": {"count": self.sent.to_string()}})
    }

    /// `object` is the answer to the last change.
    fn answered(&mut self, object: &Value) -> Result<()> {
        // From here on it says this.
        self.known = self.sent;
        self.read(object)
    }

    /// `object` was read.
    fn read(&mut self, object: &Value) -> Result<()> {
        let Self { known, sent } = *self;
        let text = object["data"]["count"].as_str();
        match text.and_then(|text| text.parse().ok()) {
            Some(count) if (known..=sent).contains(&count) => {
                self.known = count;
                Ok(())
            }
            Some(_) | None => bail!("it says {text:?}, not {known} to {sent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Count;

    fn object(count: u64) -> Value {
        json!({"metadata": {"resourceVersion": "7"}, "data": {"count": count.to_string()}})
    }

    #[test]
    fn what_was_answered_must_be_read_and_what_was_not_may_be() {
        let mut count = Count::default();
        assert!(count.read(&object(1)).is_err(), "never sent");
        let patch = count.next(&object(0));
        assert_eq!(patch, object(1));
        assert!(count.answered(&object(1)).is_ok());
        assert!(count.read(&object(0)).is_err(), "lost");
        assert!(count.read(&object(1)).is_ok());
        count.next(&object(1));
        assert!(count.read(&object(1)).is_ok(), "not taken");
        assert!(count.read(&object(2)).is_ok(), "taken");
        assert!(count.read(&object(1)).is_err(), "taken back");
        count.next(&object(2));
        assert!(count.answered(&object(2)).is_err(), "another's answer");
    }
}
