//! Clients that call without pause, each on a connection that it keeps, and remember what failed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Caller,
    wait::{SOON, check, until},
};

/// How many failures of one client are remembered; it stops then.
const ENOUGH: usize = 3;

/// Load on one server until it is told to end.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Vec<String>>,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Requests that were answered with 200.
    pub answered: usize,
    /// What others got instead.
    pub failures: Vec<String>,
}

// === impl Load ===

impl Load {
    /// `clients` clients, which GET one of `paths` after the other.
    pub fn start(caller: &Caller, clients: usize, paths: &[String]) -> Self {
        let (stop, answered) = (CancellationToken::new(), Arc::default());
        let mut this = Self {
            clients: JoinSet::new(),
            stop,
            answered,
        };
        for first in 0..clients {
            let paths = paths.iter().cycle().skip(first % paths.len());
            let paths: Vec<String> = paths.take(clients).cloned().collect();
            let (caller, stop, answered) = (
                caller.clone(),
                this.stop.clone(),
                Arc::clone(&this.answered),
            );
            this.clients.spawn(client(caller, paths, stop, answered));
        }
        this
    }

    /// How many requests were answered with 200 so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Waits until `more` further requests were answered.
    pub async fn go_on(&self, more: usize) {
        let enough = self.answered() + more;
        until("load goes on", SOON, async || {
            let answered = self.answered();
            check(answered >= enough, || format!("{answered} of {enough}"))
        })
        .await;
    }

    /// Lets requests under way finish, and sums up.
    pub async fn end(self) -> Outcome {
        self.stop.cancel();
        let failures = self.clients.join_all().await;
        Outcome {
            answered: self.answered.load(Ordering::SeqCst),
            failures: failures.into_iter().flatten().collect(),
        }
    }
}

async fn client(
    caller: Caller,
    paths: Vec<String>,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut connection = None;
    for path in paths.iter().cycle() {
        if stop.is_cancelled() || failures.len() == ENOUGH {
            break;
        }
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => caller.connect().await,
        };
        let answer = match open {
            Ok(mut open) => open.get(path).await.map(|reply| (open, reply)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((open, reply)) if reply.status == 200 => {
                answered.fetch_add(1, Ordering::SeqCst);
                connection = Some(open);
            }
            Ok((_, reply)) => failures.push(format!("{path}: {reply}")),
            Err(error) => failures.push(format!("{path}: {error:#}")),
        }
    }
    failures
}
