//! How a status page is asked for: as text for people, or as an object.

use super::{Format, NotAcceptable, Pretty, accept::clauses, negotiate_status, refuse};

/// The types that a status page is said to be given in.
const PAGE_TYPES: [&str; 3] = ["application/json", "application/yaml", TEXT];
const TEXT: &str = "text/plain";

/// A form of a status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusPage {
    /// Text for people.
    Text,
    /// An object of `config.k8s.io`.
    Object(Format, PageVersion),
}

/// A version of `config.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageVersion {
    V1Alpha1,
    V1Beta1,
}

/// The form that `accept` asks for of the page called `kind`, which is text unless an object is
/// asked for by its kind and version.
///
/// # Errors
/// [`NotAcceptable`] for anything else.
pub fn negotiate_page(
    accept: &str,
    pretty: Pretty,
    kind: &str,
) -> Result<StatusPage, NotAcceptable> {
    let met = clauses(accept).into_iter().find_map(|clause| {
        let version = match clause.kind() {
            ("", "", "") if clause.takes(TEXT) && clause.streams_as(TEXT) => {
                return Some(StatusPage::Text);
            }
            ("config.k8s.io", "v1alpha1", of) if of == kind => PageVersion::V1Alpha1,
            ("config.k8s.io", "v1beta1", of) if of == kind => PageVersion::V1Beta1,
            _ => return None,
        };
        let format = clause.format()?;
        Some(StatusPage::Object(clause.prettify(format, pretty), version))
    });
    met.ok_or_else(|| NotAcceptable {
        format: negotiate_status(accept, pretty),
        ..refuse(&PAGE_TYPES)
    })
}

// === impl PageVersion ===

impl PageVersion {
    /// As it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1Alpha1 => "v1alpha1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}
