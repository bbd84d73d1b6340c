//! Where the next page of a list starts: the continue token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fleetgate_apimachinery::{decode::decode_value, go, json, negotiation::Input, status::Status};
use serde::Serialize;
use serde_json::Value;

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
#[derive(Debug, Default, Serialize)]
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
        let bytes = go::decode_base64_url(token).map_err(|error| invalid(&error))?;
        let token = Token::read(&bytes).map_err(|error| invalid(&error))?;
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
        // A key that leads out of the list. The list itself does not.
        if !start.is_empty() && start.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(invalid(&token.start));
        }
        let revision = (token.rv > 0).then_some(token.rv);
        Ok(Self {
            revision,
            start: start.to_owned(),
        })
    }

    /// The same place in what is there now.
    pub(super) fn at_latest(&self) -> Self {
        Self {
            revision: None,
            start: self.start.clone(),
        }
    }

    /// The page as clients send it back.
    pub(super) fn token(&self) -> String {
        let token = Token {
            v: VERSION.to_owned(),
            rv: self.revision.unwrap_or(LATEST),
            start: format!("/{}", self.start),
        };
        URL_SAFE_NO_PAD.encode(json::to_vec(&token).unwrap_or_default())
    }
}

// === impl Token ===

impl Token {
    /// Reads JSON as Go does.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let value = decode_value(bytes, Input::Json).map_err(|error| error.to_string())?;
        let wrong = |value: &Value, place: &str, go_type: &str| {
            let found = go::json_type(value);
            format!("json: cannot unmarshal {found} into Go {place} of type {go_type}")
        };
        if value.is_null() {
            return Ok(Self::default());
        }
        let object = value.as_object();
        let object = object.ok_or_else(|| wrong(&value, "value", "storage.continueToken"))?;
        let named = |name: &str| {
            let mut fields = object.iter();
            fields.rfind(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
        };
        let field = |name: &str| named(name).map(|(_, value)| value);
        let text = |name: &str| {
            let Some(value) = field(name) else {
                return Ok(String::new());
            };
            let text = value.as_str().map(str::to_owned);
            let place = format!("struct field continueToken.{name}");
            text.ok_or_else(|| wrong(value, &place, "string"))
        };
        let rv = match field("rv") {
            None => 0,
            Some(value) => value
                .as_i64()
                .ok_or_else(|| wrong(value, "struct field continueToken.rv", "int64"))?,
        };
        Ok(Self {
            v: text("v")?,
            rv,
            start: text("start")?,
        })
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
            br#"{"v":"meta.k8s.io/v1","rv":7,"start":"/member1\u0000"}"#
        );
        assert_eq!(Page::parse(&token).expect("a page"), page);
        let latest = Page {
            revision: None,
            ..page
        };
        assert_eq!(Page::parse(&latest.token()).expect("a page"), latest);
    }

    #[track_caller]
    fn check(token: &str, start: &str) {
        let page = Page::parse(&URL_SAFE_NO_PAD.encode(token)).expect("a token");
        assert_eq!((page.revision, page.start.as_str()), (Some(7), start));
    }

    #[test]
    fn a_token_is_read_as_go_reads_it() {
        check(r#"{"v":"meta.k8s.io/v1","rv":7,"start":"a"}"#, "a");
        check(r#"{"v":"meta.k8s.io/v1","rv":7,"start":"/a/b"}"#, "a/b");
        check(r#"{"v":"meta.k8s.io/v1","rv":7,"start":"/"}"#, "");
        check(r#"{"V":"meta.k8s.io/v1","RV":7,"Start":"a","x":1}"#, "a");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let status = Page::parse("a===").expect_err("no base64");
        assert_eq!(
            status.message,
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 1"
        );
        check_refused("{", "unexpected end of JSON input");
        check_refused(
            "foo",
            "invalid character 'o' in literal false (expecting 'a')",
        );
        check_refused(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"//a"}"#, "//a");
        check_refused(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"a/"}"#, "a/");
        check_refused(
            "[]",
            "json: cannot unmarshal array into Go value of type storage.continueToken",
        );
        check_refused(
            r#"{"v":1}"#,
            "json: cannot unmarshal number into Go struct field continueToken.v of type string",
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
