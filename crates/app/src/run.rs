//! Wiring: each adapter is put behind its port, and the request stages are put together.

use std::{io, sync::Arc, time::Duration};

use fleetgate_api::ResourceModeling;
use fleetgate_authn::{Authenticator, KubeTokenReview, Lookup, TrustConfig, TrustError};
use fleetgate_authz::{AlwaysAllowedPaths, Authorizer, KubeAccessReview};
use fleetgate_credentials::{HostSecrets, PlainHttp, Secrets};
use fleetgate_model::ResolveCluster;
use fleetgate_proxy::{
    Attribution, Authentication, Authorization, Clusters, Impersonation, InFlightLayer,
    RescueLayer, Retain, RoutingLayer, SoundHead, Stage, StageLayer,
};
use fleetgate_registry::{ClusterRegistry, ClusterStrategy};
use fleetgate_stack::Tasks;
use fleetgate_storage::{
    History, Store,
    embedded::{EmbeddedStore, OpenError},
    encryption::{EncryptedStore, Encryption, ReloadMetrics, Reloader},
    etcd::{EtcdConfigError, EtcdStore},
};
use fleetgate_tls::server::{
    CertificateError, CertificateSource, ServerConfigError, ServingCertificates,
    self_signed::{SelfSignedError, self_signed},
    server_config,
};
use fleetgate_upstream::NewUpstream;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use crate::{
    config::{self, Authn, Authz, Backend, Certificate, Config, Host, Members, Serving, Storage},
    health::{Synced, Watched, checks},
    host::{HostClient, HostError},
    listen::listen,
    local::{self, Local},
    log, process,
    serve::{Remaining, Server},
};

