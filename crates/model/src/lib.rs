//! Values and ports: cluster names, users, request attributes, decisions, refusals. No I/O.
//!
//! Every other crate may know this one; this one knows none of them, no socket, no store and no
//! Kubernetes client. A *port* is a trait of one method, named by a verb, that an adapter
//! implements and the proxy calls; each has a blanket impl for closures, so that a fake is a closure.
#![warn(missing_docs)]

mod attributes;
mod cluster;
mod decision;
mod ports;
mod refusal;
mod secret;
mod settings;
mod upstream;
mod user;

pub use attributes::{
    Attributes, Resource, SelectorOperator, SelectorRequirement, Selectors, Verb,
};
pub use cluster::{ClusterName, ForwardProxy, InvalidClusterName, Member, SecretRef};
pub use decision::Decision;
pub use ports::{
    Authenticate, AuthenticateError, Authorize, AuthorizeError, PeerAddress, PeerCertificates,
    ResolveCluster, ResolveCredentials,
};
pub use refusal::{Fault, Reason, Refusal, RefusalDetails};
pub use secret::{BearerToken, Redacted};
pub use settings::{LimitSettings, SettingError, Settings, TlsVersion};
pub use upstream::{Class, Credentials, CredentialsError, Hop, Target, ToMember, UpstreamError};
pub use user::{ANONYMOUS, AUTHENTICATED, MASTERS, NODES, SERVICE_ACCOUNTS, UNAUTHENTICATED, User};
