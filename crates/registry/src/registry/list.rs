//! Reading many objects, page by page where the caller wants it.

use std::sync::Arc;

use fleetgate_apimachinery::{
    meta::ListMeta,
    options::{ListOptions, ResourceVersion, ResourceVersionMatch},
    status::Status,
};
use fleetgate_storage::{Range, StoreError};

use super::{
    Registry,
    page::Page,
    read::{TOO_LARGE_RETRY_SECONDS, not_older},
};
use crate::{Stored, Strategy, error::status, selection::Selection};

/// The largest piece that is read from the store while a page is filled.
const MAX_PIECE: usize = 10_000;
const EXPIRED_PAGE: &str = "The provided continue parameter is too old to display a consistent \
                            list result. You can start a new list without the continue parameter.";

/// Objects in the order of their names. As items of a list they carry neither `kind` nor
/// `apiVersion`: see [`Stored::item_json_after_brace`].
#[derive(Clone, Debug)]
pub struct List<O> {
    /// The list's own metadata: the state that was read, and where the next page starts.
    pub metadata: ListMeta,
    /// The objects.
    pub items: Vec<Arc<Stored<O>>>,
}

/// Where a list is read.
#[derive(Debug)]
enum Source {
    /// From memory, if that is not older than this.
    Memory { not_older_than: u64 },
    /// From the store, as of a revision or as it is now.
    Store {
        page: Option<Page>,
        at: Option<i64>,
        not_older_than: u64,
    },
}

/// What a page is filled with.
struct Filled<O> {
    items: Vec<Arc<Stored<O>>>,
    revision: i64,
    /// The last name that was looked at, where there is more behind it.
    last: Option<String>,
    /// How many objects there are behind the page.
    remaining: usize,
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// The objects that `options` select, in the state that they ask for.
    ///
    /// # Errors
    /// 400 for selectors and continue tokens that are none, 410 for a state that is no longer kept,
    /// 504 for one that is yet to come, and those of the store.
    pub async fn list(&self, options: &ListOptions) -> Result<List<S::Object>, Status> {
        let selection = Selection::of(options)?;
        let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
        let (page, at, not_older_than) = match source(options)? {
            Source::Memory { not_older_than } if self.remembers(not_older_than) => {
                let limit = if not_older_than == 0 { 0 } else { limit };
                return Ok(self.list_memory(&selection, limit));
            }
            Source::Memory { not_older_than } => (None, None, not_older_than),
            Source::Store {
                page,
                at,
                not_older_than,
            } => (page, at, not_older_than),
        };
        let filled = self.fill(&selection, page.as_ref(), at, limit).await?;
        not_older(not_older_than, filled.revision)?;
        Ok(listed(filled, &selection))
    }

    fn list_memory(&self, selection: &Selection, limit: usize) -> List<S::Object> {
        let mut found = self.cache.snapshot(|object| selection.selects(object));
        let total = found.objects.len();
        let mut last = None;
        if limit > 0 && total > limit {
            found.objects.truncate(limit);
            last = found.objects.last().map(|object| object.name().to_owned());
        }
        let remaining = total - found.objects.len();
        let (items, revision) = (found.objects, found.revision);
        listed(
            Filled {
                items,
                revision,
                last,
                remaining,
            },
            selection,
        )
    }

    /// Reads pieces of the store until `limit` objects are found or there are no more.
    async fn fill(
        &self,
        selection: &Selection,
        page: Option<&Page>,
        at: Option<i64>,
        limit: usize,
    ) -> Result<Filled<S::Object>, Status> {
        let mut start = format!("{}{}", self.prefix, page.map_or("", |page| &*page.start));
        let mut at = page.map_or(at, |page| page.revision);
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
            let found = match self.store.range(range).await {
                Ok(found) => found,
                Err(StoreError::Compacted { .. }) if page.is_some() => {
                    return Err(Status::expired(EXPIRED_PAGE));
                }
                Err(StoreError::FutureRevision { revision }) => {
                    return Err(self.too_large(revision));
                }
                Err(error) => return Err(status(&error)),
            };
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

    fn too_large(&self, wanted: i64) -> Status {
        let number = |revision: i64| u64::try_from(revision).unwrap_or_default();
        let current = number(self.cache.revision());
        Status::too_large_resource_version(number(wanted), current, TOO_LARGE_RETRY_SECONDS)
    }
}

/// Where Kubernetes reads a list from.
fn source(options: &ListOptions) -> Result<Source, Status> {
    let number = |revision: u64| i64::try_from(revision).unwrap_or(i64::MAX);
    let store = |page, at| Source::Store {
        page,
        at,
        not_older_than: 0,
    };
    let version = options.resource_version;
    if !options.continue_token.is_empty() {
        let page = Page::parse(&options.continue_token)?;
        if matches!(version, ResourceVersion::At(_)) {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Status::bad_request(message));
        }
        return Ok(store(Some(page), None));
    }
    Ok(match (version, options.resource_version_match) {
        (ResourceVersion::Unset, _) => store(None, None),
        (ResourceVersion::Any, _) => Source::Memory { not_older_than: 0 },
        (ResourceVersion::At(revision), Some(ResourceVersionMatch::Exact)) => {
            store(None, Some(number(revision)))
        }
        (ResourceVersion::At(revision), None) if options.limit > 0 => {
            store(None, Some(number(revision)))
        }
        (ResourceVersion::At(revision), Some(ResourceVersionMatch::NotOlderThan) | None) => {
            Source::Memory {
                not_older_than: revision,
            }
        }
    })
}

fn listed<O: crate::Object>(filled: Filled<O>, selection: &Selection) -> List<O> {
    let Filled {
        items,
        revision,
        last,
        remaining,
    } = filled;
    let remaining = last.is_some().then_some(remaining);
    let metadata = ListMeta {
        resource_version: revision.to_string(),
        continue_token: last
            .map(|last| Page::behind(&last, revision).token())
            .unwrap_or_default(),
        // What the selectors leave out is counted by nobody.
        remaining_item_count: remaining
            .filter(|_| selection.is_everything())
            .and_then(|remaining| i64::try_from(remaining).ok()),
        ..ListMeta::default()
    };
    List { metadata, items }
}
