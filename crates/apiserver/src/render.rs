//! A refusal of the proxy, as clients of Kubernetes read it.

use fleetgate_apimachinery::{
    negotiation::{self, StatusFormat},
    query::Query,
    status::Status,
};
use fleetgate_model::Refusal;
use fleetgate_stack::Body;
use http::{
    HeaderValue, Request, Response, Uri,
    header::{ACCEPT, USER_AGENT},
};

use crate::respond;

/// What of a request says how its status is to look: cheap to keep, and read only if there is one.
struct Form {
    accept: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    uri: Uri,
}

/// What renders a refusal of `request`: as a `Status` (`metav1.Status`) in a form that its caller
/// accepts, with `Retry-After` where a retry can help.
pub fn renderer(request: &Request<Body>) -> impl FnOnce(&Refusal) -> Response<Body> + Send + use<> {
    let header = |name| request.headers().get(name).cloned();
    let form = Form {
        accept: header(ACCEPT),
        user_agent: header(USER_AGENT),
        uri: request.uri().clone(),
    };
    move |refusal| respond::status(&Status::from(refusal.clone()), form.status_format())
}

// === impl Form ===

impl Form {
    fn status_format(&self) -> StatusFormat {
        let text = |value: &Option<HeaderValue>| {
            let text = value.as_ref().and_then(|value| value.to_str().ok());
            text.unwrap_or_default().to_owned()
        };
        let query = Query::parse(self.uri.query().unwrap_or_default());
        let pretty = negotiation::pretty(query.first("pretty"), &text(&self.user_agent));
        negotiation::negotiate_status(&text(&self.accept), pretty)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fleetgate_model::{Fault, Reason, Refusal, RefusalDetails};
    use fleetgate_stack::Body;
    use http::{Request, Response, StatusCode};
    use http_body_util::BodyExt;

    use super::renderer;

    fn no_such_cluster() -> Refusal {
        Refusal {
            details: Some(RefusalDetails {
                group: "cluster.karmada.io".to_owned(),
                resource: "clusters".to_owned(),
                name: "nope".to_owned(),
            }),
            ..Refusal::caller(
                StatusCode::NOT_FOUND,
                Reason::NotFound,
                "clusters \"nope\" not found",
            )
        }
    }

    /// `refusal` as the answer to a request that accepts `accept`.
    fn rendered(refusal: &Refusal, accept: &str) -> Response<Body> {
        let request = Request::get("/").header("accept", accept);
        let request = request.body(Body::empty()).expect("a request");
        renderer(&request)(refusal)
    }

    async fn body(response: Response<Body>) -> Vec<u8> {
        let body = response.into_body().collect().await.expect("in memory");
        body.to_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_refusal_reads_as_karmada_recorded_it() {
        let want = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\
            \"status\":\"Failure\",\"message\":\"clusters \\\"nope\\\" not found\",\
            \"reason\":\"NotFound\",\"details\":{\"name\":\"nope\",\
            \"group\":\"cluster.karmada.io\",\"kind\":\"clusters\"},\"code\":404}\n";
        let answer = rendered(&no_such_cluster(), "application/json");
        assert_eq!(body(answer).await, want.as_bytes());
    }

    /// Checks the media type, and how the body begins, of a refusal for who accepts `accept`.
    async fn check(accept: &str, media_type: &str, start: &[u8]) {
        let answer = rendered(&no_such_cluster(), accept);
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()["content-type"], media_type);
        let body = body(answer).await;
        assert!(
            body.starts_with(start),
            "{}",
            String::from_utf8_lossy(&body)
        );
    }

    #[tokio::test]
    async fn a_refusal_is_written_as_its_caller_accepts() {
        check("", "application/json", b"{\"kind\":\"Status\"").await;
        check("application/yaml", "application/yaml", b"apiVersion: v1\n").await;
        let protobuf = "application/vnd.kubernetes.protobuf";
        check(protobuf, protobuf, b"k8s\0").await;
        let both = "application/vnd.kubernetes.protobuf, application/json";
        check(both, protobuf, b"k8s\0").await;
        check(
            "text/html",
            "application/json",
            b"{\n  \"kind\": \"Status\"",
        )
        .await;
    }

    #[tokio::test]
    async fn a_refusal_is_pretty_for_people() {
        let request = Request::get("/").header("user-agent", "curl/8.0");
        let request = request.body(Body::empty()).expect("a request");
        let answer = renderer(&request)(&no_such_cluster());
        assert!(body(answer).await.starts_with(b"{\n  \"kind\""));
    }

    #[tokio::test]
    async fn where_a_retry_can_help_it_is_invited() {
        let refusal = Refusal::caller(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::ServiceUnavailable,
            "cluster m: connect: connection refused",
        )
        .blame(Fault::Member, Some(Duration::from_secs(1)));
        let response = rendered(&refusal, "");
        assert_eq!(response.headers()["retry-after"], "1");
        let body = String::from_utf8(body(response).await).expect("JSON");
        assert!(body.contains("\"retryAfterSeconds\":1"), "{body}");
    }
}
