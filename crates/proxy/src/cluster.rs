//! Sixth stage: the stack of the one cluster that a request goes to.

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
use tower::Service;

use crate::{Config, Error, member::Member, route::Routed};

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
        };
        Self {
            shared: Arc::new(shared),
        }
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
        let gone = |name: &ClusterName| !keep(name);
        if !self.shared.stacks.load().keys().any(gone) {
            return;
        }
        let before = self.shared.stacks.rcu(|stacks| {
            let kept = stacks.iter().filter(|(name, _)| keep(name));
            kept.map(|(name, stack)| (name.clone(), Arc::clone(stack)))
                .collect::<HashMap<_, _>>()
        });
        for (_, stack) in before.iter().filter(|(name, _)| gone(name)) {
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
        let target = Target {
            member,
            credentials,
        };
        let current = self.stacks.load().get(name).cloned();
        Ok(match current {
            Some(stack) if stack.is_for(&target) => stack,
            Some(_) | None => self.replace(target),
        })
    }

    /// The stack for `target` in place of what stands there, if another request was not first.
    fn replace(&self, target: Target) -> Arc<Stack<S>> {
        let name = target.member.name.clone();
        let upstream = self.new_upstream.new_service(target.clone());
        let member = Member::new(&self.config, name.clone(), upstream);
        let stack = Arc::new(Stack {
            target: target.clone(),
            member,
        });
        let before = self.stacks.rcu(|stacks| {
            let mut stacks = HashMap::clone(stacks);
            match stacks.get(&name) {
                Some(other) if other.is_for(&target) => {}
                Some(_) | None => drop(stacks.insert(name.clone(), Arc::clone(&stack))),
            }
            stacks
        });
        match before.get(&name) {
            Some(other) if other.is_for(&target) => Arc::clone(other),
            // A cluster that was deleted and registered anew is another one.
            Some(other) if other.target.member.uid != target.member.uid => {
                other.member.end();
                stack
            }
            Some(_) | None => stack,
        }
    }
}

// === impl Stack ===

impl<S> Stack<S> {
    fn is_for(&self, target: &Target) -> bool {
        Arc::ptr_eq(&self.target.member, &target.member)
            && Arc::ptr_eq(&self.target.credentials, &target.credentials)
    }
}
