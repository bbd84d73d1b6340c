//! Clients that call, without pause or at a pace, each on a connection that it keeps, and remember
//! what failed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Caller, Connection},
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
    since: Instant,
}

/// How often all clients together call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As often as they are answered.
    Restless,
    /// So often a second, if they are answered soon enough.
    PerSecond(u32),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Requests that were answered with 200.
    pub answered: usize,
    /// What others got instead.
    pub failures: Vec<String>,
    /// How long it lasted.
    pub took: Duration,
}

// === impl Load ===

impl Load {
    /// `clients` clients, which GET one of `paths` after the other without pause.
    pub fn start(caller: &Caller, clients: usize, paths: &[String]) -> Self {
        Self::paced(caller, clients, paths, Pace::Restless)
    }

    /// The same at a pace.
    pub fn paced(caller: &Caller, clients: usize, paths: &[String], pace: Pace) -> Self {
        let (stop, answered) = (CancellationToken::new(), Arc::default());
        let mut this = Self {
            clients: JoinSet::new(),
            stop,
            answered,
            since: Instant::now(),
        };
        for first in 0..clients {
            let number = u32::try_from(first).unwrap();
            let others = u32::try_from(clients).unwrap();
            let paths = paths.iter().cycle().skip(first % paths.len());
            let paths: Vec<String> = paths.take(clients).cloned().collect();
            let client = Client {
                caller: caller.clone(),
                paths,
                rest: match pace {
                    Pace::Restless => None,
                    // Not all at the same moment.
                    Pace::PerSecond(rate) => Some(Rest {
                        before: Duration::from_secs(1) * number / rate,
                        between: Duration::from_secs(1) * others / rate,
                    }),
                },
                stop: this.stop.clone(),
                answered: Arc::clone(&this.answered),
            };
            this.clients.spawn(client.run());
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
            took: self.since.elapsed(),
            answered: self.answered.load(Ordering::SeqCst),
            failures: failures.into_iter().flatten().collect(),
        }
    }
}

/// One of them.
struct Client {
    caller: Caller,
    paths: Vec<String>,
    rest: Option<Rest>,
    stop: CancellationToken,
    answered: Arc<AtomicUsize>,
}

/// When a client does not call.
struct Rest {
    before: Duration,
    between: Duration,
}

// === impl Client ===

impl Client {
    async fn run(self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut connection = None;
        let mut ticks = self.rest.as_ref().map(|rest| {
            let mut ticks = interval_at(Instant::now() + rest.before, rest.between);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        for path in self.paths.iter().cycle() {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            if self.stop.is_cancelled() || failures.len() == ENOUGH {
                break;
            }
            match self.call(&mut connection, path).await {
                Ok(()) => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                Err(failure) => failures.push(format!("{path}: {failure}")),
            }
        }
        failures
    }

    /// GET of `path`; the connection is kept if that is answered with 200.
    async fn call(&self, connection: &mut Option<Connection>, path: &str) -> Result<(), String> {
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => self.caller.connect().await,
        };
        let mut open = open.map_err(|error| format!("{error:#}"))?;
        let reply = open.get(path).await;
        let reply = reply.map_err(|error| format!("{error:#}"))?;
        if reply.status != 200 {
            return Err(reply.to_string());
        }
        *connection = Some(open);
        Ok(())
    }
}
