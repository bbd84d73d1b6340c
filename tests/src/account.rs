//! What became of every request: it was answered in whole; or a fault that was made on purpose
//! explains what came instead; or nothing does.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Error;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::http::Reply;

/// How long after a fault is over it may still show: caches of the member fill, and requests that
/// were sent to it come to their time limit.
const AFTERMATH: Duration = Duration::from_secs(8);
/// Streams may end in order so long after they began: see docs/steadiness.md.
const GRACE: Duration = Duration::from_mins(10);
/// So many unexplained responses are told in full.
const TOLD: usize = 20;

/// The account of a run.
#[derive(Debug)]
pub struct Account {
    counts: Mutex<BTreeMap<(&'static str, String), usize>>,
    unexplained: Mutex<Vec<String>>,
    /// Nothing while there is a fault, and since when there is none.
    peace: Mutex<Option<Instant>>,
}

/// What came in answer to one request.
#[derive(Debug)]
pub enum Came {
    /// All that was asked for.
    Whole,
    /// Another answer, in whole.
    Other(Reply),
    /// A beginning, and then a reset or the end of the connection.
    BrokenOff(Error),
    /// A stream came to its end as if there were no more.
    Ended,
    /// No answer, or less than it says it is.
    Wrong(Error),
}

// === impl Account ===

impl Account {
    /// The account of a run in peace.
    #[expect(clippy::new_without_default, reason = "now is no default")]
    pub fn new() -> Self {
        Self {
            counts: Mutex::default(),
            unexplained: Mutex::default(),
            peace: Mutex::new(Instant::now().checked_sub(AFTERMATH)),
        }
    }

    /// A fault begins.
    pub fn fault_begins(&self) {
        *self.peace.lock() = None;
    }

    /// It is over.
    pub fn fault_is_over(&self) {
        *self.peace.lock() = Some(Instant::now());
    }

    /// Enters what came to a request of the kind `what` that was sent at `since`.
    pub fn enter(&self, what: &'static str, since: Instant, came: Came) {
        let (kind, explained) = match &came {
            Came::Whole => ("whole".to_owned(), true),
            Came::Other(reply) => self.status(reply),
            Came::BrokenOff(_) => ("reset".to_owned(), self.is_troubled()),
            Came::Ended => {
                let is_over = since.elapsed() >= GRACE;
                ("ended in order".to_owned(), is_over)
            }
            Came::Wrong(_) => ("neither".to_owned(), false),
        };
        *self.counts.lock().entry((what, kind)).or_default() += 1;
        if !explained {
            let after = since.elapsed();
            let line = format!("{what}, {after:?} after it was sent: {came:?}");
            self.unexplained.lock().push(line);
        }
    }

    /// A `Status` is the server's own, which names cluster and hop, or the member's.
    fn status(&self, reply: &Reply) -> (String, bool) {
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let message = body["message"].as_str().unwrap_or_default();
        let is_status = body["kind"] == "Status" && body["code"] == reply.status.as_u16();
        let code = reply.status.as_u16();
        let kind = match (is_status, message.starts_with("cluster ")) {
            (false, _) => format!("{code}, no Status"),
            (true, true) => format!("{code}: {message}"),
            (true, false) => format!("{code} of the member"),
        };
        (kind, is_status && self.is_troubled())
    }

    /// Whether a fault is under way, or just over.
    fn is_troubled(&self) -> bool {
        let peace = *self.peace.lock();
        peace.is_none_or(|since| since.elapsed() < AFTERMATH)
    }

    /// How often something came to a request of the kind `what` whose kind begins with `kind`.
    pub fn count(&self, what: &str, kind: &str) -> usize {
        let counts = self.counts.lock();
        let such = counts
            .iter()
            .filter(|((w, k), _)| *w == what && k.starts_with(kind));
        such.map(|(_, count)| count).sum()
    }

    /// What was entered, as lines.
    pub fn lines(&self) -> Vec<String> {
        let counts = self.counts.lock();
        let counts = counts.iter();
        counts
            .map(|((what, kind), count)| format!("{count:>8}  {what}: {kind}"))
            .collect()
    }

    /// What nothing explains: how often, and the first of it.
    pub fn unexplained(&self) -> (usize, Vec<String>) {
        let unexplained = self.unexplained.lock();
        let first = unexplained.iter().take(TOLD);
        (unexplained.len(), first.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use tokio::time::{Instant, advance};

    use super::{AFTERMATH, Account, Came, GRACE};
    use crate::http::Reply;

    fn status() -> Came {
        let body = r#"{"kind":"Status","code":503,"message":"cluster soak: connect: refused"}"#;
        Came::Other(Reply {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        })
    }

    fn reset() -> Came {
        Came::BrokenOff(anyhow::anyhow!("reset"))
    }

    #[track_caller]
    fn check(account: &Account, since: Instant, came: Came, explained: bool) {
        let (before, _) = account.unexplained();
        account.enter("a request", since, came);
        assert_eq!(account.unexplained().0 == before, explained);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_fault_explains_what_is_not_whole_and_nothing_what_only_looks_so() {
        advance(AFTERMATH).await;
        let (account, first) = (Account::new(), Instant::now());
        check(&account, first, Came::Whole, true);
        check(&account, first, status(), false);
        check(&account, first, reset(), false);
        check(&account, first, Came::Ended, false);
        account.fault_begins();
        check(&account, first, status(), true);
        check(&account, first, reset(), true);
        check(&account, first, Came::Ended, false);
        check(&account, first, Came::Wrong(anyhow::anyhow!("half")), false);
        account.fault_is_over();
        check(&account, first, reset(), true);
        advance(AFTERMATH).await;
        check(&account, first, reset(), false);
        check(&account, Instant::now(), status(), false);
        advance(GRACE).await;
        check(&account, first, Came::Ended, true);
    }
}
