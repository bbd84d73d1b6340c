//! Behind the stages: the stack of the one cluster that a request goes to.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use fleetgate_model::{
    ClusterName, CredentialsError, ResolveCluster, ResolveCredentials, Target, ToMember,
    UpstreamError,
};
use fleetgate_stack::{Body, NewService};
use futures::future::BoxFuture;
use http::Response;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::{
    Config, Error,
    generation::Generation,
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
    /// Drops the stacks of clusters that `keep` does not know; their watches and upgrades end. A
    /// cluster that was deleted and registered anew is another one, told apart by its uid.
    fn retain(&self, keep: &dyn Fn(&fleetgate_model::Member) -> bool);
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
    member: Arc<Member<S>>,
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

impl<R, C, N, S> Clusters<R, C, N, S>
where
    R: ResolveCluster,
    C: ResolveCredentials,
    N: NewService<Target, Service = S>,
{
    /// Replaces stacks whose cluster or credentials are others by now, as the next request would:
    /// where none comes, what was begun before would never end. To be called now and then.
    pub async fn review(&self) {
        let stacks = self.shared.stacks.load_full();
        for (name, stack) in &*stacks {
            let Err(error) = self.shared.stack(name).await else {
                continue;
            };
            let nobody_knows = matches!(
                error,
                Error::Credentials {
                    source: CredentialsError::Unavailable { .. },
                    ..
                }
            );
            if !nobody_knows {
                stack.expire(&self.shared.config);
            }
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
    fn retain(&self, keep: &dyn Fn(&fleetgate_model::Member) -> bool) {
        let _exchange = self.shared.exchange.lock();
        let stacks = self.shared.stacks.load_full();
        let is_kept = |stack: &Stack<S>| keep(&stack.target.member);
        let (kept, gone): (Vec<_>, Vec<_>) = stacks.iter().partition(|(_, stack)| is_kept(stack));
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
        let before = stacks.get(&name);
        if let Some(other) = before.filter(|other| other.is_for(&target)) {
            return Some(Arc::clone(other));
        }
        let stack = Arc::new(self.successor(before.map(|before| &**before), target));
        let mut stacks = HashMap::clone(&stacks);
        stacks.insert(name, Arc::clone(&stack));
        self.stacks.store(Arc::new(stacks));
        Some(stack)
    }

    /// The stack for `target` after `before`; sees to what was begun there.
    fn successor(&self, before: Option<&Stack<S>>, target: Target) -> Stack<S> {
        let same = match before {
            Some(other) if other.target.member.uid == target.member.uid => Some(other),
            // A cluster that was deleted and registered anew is another one.
            Some(other) => {
                other.member.end();
                None
            }
            None => None,
        };
        let generation = match same {
            // A secret was written anew with what it held.
            Some(same) if same.equals(&target) => {
                let member = Arc::clone(&same.member);
                return Stack { target, member };
            }
            // What was begun with other settings goes on.
            Some(same) if same.leads_as(&target) => same.member.generation().clone(),
            Some(same) => {
                same.expire(&self.config);
                same.member.generation().next()
            }
            None => Generation::first(self.config.tasks.stopping()),
        };
        let settings = target.member.settings.as_ref().ok();
        let limits = settings.map(|settings| settings.limits).unwrap_or_default();
        let lasting = Lasting {
            generation,
            upgrades: self.upgrades.clone(),
            // What is under way goes on to count.
            limits: same
                .and_then(|same| same.member.limits(limits))
                .unwrap_or_else(|| Limits::new(&target.member.name, limits, &self.config.metrics)),
        };
        let upstream = self.new_upstream.new_service(target.clone());
        let member = Member::new(&self.config, &target.member, upstream, lasting);
        let member = Arc::new(member);
        Stack { target, member }
    }
}

// === impl Stack ===

impl<S> Stack<S> {
    /// Whether it is the stack for the very same `target`: what each request asks.
    fn is_for(&self, target: &Target) -> bool {
        Arc::ptr_eq(&self.target.member, &target.member)
            && Arc::ptr_eq(&self.target.credentials, &target.credentials)
            && !self.member.generation().expires()
    }

    /// Whether it is a stack for the like of `target`.
    fn equals(&self, target: &Target) -> bool {
        self.target.member == target.member
            && self.target.credentials == target.credentials
            && !self.member.generation().expires()
    }

    /// Whether a stack for `target` would reach the same member in the same way, as the same.
    fn leads_as(&self, target: &Target) -> bool {
        self.target.leads_as(target) && !self.member.generation().expires()
    }

    fn expire(&self, config: &Config) {
        let generation = self.member.generation();
        generation.expire(&self.target.member.name, &config.tasks);
    }
}