/// How often files of certificates and of encryption keys are looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(10);
/// How often it is looked whether credentials changed of clusters that nobody sends requests to.
const REVIEW_INTERVAL: Duration = Duration::from_secs(30);
/// Reviews asked of the host at a time.
const MAX_REVIEWS: usize = 32;

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use --authorization-always-allow-paths")]
    AlwaysAllowPaths(#[source] fleetgate_authz::MisplacedWildcard),
    #[error("cannot load the serving certificate")]
    Certificate(#[source] CertificateError),
    #[error("cannot use the etcd configuration")]
    Etcd(#[source] EtcdConfigError),
    #[error("cannot reach the host")]
    Host(#[source] HostError),
    #[error("cannot listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot serve TLS")]
    Tls(#[source] ServerConfigError),
    #[error("cannot make a self-signed certificate")]
    SelfSigned(#[source] SelfSignedError),
    #[error("cannot open the store")]
    Store(#[source] OpenError),
    #[error("cannot trust what the flags name")]
    Trust(#[source] TrustError),
}

/// Serves until `stop` is cancelled, and has finished when this returns.
///
/// # Errors
/// [`StartError`] before anything is served. Neither host nor store need be up: the server is not
/// ready until they are.
pub async fn run(config: Config, stop: CancellationToken) -> Result<(), StartError> {
    log::start(&config.log);
    tracing::info!("{}", crate::version::line());
    if config.wants_audit {
        tracing::warn!("--audit-policy-file is given, but this release writes no audit log");
    }
    let tasks = Tasks::default();
    let served = serve(&config, &tasks, stop).await;
    // Watches and upgrades end with the tasks. Where the start failed, nothing goes on behind the
    // error.
    tasks.stop().await;
    served?.written_out().await;
    tracing::info!("stopped");
    Ok(())
}

async fn serve(
    config: &Config,
    tasks: &Tasks,
    stop: CancellationToken,
) -> Result<Remaining, StartError> {
    let mut metrics = Registry::default();
    process::register(&mut metrics);
    let Config {
        serving,
        storage,
        host,
        authn,
        authz,
        members,
        ..
    } = config;

    let server = bind(serving, config.grace, tasks).await?;
    let hosts = Hosts::new(host).await.map_err(StartError::Host)?;
    let store = open(storage, tasks).await?;
    let store = encrypted(store, storage, &mut metrics, tasks);
    let strategy = ClusterStrategy {
        modeling: match config.resource_modeling {
            true => ResourceModeling::Customized,
            false => ResourceModeling::Off,
        },
    };
    let clusters = ClusterRegistry::new(strategy, Arc::clone(&store), &storage.prefix);
    tasks.spawn(clusters.run(tasks.stopping().clone()));

    let authenticator = authenticator(authn, &hosts, &mut metrics, tasks).await?;
    let authorizer = Arc::new(authorizer(authz, &hosts, &mut metrics)?);
    let secrets = secrets(members, hosts.secrets(), &clusters, tasks);
    let (in_flight, stacks) = proxy(config, &clusters, secrets, &mut metrics, tasks);
    end_what_is_over(&clusters, &stacks, tasks);

    let synced = synced(&clusters, &authenticator);
    let watched = Watched::new(storage, store, synced, &stop);
    let local = Local::new(local::Parts {
        clusters: &clusters,
        checks: checks(&watched),
        metrics,
        port: server.port(),
        may_also: local::may_also(Arc::clone(&authorizer)),
        tasks: tasks.clone(),
    });
    // Before anything is read from a head that others could read in another way.
    let who = SoundHead
        // Takes credentials and claims out of the request before anything else sees it.
        .then(Authentication::new(authenticator))
        // Refuses ambiguous paths before anybody is asked about them.
        .then(Attribution)
        // Whoever acts as another is counted and authorized as that other.
        .then(Impersonation::new(
            Arc::clone(&authorizer),
            authz.constrained_impersonation,
        ));
    let service = ServiceBuilder::new()
        // Outermost: whatever goes wrong below becomes an answer.
        .layer(RescueLayer::new(fleetgate_apiserver::renderer))
        .layer(StageLayer::new(who))
        // Before the host is asked about one request more.
        .layer(in_flight)
        .layer(StageLayer::new(Authorization::new(authorizer)))
        .layer(RoutingLayer::new(local))
        .service(stacks.clone());
    let upgrades = async move { stacks.upgrades_ended().await };
    Ok(server.run(service, stop, upgrades).await)
}

/// One client for each kubeconfig that differs.
struct Hosts {
    own: HostClient,
    authn: Client,
    authz: Client,
}

impl Hosts {
    async fn new(host: &Host) -> Result<Self, HostError> {
        let own = HostClient::new(host.kubeconfig.as_deref()).await?;
        let other = async |path: &Option<std::path::PathBuf>| match path {
            Some(path) if host.kubeconfig.as_ref() != Some(path) => {
                Ok(HostClient::new(Some(path)).await?.shared())
            }
            Some(_) | None => Ok(own.shared()),
        };
        let authn = other(&host.authn_kubeconfig).await?;
        let authz = other(&host.authz_kubeconfig).await?;
        Ok(Self { own, authn, authz })
    }

    fn secrets(&self) -> HostSecrets {
        let own = self.own.clone();
        HostSecrets::new(own.shared(), move || own.connect())
    }
}

async fn bind(serving: &Serving, grace: Duration, tasks: &Tasks) -> Result<Server, StartError> {
    let source = match &serving.certificate {
        Certificate::Files { certificate, key } => CertificateSource::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        Certificate::SelfSigned(dir) => {
            let names = ["localhost".to_owned(), serving.address.ip().to_string()];
            self_signed(Some(dir), &names).map_err(StartError::SelfSigned)?
        }
    };
    let loaded = ServingCertificates::load(source, serving.named.clone()).await;
    let (certificates, reloader) = loaded.map_err(StartError::Certificate)?;
    tasks.spawn_until_stopped(reloader.run(FILE_INTERVAL));
    let tls = server_config(&serving.tls, certificates).map_err(StartError::Tls)?;
    let listener = listen(serving).map_err(|source| StartError::Listen {
        address: serving.address,
        source,
    })?;
    Ok(Server {
        listener,
        tls,
        max_streams: serving.max_streams,
        grace,
    })
}

async fn open(storage: &Storage, tasks: &Tasks) -> Result<Arc<dyn Store>, StartError> {
    match &storage.backend {
        Backend::Etcd(config) => {
            let store = Arc::new(EtcdStore::new(config).map_err(StartError::Etcd)?);
            if let Some(interval) = storage.compaction_interval {
                let store = Arc::clone(&store);
                tasks.spawn_until_stopped(async move { store.compact_every(interval).await });
            }
            Ok(store)
        }
        Backend::Embedded(dir) => {
            let dir = dir.clone();
            let opened =
                tokio::task::spawn_blocking(move || EmbeddedStore::open(&dir, History::RECENT));
            let opened = opened
                .await
                .expect("opening does not panic and is not cancelled");
            Ok(Arc::new(opened.map_err(StartError::Store)?))
        }
    }
}

/// `store`, with values encrypted as the flags say.
fn encrypted(
    store: Arc<dyn Store>,
    storage: &Storage,
    metrics: &mut Registry,
    tasks: &Tasks,
) -> Arc<dyn Store> {
    let Some(config::Encryption {
        path,
        config,
        reload,
    }) = &storage.encryption
    else {
        return store;
    };
    let encryption = Arc::new(Encryption::new(config.clone(), &storage.prefix));
    if *reload {
        let metrics = ReloadMetrics::register(metrics);
        let reloader = Reloader::new(Arc::clone(&encryption), config, path.clone(), metrics);
        tasks.spawn_until_stopped(reloader.run(FILE_INTERVAL));
    }
    Arc::new(EncryptedStore::new(store, encryption))
}

async fn authenticator(
    authn: &Authn,
    hosts: &Hosts,
    metrics: &mut Registry,
    tasks: &Tasks,
) -> Result<Arc<Authenticator<KubeTokenReview>>, StartError> {
    let lookup = match (authn.skip_lookup, authn.tolerate_failure) {
        (true, _) => Lookup::Skip,
        (false, true) => Lookup::Tolerate(hosts.authn.clone()),
        (false, false) => Lookup::Require(hosts.authn.clone()),
    };
    let trust = TrustConfig {
        client_ca_file: authn.client_ca_file.clone(),
        request_header: authn.request_header.clone(),
        lookup,
        file_interval: FILE_INTERVAL,
    };
    let metrics = fleetgate_authn::Metrics::register(metrics);
    let reviewer = KubeTokenReview::new(hosts.authn.clone(), metrics.clone());
    let made = Authenticator::new(trust, reviewer, authn.token_ttl, metrics).await;
    let (authenticator, keeper) = made.map_err(StartError::Trust)?;
    tasks.spawn_until_stopped(keeper.run());
    Ok(Arc::new(authenticator))
}

fn authorizer(
    authz: &Authz,
    hosts: &Hosts,
    metrics: &mut Registry,
) -> Result<Authorizer<KubeAccessReview>, StartError> {
    let paths = AlwaysAllowedPaths::parse(&authz.always_allow);
    let config = fleetgate_authz::Config {
        allowed_ttl: authz.allowed_ttl,
        denied_ttl: authz.denied_ttl,
        always_allowed_paths: paths.map_err(StartError::AlwaysAllowPaths)?,
        max_reviews_at_a_time: MAX_REVIEWS,
    };
    let metrics = fleetgate_authz::Metrics::register(metrics);
    let reviewer = KubeAccessReview::new(hosts.authz.clone(), metrics.clone());
    Ok(Authorizer::new(config, reviewer, metrics))
}

fn secrets(
    members: &Members,
    host: HostSecrets,
    clusters: &ClusterRegistry,
    tasks: &Tasks,
) -> Arc<Secrets<HostSecrets>> {
    let plain_http = match members.allow_plain_http {
        true => PlainHttp::Allow,
        false => PlainHttp::Refuse,
    };
    let secrets = Arc::new(Secrets::new(host.clone(), plain_http));
    let told = clusters.members();
    let synced = |namespace: &str| tracing::debug!(namespace, "secrets are watched");
    tasks.spawn_until_stopped(fleetgate_credentials::watch(
        Arc::clone(&secrets),
        host,
        told,
        synced,
    ));
    secrets
}

/// The stack of each member.
type Stacks =
    Clusters<ClusterRegistry, Arc<Secrets<HostSecrets>>, NewUpstream, fleetgate_upstream::Upstream>;

/// The limits of requests at a time, and the stacks.
fn proxy(
    config: &Config,
    clusters: &ClusterRegistry,
    secrets: Arc<Secrets<HostSecrets>>,
    metrics: &mut Registry,
    tasks: &Tasks,
) -> (InFlightLayer, Stacks) {
    let new_upstream = new_upstream(&config.members, metrics, tasks);
    let metrics = fleetgate_proxy::Metrics::register(metrics);
    let in_flight = InFlightLayer::new(config.in_flight, &metrics);
    let config = fleetgate_proxy::Config {
        request_timeout: config.members.request_timeout,
        tasks: tasks.clone(),
        metrics,
    };
    let stacks = Clusters::new(config, clusters.clone(), secrets, new_upstream);
    (in_flight, stacks)
}

fn new_upstream(members: &Members, metrics: &mut Registry, tasks: &Tasks) -> NewUpstream {
    let config = fleetgate_upstream::Config {
        connect_timeout: members.connect_timeout,
        tls_timeout: members.connect_timeout,
        ..fleetgate_upstream::Config::default()
    };
    let metrics = fleetgate_upstream::Metrics::register(metrics);
    NewUpstream::new(config, metrics, tasks.clone())
}

/// Ends what lasts on clusters that are no longer registered, and in time what lasts on credentials
/// that were replaced.
fn end_what_is_over(clusters: &ClusterRegistry, stacks: &Stacks, tasks: &Tasks) {
    let (clusters, mut members, registered) =
        (clusters.clone(), clusters.members(), stacks.clone());
    tasks.spawn_until_stopped(async move {
        while members.changed().await.is_ok() {
            registered.retain(&|member| {
                let now = clusters.resolve_cluster(&member.name);
                now.is_some_and(|now| now.uid == member.uid)
            });
        }
    });
    let stacks = stacks.clone();
    tasks.spawn_until_stopped(async move {
        loop {
            sleep(REVIEW_INTERVAL).await;
            stacks.review().await;
        }
    });
}

fn synced(
    clusters: &ClusterRegistry,
    authenticator: &Arc<Authenticator<KubeTokenReview>>,
) -> Vec<Synced> {
    let (clusters, authenticator) = (clusters.clone(), Arc::clone(authenticator));
    vec![
        Synced {
            name: "clusters",
            is_synced: Box::new(move || clusters.registry().is_synced()),
        },
        Synced {
            name: "the host's authentication configuration",
            is_synced: Box::new(move || authenticator.is_synced()),
        },
    ]
}
