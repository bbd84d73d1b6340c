//! The memory store keeps the contract.

use std::sync::Arc;

use fleetgate_storage::{History, memory::MemoryStore};

use crate::contract::{check_store_contract, forget_by_writing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    let history = History {
        events: 6_000,
        ..History::RECENT
    };
    let store = Arc::new(MemoryStore::new(history));
    check_store_contract(
        &store,
        forget_by_writing(store.clone(), "/filler".to_owned(), history),
    )
    .await;
}
