//! The REST semantics over a memory store.

mod applies;
mod concurrent;
mod creates;
mod deletes;
mod encrypted;
mod lists;
mod reads;
mod second_kind;
mod shared_store;
mod updates;

use fleetgate_api::Cluster;
use fleetgate_apimachinery::{
    options::{DryRun, UpdateOptions},
    status::Status,
};
use fleetgate_storage::{Range, Store};

use super::{Change, Part};
use crate::{
    Stored,
    testing::{Fixture, written_by},
};

fn only_tried() -> UpdateOptions {
    UpdateOptions {
        dry_run: DryRun::All,
        ..written_by("test")
    }
}

/// Changes the cluster called `name`, as a patch would.
async fn patch(
    fixture: &Fixture,
    name: &str,
    change: impl Fn(&mut Cluster) + Send + Sync,
) -> Result<std::sync::Arc<Stored<Cluster>>, Status> {
    patch_part(fixture, name, Part::Main, change).await
}

async fn patch_part(
    fixture: &Fixture,
    name: &str,
    part: Part,
    change: impl Fn(&mut Cluster) + Send + Sync,
) -> Result<std::sync::Arc<Stored<Cluster>>, Status> {
    let change = Change::with(|current: &Stored<Cluster>| {
        let mut cluster: Cluster = current.object().clone();
        change(&mut cluster);
        Ok(cluster)
    });
    fixture
        .registry()
        .update(name, part, change, &written_by("test"))
        .await
}

/// Replaces the cluster called `name`, as a PUT would.
async fn put(
    fixture: &Fixture,
    name: &str,
    cluster: Cluster,
) -> Result<std::sync::Arc<Stored<Cluster>>, Status> {
    let change = Change::Replace(cluster);
    fixture
        .registry()
        .update(name, Part::Main, change, &written_by("test"))
        .await
}

/// What the store holds under the key of the cluster called `name`.
async fn value(fixture: &Fixture, name: &str) -> Option<String> {
    let key = format!("/registry/cluster.karmada.io/clusters/{name}");
    let found = fixture
        .store
        .range(Range::key(key))
        .await
        .expect("a store that is there");
    let value = found.items.first().map(|kv| kv.value.to_vec());
    value.map(|value| String::from_utf8(value).expect("JSON is UTF-8"))
}
