//! Outermost: an error becomes an answer, and a line in the log.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    sync::Arc,
    task::{Context, Poll},
};

use fleetgate_model::{Fault, Refusal};
use fleetgate_stack::Body;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response, Version, header::CONNECTION};
use tower::{Layer, Service};

use crate::{Error, audit_id, refusal};

/// Says that an answer is no member's, and who is at fault: `caller`, `server`, or `member` for a
/// member or the way to it.
pub const ERROR_SOURCE: HeaderName = HeaderName::from_static("x-fleetgate-error");

/// Applies [`Rescue`].
#[derive(Clone, Debug)]
pub struct RescueLayer<F> {
    render: Arc<F>,
}

/// Answers each [`Error`] with what `render` makes of its [`Refusal`], and says in
/// [`ERROR_SOURCE`] who is at fault. Never fails. Tells every request and every answer its
/// `Audit-Id`.
#[derive(Clone, Debug)]
pub struct Rescue<F, S> {
    render: Arc<F>,
    inner: S,
}

/// The most that the log has of one error, in bytes. Callers choose paths and names, and could fill
/// it with long ones.
const LONGEST: usize = 1 << 10;

/// An error with all its causes, whatever the log is written as, up to [`LONGEST`].
struct Chain<'e>(&'e (dyn std::error::Error + 'static));

/// Takes what there is room for and leaves the rest out.
struct Short<'f, 'b> {
    inner: &'f mut fmt::Formatter<'b>,
    left: usize,
}

// === impl RescueLayer ===

impl<F> RescueLayer<F> {
    /// A layer that renders refusals with `render`: given the request, it makes what renders the
    /// refusal of that request, in a form that its caller accepts.
    pub fn new(render: F) -> Self {
        Self {
            render: Arc::new(render),
        }
    }
}

impl<F, S> Layer<S> for RescueLayer<F> {
    type Service = Rescue<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let render = Arc::clone(&self.render);
        Rescue { render, inner }
    }
}

// === impl Rescue ===

impl<F, R, S> Service<Request<Body>> for Rescue<F, S>
where
    F: Fn(&Request<Body>) -> R,
    R: FnOnce(&Refusal) -> Response<Body> + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut inner = self.inner.clone();
        let id = audit_id::ensure(request.headers_mut());
        let render = (self.render)(&request);
        let version = request.version();
        Box::pin(async move {
            let answer = async {
                std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
                inner.call(request).await
            };
            let mut answer = answer.await.unwrap_or_else(|error| {
                let refusal = refusal(&error);
                log(&error, &refusal, &id);
                let mut answer = render(&refusal);
                answer
                    .headers_mut()
                    .insert(ERROR_SOURCE, source(refusal.fault));
                if matches!(error, Error::Head(_)) && version <= Version::HTTP_11 {
                    // Nobody knows where the next request would begin.
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                }
                answer
            });
            audit_id::echo(answer.headers_mut(), id);
            Ok(answer)
        })
    }
}

fn source(fault: Fault) -> HeaderValue {
    HeaderValue::from_static(match fault {
        Fault::Caller => "caller",
        Fault::Member => "member",
        Fault::Server => "server",
    })
}

fn log(error: &Error, refusal: &Refusal, id: &HeaderValue) {
    let code = refusal.code.as_u16();
    let error = Chain(error);
    match refusal.fault {
        Fault::Caller => tracing::info!(code, audit.id = ?id, %error, "request refused"),
        Fault::Member => tracing::warn!(code, audit.id = ?id, %error, "member not reached"),
        Fault::Server => tracing::error!(code, audit.id = ?id, %error, "request not served"),
    }
}

// === impl Chain ===

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut short = Short {
            inner: f,
            left: LONGEST,
        };
        write!(short, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |cause| cause.source());
        for cause in causes {
            write!(short, ": {cause}")?;
        }
        match short.left {
            0 => f.write_str("…"),
            _ => Ok(()),
        }
    }
}

// === impl Short ===

impl fmt::Write for Short<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.floor_char_boundary(self.left);
        self.left = match fits < text.len() {
            true => 0,
            false => self.left - fits,
        };
        self.inner.write_str(&text[..fits])
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Chain, LONGEST};

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_eq!(Chain(&io::Error::other(text)).to_string(), want);
    }

    #[test]
    fn what_is_told_of_an_error_has_an_end() {
        check("refused", "refused");
        let fits = "a".repeat(LONGEST - 1);
        check(&fits, &fits);
        check(
            &"a".repeat(LONGEST + 1),
            &format!("{}…", "a".repeat(LONGEST)),
        );
        check(&format!("{fits}ßa"), &format!("{fits}…"));
    }
}
