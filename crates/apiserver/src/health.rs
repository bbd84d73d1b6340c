//! `/livez`, `/readyz`, `/healthz`: named checks, with `?verbose`, `?exclude=` and a path for each
//! (<https://kubernetes.io/docs/reference/using-api/health-checks/>).

mod slis;

use std::{fmt::Write as _, sync::Arc};

use fleetgate_stack::Body;
use futures::future::{BoxFuture, join_all};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

pub(crate) use self::slis::Slis;

/// What a check finds: nothing, or what is wrong, for the log only.
pub type Health = Result<(), String>;

/// A named check. Answers within a second or so, whatever it asks.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    run: Arc<dyn Fn() -> BoxFuture<'static, Health> + Send + Sync>,
}

/// The checks of one endpoint, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Checks {
    endpoint: &'static str,
    checks: Vec<Check>,
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_SNIFF: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-content-type-options"),
    HeaderValue::from_static("nosniff"),
);

// === impl Check ===

impl Check {
    /// A check that asks `run` each time.
    pub fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Health> + Send + 'static,
    {
        Self {
            name,
            run: Arc::new(move || Box::pin(run())),
        }
    }

    /// A check that is fine for as long as the server answers.
    pub fn always(name: &'static str) -> Self {
        Self::new(name, || async { Ok(()) })
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

// === impl Checks ===

impl Checks {
    /// The checks of `endpoint`: `livez`, `readyz` or `healthz`.
    pub const fn new(endpoint: &'static str, checks: Vec<Check>) -> Self {
        Self { endpoint, checks }
    }

    /// The name of the endpoint.
    pub const fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// The paths of the endpoint and of each check.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        let own = std::iter::once(format!("/{}", self.endpoint));
        own.chain(
            self.checks
                .iter()
                .map(|check| format!("/{}/{}", self.endpoint, check.name)),
        )
    }

    /// Answers `path` below the endpoint, without its slash: all checks, or the one of that name.
    /// What is found is noted in `slis`. Nothing for a name that no check has.
    pub(crate) async fn answer(
        &self,
        path: &str,
        query: &str,
        slis: &Slis,
    ) -> Option<Response<Body>> {
        if path.is_empty() {
            return Some(self.all(query, slis).await);
        }
        let check = self.checks.iter().find(|check| check.name == path)?;
        Some(match self.run(check, slis).await {
            Ok(()) => text(StatusCode::OK, "ok".to_owned()),
            Err(error) => {
                self.log(check, &error);
                let body = format!("internal server error: {error}\n");
                text(StatusCode::INTERNAL_SERVER_ERROR, body)
            }
        })
    }

    async fn run(&self, check: &Check, slis: &Slis) -> Health {
        let health = (check.run)().await;
        slis.note(self.endpoint, check.name, &health);
        health
    }

    async fn all(&self, query: &str, slis: &Slis) -> Response<Body> {
        let verbose = has(query, "verbose");
        let excluded = |check: &Check| values(query, "exclude").any(|name| name == check.name);
        let asked = self.checks.iter().map(|check| async move {
            let health = if excluded(check) {
                None
            } else {
                Some(self.run(check, slis).await)
            };
            (check, health)
        });
        let mut lines = String::new();
        let mut failed = false;
        for (check, health) in join_all(asked).await {
            let name = check.name;
            let written = match health {
                None => writeln!(lines, "[+]{name} excluded: ok"),
                Some(Ok(())) => writeln!(lines, "[+]{name} ok"),
                Some(Err(error)) => {
                    failed = true;
                    self.log(check, &error);
                    writeln!(lines, "[-]{name} failed: reason withheld")
                }
            };
            written.unwrap_or_default();
        }
        let endpoint = self.endpoint;
        match (failed, verbose) {
            (true, _) => {
                let body = format!("{lines}{endpoint} check failed\n");
                text(StatusCode::INTERNAL_SERVER_ERROR, body)
            }
            (false, true) => text(StatusCode::OK, format!("{lines}{endpoint} check passed\n")),
            (false, false) => text(StatusCode::OK, "ok".to_owned()),
        }
    }

    fn log(&self, check: &Check, error: &str) {
        tracing::info!(
            endpoint = self.endpoint,
            check = check.name,
            error,
            "check failed"
        );
    }
}

fn text(code: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    headers.insert(NO_SNIFF.0, NO_SNIFF.1);
    response
}

fn values<'q>(query: &'q str, key: &'q str) -> impl Iterator<Item = &'q str> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .filter(move |(name, _)| *name == key)
        .map(|(_, value)| value)
}

fn has(query: &str, key: &str) -> bool {
    values(query, key).next().is_some()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::{Check, Checks, Slis};

    fn checks() -> Checks {
        let etcd = Check::new("etcd", || async { Err("down".to_owned()) });
        Checks::new("readyz", vec![Check::always("ping"), etcd])
    }

    async fn check(path: &str, query: &str, code: u16, body: &str) {
        let answered = checks().answer(path, query, &Slis::default()).await;
        let response = answered.expect("a check");
        assert_eq!(response.status(), code);
        let got = response
            .into_body()
            .collect()
            .await
            .expect("in memory")
            .to_bytes();
        assert_eq!(String::from_utf8_lossy(&got), body);
    }

    #[tokio::test]
    async fn one_failed_check_fails_the_endpoint_and_says_which() {
        let want = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n";
        check("", "", 500, want).await;
    }

    #[tokio::test]
    async fn an_excluded_check_does_not_count() {
        check("", "exclude=etcd", 200, "ok").await;
        let want = "[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n";
        check("", "verbose&exclude=etcd", 200, want).await;
    }

    #[tokio::test]
    async fn each_check_has_a_path() {
        check("ping", "", 200, "ok").await;
        check("etcd", "", 500, "internal server error: down\n").await;
        assert!(
            checks()
                .answer("nope", "", &Slis::default())
                .await
                .is_none()
        );
    }

    #[tokio::test]
    async fn what_checks_find_is_noted() {
        let mut registry = Registry::default();
        let slis = Slis::register(&mut registry);
        for path in ["", "etcd"] {
            checks().answer(path, "", &slis).await;
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("encodes");
        for line in [
            "kubernetes_healthcheck{name=\"ping\",type=\"readyz\"} 1",
            "kubernetes_healthcheck{name=\"etcd\",type=\"readyz\"} 0",
            "kubernetes_healthchecks_total{name=\"etcd\",type=\"readyz\",status=\"error\"} 2",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
