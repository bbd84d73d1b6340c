//! A refusal of the proxy, as clients of Kubernetes read it.

use fleetgate_apimachinery::{json, status::Status};
use fleetgate_model::{Fault, Refusal};
use fleetgate_stack::Body;
use http::{
    HeaderName, HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};

/// Says that the answer is this server's and not the member's.
const ERROR_SOURCE: HeaderName = HeaderName::from_static("x-fleetgate-error");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PRIVATE: HeaderValue = HeaderValue::from_static("no-cache, private");

/// `refusal` as a `Status` (`metav1.Status`), with `Retry-After` where a retry can help and
/// `X-Fleetgate-Error: member` where a member, or the way to it, is at fault.
pub fn render(refusal: &Refusal) -> Response<Body> {
    let seconds = refusal.retry_after.map(|after| after.as_secs());
    let status = Status::from(refusal.clone());
    let body = json::to_vec(&status).unwrap_or_default();
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = refusal.code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, PRIVATE);
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    match refusal.fault {
        Fault::Member => drop(headers.insert(ERROR_SOURCE, HeaderValue::from_static("member"))),
        Fault::Caller | Fault::Server => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fleetgate_model::{Fault, Reason, Refusal, RefusalDetails};
    use http::StatusCode;
    use http_body_util::BodyExt;

    use super::render;

    async fn body(refusal: &Refusal) -> String {
        let body = render(refusal)
            .into_body()
            .collect()
            .await
            .expect("in memory");
        String::from_utf8(body.to_bytes().to_vec()).expect("JSON is UTF-8")
    }

    #[tokio::test]
    async fn a_refusal_reads_as_karmada_recorded_it() {
        let refusal = Refusal {
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
        };
        let want = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\
            \"status\":\"Failure\",\"message\":\"clusters \\\"nope\\\" not found\",\
            \"reason\":\"NotFound\",\"details\":{\"name\":\"nope\",\
            \"group\":\"cluster.karmada.io\",\"kind\":\"clusters\"},\"code\":404}";
        assert_eq!(body(&refusal).await, want);
    }

    #[tokio::test]
    async fn a_member_is_named_as_the_source_and_a_retry_is_invited() {
        let refusal = Refusal::caller(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::ServiceUnavailable,
            "cluster m: connect: connection refused",
        )
        .blame(Fault::Member, Some(Duration::from_secs(1)));
        let response = render(&refusal);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["x-fleetgate-error"], "member");
        assert!(body(&refusal).await.contains("\"retryAfterSeconds\":1"));
    }
}
