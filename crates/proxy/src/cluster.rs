//! Behind the stages: the stack of the one cluster that a request goes to.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use fleetgate_model::{
    ClusterName, ResolveCluster, ResolveCredentials, Target, ToMember, UpstreamError,
};
use fleetgate_stack::{Body, NewService};
use futures::future::BoxFuture;
use http::Response;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::{
    Config, Error,
    limits::Limits,
    member::{Lasting, Member},
    route::Routed,
};

/// Finds the cluster and its credentials, and hands each request to the cluster's own stack, which
/// is built once and kept until one of them changes.
pub struct Clusters<R, C, N, S> {
    shared: Arc<Shared<R, C, N, S>>,
}

/// Tells [`Clusters`] which clusters there still are.
pub trait Retain: Send + Sync {
    /// Drops the stacks of clusters that `keep` does not know; their watches and upgrades end.
    fn retain(&self, keep: &dyn Fn(&ClusterName) -> bool);
}

struct Shared<R, C, N, S> {
    config: Config,
    resolve: R,
    credentials: C,
    new_upstream: N,
    stacks: ArcSwap<HashMap<ClusterName, Arc<Stack<S>>>>,
    /// Upgraded connections, of which no HTTP server knows any more.
    upgrades: TaskTracker,
    /// Held while stacks are exchanged; a request that finds its stack does not wait for it.
    exchange: Mutex<()>,
}

struct Stack<S> {
    target: Target,
    member: Member<S>,
}

// === impl Clusters ===

impl<R, C, N, S> Clusters<R, C, N, S>
where
    N: NewService<Target, Service = S>,
{
    /// Stacks that are made by `new_upstream` for what `resolve` and `credentials` find.
    pub fn new(config: Config, resolve: R, credentials: C, new_upstream: N) -> Self {
        let shared = Shared {
            config,
            resolve,
            credentials,
            new_upstream,
            stacks: ArcSwap::default(),
            upgrades: TaskTracker::new(),
            exchange: Mutex::new(()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<R, C, N, S> Clusters<R, C, N, S> {
    /// Done when no connection is upgraded any more: what a server that drains its HTTP connections
    /// has to wait for as well.
    pub async fn upgrades_ended(&self) {
        self.shared.upgrades.close();
        self.shared.upgrades.wait().await;
    }
}

impl<R, C, N, S> Clone for Clusters<R, C, N, S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<R, C, N, S> std::fmt::Debug for Clusters<R, C, N, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clusters = self.shared.stacks.load();
        f.debug_set().entries(clusters.keys()).finish()
    }
}

impl<R, C, N, S> Retain for Clusters<R, C, N, S>
where
    R: Send + Sync,
    C: Send + Sync,
    N: Send + Sync,
    S: Send + Sync,
{
    fn retain(&self, keep: &dyn Fn(&ClusterName) -> bool) {
        let _exchange = self.shared.exchange.lock();
        let stacks = self.shared.stacks.load_full();
        let (kept, gone): (Vec<_>, Vec<_>) = stacks.iter().partition(|(name, _)| keep(name));
        if gone.is_empty() {
            return;
        }
        let kept = kept.into_iter();
        let kept = kept.map(|(name, stack)| (name.clone(), Arc::clone(stack)));
        self.shared.stacks.store(Arc::new(kept.collect()));
        for (_, stack) in gone {
            stack.member.end();
        }
    }
}

impl<R, C, N, S> Service<Routed> for Clusters<R, C, N, S>
where
    R: ResolveCluster,
    C: ResolveCredentials,
    N: NewService<Target, Service = S> + Send + Sync + 'static,
    S: Service<ToMember<Body>, Response = Response<Body>, Error = UpstreamError>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let stack = shared.stack(routed.cluster()).await?;
            stack.member.send(routed, &stack.target.credentials).await
        })
    }
}

// === impl Shared ===

impl<R, C, N, S> Shared<R, C, N, S>
where
    R: ResolveCluster,
    C: ResolveCredentials,
    N: NewService<Target, Service = S>,
{
    async fn stack(&self, name: &ClusterName) -> Result<Arc<Stack<S>>, Error> {
        loop {
            let target = self.target(name).await?;
            let current = self.stacks.load().get(name).cloned();
            match current.filter(|stack| stack.is_for(&target)) {
                Some(stack) => return Ok(stack),
                None => {
                    if let Some(stack) = self.replace(target) {
                        return Ok(stack);
                    }
                }
            }
        }
    }

    async fn target(&self, name: &ClusterName) -> Result<Target, Error> {
        let cluster = || name.as_str().to_owned();
        let member = self.resolve.resolve_cluster(name);
        let member = member.ok_or_else(|| Error::ClusterNotFound(cluster()))?;
        if member.endpoint.is_empty() {
            return Err(Error::NoEndpoint(cluster()));
        }
        let credentials = self.credentials.resolve_credentials(&member).await;
        let credentials = credentials.map_err(|source| Error::Credentials {
            cluster: cluster(),
            source,
        })?;
        Ok(Target {
            member,
            credentials,
        })
    }

    /// The stack for `target` in place of what stands there, if another request was not first.
    /// Nothing if the cluster was deleted meanwhile: its watches would outlive it.
    fn replace(&self, target: Target) -> Option<Arc<Stack<S>>> {
        let name = target.member.name.clone();
        let _exchange = self.exchange.lock();
        let registered = self.resolve.resolve_cluster(&name)?;
        if registered.uid != target.member.uid {
            return None;
        }
        let stacks = self.stacks.load();
        let settings = target.member.settings.as_ref().ok();
        let limits = settings.map(|settings| settings.limits).unwrap_or_default();
        let same = match stacks.get(&name) {
            Some(other) if other.is_for(&target) => return Some(Arc::clone(other)),
            // The same cluster: what was begun on the old stack goes on, and ends with the cluster.
            Some(other) if other.target.member.uid == target.member.uid => Some(&other.member),
            // A cluster that was deleted and registered anew is another one.
            Some(other) => {
                other.member.end();
                None
            }
            None => None,
        };
        let stopping = self.config.tasks.stopping();
        let lasting = Lasting {
            ending: same.map_or_else(|| stopping.child_token(), Member::ending),
            upgrades: self.upgrades.clone(),
            // What is under way goes on to count.
            limits: same
                .and_then(|same| same.limits(limits))
                .unwrap_or_else(|| Limits::new(&name, limits, &self.config.metrics)),
        };
        let upstream = self.new_upstream.new_service(target.clone());
        let member = Member::new(&self.config, &target.member, upstream, lasting);
        let stack = Arc::new(Stack { target, member });
        let mut stacks = HashMap::clone(&stacks);
        stacks.insert(name, Arc::clone(&stack));
        self.stacks.store(Arc::new(stacks));
        Some(stack)
    }
}

// === impl Stack ===

impl<S> Stack<S> {
    fn is_for(&self, target: &Target) -> bool {
        Arc::ptr_eq(&self.target.member, &target.member)
            && Arc::ptr_eq(&self.target.credentials, &target.credentials)
    }
}
