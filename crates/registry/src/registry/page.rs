//! Where the next page of a list starts: the continue token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fleetgate_apimachinery::{json, status::Status};
use serde::{Deserialize, Serialize};

/// The version of the token's form.
const VERSION: &str = "meta.k8s.io/v1";
/// The revision of a token that goes on with whatever is there.
const LATEST: i64 = -1;

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The state that the list is of; nothing for the newest.
    pub(super) revision: Option<i64>,
    /// The first name that may be on the page.
    pub(super) start: String,
}

/// A token as Kubernetes writes it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

// === impl Page ===

impl Page {
    /// The page behind the object called `last`.
    pub(super) fn behind(last: &str, revision: i64) -> Self {
        Self {
            revision: Some(revision),
            start: format!("{last}\0"),
        }
    }

    /// Reads what [`Self::token`] wrote.
    ///
    /// # Errors
    /// 400 for anything else.
    pub(super) fn parse(token: &str) -> Result<Self, Status> {
        let refuse = |why: &str| Status::bad_request(format!("invalid continue token: {why}"));
        let invalid =
            |why: &dyn std::fmt::Display| refuse(&format!("continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|error| invalid(&error))?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|error| invalid(&error))?;
        if token.v != VERSION {
            let why = "server does not recognize this encoded version";
            return Err(invalid(&format!("{why} {}", token.v)));
        }
        if token.rv == 0 {
            let why = "incorrect encoded start resourceVersion (version meta.k8s.io/v1)";
            return Err(invalid(&why));
        }
        if token.start.is_empty() {
            return Err(invalid(&"encoded start key empty (version meta.k8s.io/v1)"));
        }
        let start = token.start.strip_prefix('/').unwrap_or(&token.start);
        // A key that leads out of the list.
        if start.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(invalid(&token.start));
        }
        let revision = (token.rv > 0).then_some(token.rv);
        Ok(Self {
            revision,
            start: start.to_owned(),
        })
    }

    /// The page as clients send it back.
    pub(super) fn token(&self) -> String {
        let token = Token {
            v: VERSION.to_owned(),
            rv: self.revision.unwrap_or(LATEST),
            start: self.start.clone(),
        };
        URL_SAFE_NO_PAD.encode(json::to_vec(&token).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(token: &str, why: &str) {
        let status = Page::parse(&URL_SAFE_NO_PAD.encode(token)).expect_err("a bad token");
        let want = format!("invalid continue token: continue key is not valid: {why}");
        assert_eq!((status.code, status.message), (400, want));
    }

    #[test]
    fn a_token_leads_back_to_its_page() {
        let page = Page::behind("member1", 7);
        let token = page.token();
        let text = URL_SAFE_NO_PAD.decode(&token).expect("base64");
        assert_eq!(
            text,
            br#"{"v":"meta.k8s.io/v1","rv":7,"start":"member1\u0000"}"#
        );
        assert_eq!(Page::parse(&token).expect("a page"), page);
        let latest = Page {
            revision: None,
            ..page
        };
        assert_eq!(Page::parse(&latest.token()).expect("a page"), latest);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let status = Page::parse("%").expect_err("no base64");
        assert!(
            status
                .message
                .starts_with("invalid continue token: continue key is not valid: ")
        );
        check_refused(
            r#"{"v":"x"}"#,
            "server does not recognize this encoded version x",
        );
        check_refused(
            r#"{"v":"meta.k8s.io/v1","start":"a"}"#,
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        );
        check_refused(
            r#"{"v":"meta.k8s.io/v1","rv":1}"#,
            "encoded start key empty (version meta.k8s.io/v1)",
        );
        check_refused(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"../x"}"#, "../x");
        check_refused(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"a/./b"}"#, "a/./b");
    }
}
