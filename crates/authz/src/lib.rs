//! May they: SubjectAccessReview.
//!
//! Implements [`fleetgate_model::Authorize`]. Knows nothing of clusters or of how callers were
//! found out, and asks the host through one port, [`ReviewAccess`].
//!
//! The order is that of Kubernetes' delegated authorization: who is in `system:masters` may do
//! everything, paths that the operator names are open to everybody, and all else is asked of the
//! host. Where nobody answers, the answer is no.
#![warn(missing_docs)]

mod authorizer;
mod metrics;
mod paths;
mod review;

pub use authorizer::{Authorizer, Config};
pub use metrics::Metrics;
pub use paths::{AlwaysAllowedPaths, MisplacedWildcard};
pub use review::{AccessReview, KubeAccessReview, ReviewAccess, ReviewError, Verdict};
