//! Tower building blocks that know nothing of Kubernetes.
#![warn(missing_docs)]

mod body;
mod breaker;
mod bulkhead;
mod cork;
mod guard;
mod list;
mod new_service;
mod pieces;
mod tasks;
mod together;
mod upgrade;
mod websocket;
mod whole;

pub use body::{Body, BoxError};
pub use breaker::{Admission, Breaker, BreakerPolicy, Trial};
pub use bulkhead::{Bulkhead, BulkheadLimits, Full, Place};
pub use cork::{Corked, Counted, Turns};
pub use guard::GuardedBody;
pub use list::list_elements;
pub use new_service::NewService;
pub use pieces::InPieces;
pub use tasks::Tasks;
pub use together::Together;
pub use upgrade::asks_for_upgrade;
pub use websocket::{asks_for_websocket, websocket_accept};
pub use whole::WholeBody;
