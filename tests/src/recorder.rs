//! A member that records what it receives, registered under a name of its own.

use fleetgate_testkit::{
    Answer, FakeMember, Received,
    certs::{Ca, server},
};

use crate::{
    fleet, proxy_path,
    registration::Registration,
    wait::{SOON, check, until},
};

/// The member and its registration. It echoes requests.
#[derive(Debug)]
pub struct Recorder {
    member: FakeMember,
    registration: Registration,
}

// === impl Recorder ===

impl Recorder {
    /// A member registered as `name`, which answers each request with what it was.
    pub async fn echo(name: &str) -> Self {
        Self::start(name, |_| Answer::Echo).await
    }

    /// A member registered as `name`, which answers as `script` says. `GET /version` asks whether
    /// it is reached.
    pub async fn start<S>(name: &str, script: S) -> Self
    where
        S: Fn(&Received) -> Answer + Send + Sync + 'static,
    {
        let ca = Ca::new(name);
        let leaf = ca.sign(&server(&["127.0.0.1"]));
        let answer = move |received: &Received| match received.path.as_str() {
            "/version" => Answer::Echo,
            _ => script(received),
        };
        let member = FakeMember::tls(&leaf).start(answer).await;
        let registration = Registration {
            ca: ca.pem().to_owned(),
            ..Registration::new(name, &member.url())
        };
        registration.register().await;
        let this = Self {
            member,
            registration,
        };
        let server = fleet().at_server(&fleet().admin());
        until("the recorder is reached", SOON, async || {
            let reply = server.get(&this.path("/version")).await;
            check(reply.status.is_success(), || reply.to_string())
        })
        .await;
        this
    }

    /// The path that leads to `inner` of this member.
    pub fn path(&self, inner: &str) -> String {
        proxy_path(&self.registration.name) + inner
    }

    /// The token by which the server is known here.
    pub fn token(&self) -> &str {
        &self.registration.token
    }

    /// The one request whose path begins with `path`. Panics with all if there is none, or several.
    pub fn only(&self, path: &str) -> Received {
        let mut of_path = self.all(path);
        assert_eq!(of_path.len(), 1, "{:?}", self.member.received());
        of_path.remove(0)
    }

    /// The requests whose path begins with `path`.
    pub fn all(&self, path: &str) -> Vec<Received> {
        let mut all = self.member.received();
        all.retain(|received| received.path.starts_with(path));
        all
    }

    /// The member itself.
    pub fn member(&self) -> &FakeMember {
        &self.member
    }

    /// Removes the registration.
    pub async fn remove(self) {
        self.registration.remove().await;
    }
}
