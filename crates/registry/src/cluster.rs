//! Clusters: the kind that this server is about.

use std::{future::Future, sync::Arc};

use fleetgate_api::{
    API_VERSION, CLUSTER, Cluster, GROUP, KIND, LIST_KIND, RESOURCE, ResourceModeling,
    canonicalize, prepare_for_create, prepare_for_update, validate, validate_status,
    validate_update, warnings,
};
use fleetgate_apimachinery::{
    definition::Definition,
    field::FieldError,
    meta::{ObjectMeta, Time},
};
use fleetgate_model::{ClusterName, Member, ResolveCluster};
use fleetgate_storage::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Object, Registry, Strategy,
    members::{MemberMap, Members},
    strategy::{ItemKeys, Names},
};

/// What clusters are called.
pub const CLUSTERS: Names = Names {
    group: GROUP,
    api_version: API_VERSION,
    kind: KIND,
    list_kind: LIST_KIND,
    resource: RESOURCE,
};

const ITEM_KEYS: ItemKeys = &[
    ("spec.resourceModels", &["grade"]),
    ("spec.resourceModels.ranges", &["name"]),
    ("spec.taints", &["key", "effect"]),
    ("status.apiEnablements", &["groupVersion"]),
    ("status.apiEnablements.resources", &["name"]),
    ("status.conditions", &["type"]),
    ("status.resourceSummary.allocatableModelings", &["grade"]),
];

/// The rules of clusters.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterStrategy {
    /// Whether `spec.resourceModels` is kept in order.
    pub modeling: ResourceModeling,
}

/// The registered clusters: their objects, and the members that they stand for.
#[derive(Clone, Debug)]
pub struct ClusterRegistry {
    registry: Arc<Registry<ClusterStrategy>>,
    members: Arc<Members>,
}

// === impl ClusterStrategy ===

impl Strategy for ClusterStrategy {
    type Object = Cluster;

    fn names(&self) -> &'static Names {
        &CLUSTERS
    }

    fn definition(&self) -> &'static Definition {
        &CLUSTER
    }

    fn item_keys(&self) -> ItemKeys {
        ITEM_KEYS
    }

    fn validate(&self, cluster: &Cluster) -> Vec<FieldError> {
        validate(cluster)
    }

    fn validate_update(&self, cluster: &Cluster, old: &Cluster) -> Vec<FieldError> {
        validate_update(cluster, old)
    }

    fn prepare_for_create(&self, cluster: &mut Cluster) {
        prepare_for_create(cluster, self.modeling);
    }

    fn prepare_for_update(&self, cluster: &mut Cluster, old: &Cluster) {
        prepare_for_update(cluster, old, self.modeling);
    }

    fn warnings(&self, cluster: &Cluster) -> Vec<String> {
        warnings(cluster)
    }

    fn canonicalize(&self, cluster: &mut Cluster, now: Time) {
        canonicalize(cluster, now);
    }

    fn take_status(&self, cluster: &mut Cluster, from: Cluster) {
        cluster.status = from.status;
    }

    fn validate_status(&self, cluster: &Cluster) -> Vec<FieldError> {
        validate_status(cluster)
    }
}

// === impl Cluster ===

impl Object for Cluster {
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn set_type(&mut self, kind: &str, api_version: &str) {
        kind.clone_into(&mut self.kind);
        api_version.clone_into(&mut self.api_version);
    }
}

// === impl ClusterRegistry ===

impl ClusterRegistry {
    /// The clusters in `store`, with keys under `prefix` (`--etcd-prefix`). Nothing is read before
    /// [`Self::run`].
    pub fn new(strategy: ClusterStrategy, store: Arc<dyn Store>, prefix: &str) -> Self {
        Self {
            registry: Arc::new(Registry::new(strategy, store, prefix)),
            members: Arc::new(Members::new()),
        }
    }

    /// The Cluster objects.
    pub const fn registry(&self) -> &Arc<Registry<ClusterStrategy>> {
        &self.registry
    }

    /// The members, and a sign whenever one comes, goes or changes in what leads to it.
    pub fn members(&self) -> watch::Receiver<Arc<MemberMap>> {
        self.members.subscribe()
    }

    /// Keeps what is in memory up with the store until `token` is cancelled; to be spawned once. A
    /// store that is away is asked again and again and never ends this.
    pub fn run(&self, token: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        self.registry
            .run(Arc::<Members>::clone(&self.members), token)
    }
}

impl ResolveCluster for ClusterRegistry {
    fn resolve_cluster(&self, name: &ClusterName) -> Option<Arc<Member>> {
        self.members.get(name)
    }
}
