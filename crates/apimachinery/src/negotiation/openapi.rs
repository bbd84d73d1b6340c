//! Which form of an OpenAPI document is asked for.

use super::accept::clauses;

/// The forms of an OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// Gnostic's protobuf.
    Protobuf,
}

/// The versions of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenApi {
    V2,
    V3,
}

/// The form of an OpenAPI document that `accept` asks for; nothing if there is no such form.
pub fn negotiate_openapi(accept: &str, version: OpenApi) -> Option<DocumentFormat> {
    let offers = [
        ("application/json", DocumentFormat::Json),
        (version.protobuf(), DocumentFormat::Protobuf),
        (version.old_protobuf(), DocumentFormat::Protobuf),
    ];
    clauses(accept).into_iter().find_map(|clause| {
        let mut offers = offers.iter();
        let offer = offers.find(|(media_type, _)| clause.takes(media_type))?;
        Some(offer.1)
    })
}

// === impl DocumentFormat ===

impl DocumentFormat {
    /// The `Content-Type`.
    pub const fn content_type(self, version: OpenApi) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => version.protobuf(),
        }
    }
}

// === impl OpenApi ===

impl OpenApi {
    const fn protobuf(self) -> &'static str {
        match self {
            Self::V2 => "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            Self::V3 => "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
        }
    }

    /// What clients call it that came before media types without `@`.
    const fn old_protobuf(self) -> &'static str {
        match self {
            Self::V2 => "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
            Self::V3 => "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DocumentFormat, OpenApi, negotiate_openapi};

    #[track_caller]
    fn check(accept: &str, want: Option<DocumentFormat>) {
        assert_eq!(negotiate_openapi(accept, OpenApi::V2), want, "{accept}");
    }

    #[test]
    fn the_first_clause_that_can_be_met_decides() {
        let (json, protobuf) = (Some(DocumentFormat::Json), Some(DocumentFormat::Protobuf));
        let old = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
        check("", json);
        check("*/*", json);
        check("application/*", json);
        check("application/json;as=Table", json);
        check("text/html,application/json", json);
        check(old, protobuf);
        check(
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            protobuf,
        );
        check(&format!("application/json;q=0.1, {old}"), protobuf);
        check(&format!("{old};q=0.1, application/json"), json);
        check(
            "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
            None,
        );
        check("application/yaml", None);
        check("text/*", None);
        check("foo", None);
    }
}
