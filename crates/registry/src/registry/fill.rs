//! Filling a page of a list from the store, piece by piece.

use std::sync::Arc;

use fleetgate_apimachinery::status::Status;
use fleetgate_storage::{Range, RangeResult, StoreError};

use super::{Registry, page::Page, read::TOO_LARGE_RETRY_SECONDS};
use crate::{Stored, Strategy, error::status, selection::Selection};

/// The largest piece that is read from the store while a page is filled.
const MAX_PIECE: usize = 10_000;

/// Which part of which state is read.
#[derive(Debug)]
pub(super) struct Place {
    /// Where a page starts that is not the first.
    pub(super) page: Option<Page>,
    /// The state; nothing for the newest.
    pub(super) at: Option<i64>,
    /// Most objects of the page; 0 for all.
    pub(super) limit: usize,
}

/// What a page is filled with.
#[derive(Debug)]
pub(super) struct Filled<O> {
    pub(super) items: Vec<Arc<Stored<O>>>,
    pub(super) revision: i64,
    /// The last name that was looked at, where there is more behind it.
    pub(super) last: Option<String>,
    /// How many objects there are behind the page.
    pub(super) remaining: usize,
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Reads pieces of the store until `limit` objects are found or there are no more.
    pub(super) async fn fill(
        &self,
        selection: &Selection,
        place: &Place,
    ) -> Result<Filled<S::Object>, Status> {
        let Place { page, at, limit } = place;
        let (page, limit) = (page.as_ref(), *limit);
        let mut start = format!("{}{}", self.prefix, page.map_or("", |page| &*page.start));
        let mut at = page.map_or(*at, |page| page.revision);
        let mut filled = Filled {
            items: Vec::new(),
            revision: 0,
            last: None,
            remaining: 0,
        };
        let mut piece = limit;
        loop {
            let range = Range {
                at,
                ..Range::prefix(self.prefix.clone())
            };
            let range = range.starting_at(start.clone()).with_limit(piece);
            let found = self.read_piece(range, page).await?;
            filled.revision = found.revision;
            at = Some(found.revision);
            for (index, kv) in found.items.iter().enumerate() {
                let object = self.read(kv)?;
                let name = object.name().to_owned();
                start = format!("{}\0", kv.key);
                if selection.selects(object.object()) {
                    filled.items.push(object);
                }
                if limit > 0 && filled.items.len() == limit {
                    filled.remaining = found.count.saturating_sub(index + 1);
                    filled.last = (filled.remaining > 0).then_some(name);
                    return Ok(filled);
                }
            }
            if !found.more {
                return Ok(filled);
            }
            piece = piece.saturating_mul(2).min(MAX_PIECE);
        }
    }

    /// Reads from the store, for `page` or a first page.
    pub(super) async fn read_piece(
        &self,
        range: Range,
        page: Option<&Page>,
    ) -> Result<RangeResult, Status> {
        match self.store.range(range).await {
            Ok(found) => Ok(found),
            Err(StoreError::Compacted { .. }) => Err(match page {
                Some(page) => Status::inconsistent_continue(page.at_latest().token()),
                None => Status::expired("The resourceVersion for the provided list is too old."),
            }),
            Err(StoreError::FutureRevision { revision }) => Err(self.too_large(revision).await),
            Err(error) => Err(status(&error)),
        }
    }

    async fn too_large(&self, wanted: i64) -> Status {
        let number = |revision: i64| u64::try_from(revision).unwrap_or_default();
        let current = self.store_revision().await.unwrap_or_default();
        Status::too_large_resource_version(number(wanted), number(current), TOO_LARGE_RETRY_SECONDS)
    }
}
