//! Those who use a cluster: each asks, looks whether what came is whole, enters that into an account,
//! and asks again.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Error, anyhow};
use http::Method;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    account::{Account, Came},
    connection::{Caller, Connection, chunk},
    exec::{self, Session},
    http::Reply,
    watching::events,
};

/// Longer than any time limit of the server here.
const LIMIT: Duration = Duration::from_secs(40);
/// Before a watch that ended is begun again.
const PAUSE: Duration = Duration::from_millis(500);
/// What commands in the pod say.
pub const WORD: &str = "soaked-through";

/// The users, until they are told to leave.
#[derive(Debug)]
pub struct Users {
    account: Arc<Account>,
    users: JoinSet<()>,
    leave: CancellationToken,
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How it is called in the account.
    pub what: &'static str,
    /// As whom, and where.
    pub caller: Caller,
    /// Path and query.
    pub path: String,
    /// From one request to the next.
    pub every: Duration,
    /// What the answer must be, if it is 200.
    pub is_whole: fn(&Value) -> bool,
}

// === impl Users ===

impl Users {
    /// Nobody yet.
    pub fn new(account: &Arc<Account>) -> Self {
        Self {
            account: Arc::clone(account),
            users: JoinSet::new(),
            leave: CancellationToken::new(),
        }
    }

    /// One who asks over and over.
    pub fn ask(&mut self, asked: Asked) {
        let account = Arc::clone(&self.account);
        self.come(async move {
            let mut connection = None;
            loop {
                let since = Instant::now();
                let came = get(&asked, &mut connection).await;
                account.enter(asked.what, since, came);
                sleep(asked.every.saturating_sub(since.elapsed())).await;
            }
        });
    }

    /// One who watches, again whenever the watch ends.
    pub fn watch(&mut self, caller: Caller, path: String) {
        let account = Arc::clone(&self.account);
        self.come(async move {
            loop {
                let since = Instant::now();
                let came = watch(&caller, &path, || {
                    account.enter("event", since, Came::Whole);
                });
                let came = came.await;
                account.enter("watch", since, came);
                sleep(PAUSE).await;
            }
        });
    }

    /// One who runs commands in a pod, which print [`WORD`].
    pub fn exec(&mut self, caller: Caller, path: String, every: Duration) {
        let account = Arc::clone(&self.account);
        self.come(async move {
            loop {
                let since = Instant::now();
                let came = timeout(LIMIT, run(&caller, &path)).await;
                let came = came.unwrap_or_else(|_| Came::Wrong(anyhow!("no end of a command")));
                account.enter("exec", since, came);
                sleep(every.saturating_sub(since.elapsed())).await;
            }
        });
    }

    fn come(&mut self, user: impl Future<Output = ()> + Send + 'static) {
        let leave = self.leave.clone();
        self.users.spawn(async move {
            leave.run_until_cancelled(user).await;
        });
    }

    /// All leave, wherever they are.
    pub async fn leave(self) {
        self.leave.cancel();
        self.users.join_all().await;
    }
}

async fn get(asked: &Asked, kept: &mut Option<Connection>) -> Came {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => match asked.caller.connect().await {
            Ok(connection) => connection,
            Err(error) => return Came::Wrong(error),
        },
    };
    let request = connection.request(Method::GET, &asked.path);
    let answer = match request.body(Full::default()) {
        Ok(request) => timeout(LIMIT, connection.start(request)).await,
        Err(error) => return Came::Wrong(error.into()),
    };
    let (head, body) = match answer {
        Ok(Ok(answer)) => answer.into_parts(),
        Ok(Err(error)) => return Came::Wrong(error),
        Err(_) => return Came::Wrong(anyhow!("no answer")),
    };
    let body = match timeout(LIMIT, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Came::BrokenOff(error.into()),
        Err(_) => return Came::Wrong(anyhow!("no end of an answer")),
    };
    *kept = Some(connection);
    if head.status != 200 {
        return Came::Other(Reply {
            status: head.status,
            headers: head.headers,
            body,
        });
    }
    match serde_json::from_slice(&body) {
        Ok(value) if (asked.is_whole)(&value) => Came::Whole,
        Ok(value) => Came::Wrong(anyhow!("less than was asked for: {}", value["kind"])),
        Err(error) => Came::Wrong(Error::from(error).context("read the answer")),
    }
}

/// Watches until the end; `told` is called for each event.
async fn watch(caller: &Caller, path: &str, told: impl Fn()) -> Came {
    let begun = async {
        let mut connection = caller.connect().await?;
        let request = connection.request(Method::GET, path).body(Full::default());
        let answer = connection.start(request.context("build a request")?);
        let answer = timeout(LIMIT, answer).await.context("no answer")??;
        anyhow::Ok((connection, answer))
    };
    let (_connection, answer) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return Came::Wrong(error),
    };
    let (head, mut body) = answer.into_parts();
    if head.status != 200 {
        return match body.collect().await {
            Ok(body) => Came::Other(Reply {
                status: head.status,
                headers: head.headers,
                body: body.to_bytes(),
            }),
            Err(error) => Came::BrokenOff(error.into()),
        };
    }
    let mut text = Vec::new();
    loop {
        match chunk(&mut body).await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Ok(None) if text.is_empty() => return Came::Ended,
            Ok(None) => return Came::Wrong(anyhow!("a watch that ended within an event")),
            Err(error) => return Came::BrokenOff(error),
        }
        match events(&mut text) {
            Ok(events) => events.iter().for_each(|_| told()),
            Err(error) => return Came::Wrong(error),
        }
    }
}

async fn run(caller: &Caller, path: &str) -> Came {
    let connection = match caller.connect().await {
        Ok(connection) => connection,
        Err(error) => return Came::Wrong(error),
    };
    match exec::session(connection, path).await {
        Ok(Session::Said(said)) => {
            let said = String::from_utf8_lossy(&said).into_owned();
            // The last message of a command that came to its end tells how it ended.
            if said.contains(WORD) && said.contains(r#""status":"Success""#) {
                Came::Whole
            } else {
                Came::BrokenOff(anyhow!("the command said {said:?}"))
            }
        }
        Ok(Session::Refused(reply)) => Came::Other(reply),
        Err(error) => Came::Wrong(error),
    }
}
