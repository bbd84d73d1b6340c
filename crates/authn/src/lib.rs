//! Who is calling: front-proxy headers, client certificates, TokenReview.
//!
//! Implements [`fleetgate_model::Authenticate`]. Knows nothing of clusters or of what callers may
//! do, and asks the host through one port, [`ReviewToken`].
//!
//! The order is that of Kubernetes' delegated authentication: the headers of a verified front
//! proxy, a client certificate, a bearer token, nobody. The first that names a user decides; if
//! none does, a credential that was no good is an error, and only a caller without any is
//! anonymous.
#![warn(missing_docs)]

mod authenticator;
mod bearer;
mod client_certificate;
mod front_proxy;
mod metrics;
mod review;
mod trust;

pub use authenticator::Authenticator;
pub use front_proxy::{HeaderNames, InvalidHeaderName};
pub use metrics::Metrics;
pub use review::{KubeTokenReview, Review, ReviewError, ReviewToken};
pub use trust::{Lookup, RequestHeader, TrustConfig, TrustError, TrustKeeper};
