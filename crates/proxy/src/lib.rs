//! One cluster: the request stages in order, and the one table from error to Refusal.
//!
//! A request's type changes as it is proven: [`Authenticated`], [`Attributed`], [`Acting`],
//! [`Authorized`], [`Routed`]. Each type can be made only by the layer that proves it, so a layer
//! out of order does not compile. Knows the ports of `fleetgate-model` and no adapter.
//!
//! ```text
//! Rescue → Authentication → Attribution → Impersonation → Authorization → Routing ┬ Clusters → Upstream
//!                                                                                 └ local
//! ```

mod attribute;
mod authenticate;
mod authorize;
mod cluster;
mod ending;
mod error;
mod identity;
mod impersonate;
mod member;
mod metrics;
mod rescue;
mod rescue_layer;
mod route;
mod upgrade;

use std::time::Duration;

use fleetgate_stack::Tasks;

pub use attribute::{Attributed, Attribution, AttributionLayer};
pub use authenticate::{Authenticated, Authentication, AuthenticationLayer};
pub use authorize::{Authorization, AuthorizationLayer, Authorized};
pub use cluster::{Clusters, Retain};
pub use error::Error;
pub use impersonate::{Acting, Impersonation, ImpersonationLayer};
pub use metrics::Metrics;
pub use rescue::refusal;
pub use rescue_layer::{Rescue, RescueLayer};
pub use route::{Routed, Routing, RoutingLayer};

/// What the member half of the stack is given.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a member may take until it begins to answer a request that does not last.
    pub request_timeout: Duration,
    /// Runs upgraded connections; watches and upgrades end when these tasks are stopped.
    pub tasks: Tasks,
    /// Counts requests.
    pub metrics: Metrics,
}
