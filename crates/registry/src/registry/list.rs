//! Reading many objects, page by page where the caller wants it.

use std::{sync::Arc, time::Duration};

use fleetgate_apimachinery::{
    meta::ListMeta,
    options::{ListOptions, ResourceVersion, ResourceVersionMatch},
    status::Status,
};
use fleetgate_storage::{Range, RangeResult};

use super::{
    Registry,
    fill::{Filled, Place},
    page::Page,
    read::not_older,
};
use crate::{Object, Stored, Strategy, error::status, selection::Selection};

/// How long a list waits for memory to catch up with the store before it is read from there: about
/// as long as that read would take.
const CATCH_UP: Duration = Duration::from_millis(100);

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
    /// As it is now: from memory, if that is up to the store.
    Newest,
    /// From the store, the next page of an earlier state or of what is there.
    Page(Page),
    /// From the store, as of a revision.
    Exact(i64),
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// The objects that `options` select, in the state that they ask for.
    ///
    /// # Errors
    /// 400 for selectors and continue tokens that are none, 410 for a state that is no longer kept
    /// (with a token to go on from what is there, if this is not the first page), 504 for one that
    /// is yet to come, and those of the store.
    pub async fn list(&self, options: &ListOptions) -> Result<List<S::Object>, Status> {
        let selection = Selection::of(options)?;
        let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
        let source = source(options)?;
        if let (Some(name), None) = (self.one_name(&selection), source.page()) {
            let filled = self.fill_one(name, &selection, &source).await?;
            return Ok(listed(filled, &selection));
        }
        let (page, at, not_older_than) = match source {
            Source::Memory { not_older_than } if self.remembers(not_older_than) => {
                let limit = if not_older_than == 0 { 0 } else { limit };
                return Ok(self.list_memory(&selection, limit));
            }
            Source::Newest if self.is_up_to_date().await? => {
                return Ok(self.list_memory(&selection, limit));
            }
            Source::Memory { not_older_than } => (None, None, not_older_than),
            Source::Newest => (None, None, 0),
            Source::Page(page) => (Some(page), None, 0),
            Source::Exact(at) => (None, Some(at), 0),
        };
        let place = Place { page, at, limit };
        let filled = self.fill(&selection, &place).await?;
        not_older(not_older_than, filled.revision)?;
        Ok(listed(filled, &selection))
    }

    /// Whether memory holds all that was in the store when this was called. Where it lags, it is
    /// given a moment: the store moves on by what others write to it, too, which is no news here.
    /// Where it holds fewer objects, there are some that cannot be read, and that is to be told.
    async fn is_up_to_date(&self) -> Result<bool, Status> {
        if !self.is_synced() {
            return Ok(false);
        }
        let RangeResult {
            revision, count, ..
        } = self.look().await?;
        if self.cache.revision() < revision {
            self.store.request_progress();
            if !self.cache.reached(revision, CATCH_UP).await {
                return Ok(false);
            }
        }
        Ok(self.cache.len() == count)
    }

    /// The revision of the store as it is now.
    pub(super) async fn store_revision(&self) -> Result<i64, Status> {
        Ok(self.look().await?.revision)
    }

    /// How far the store is, and how many objects it has.
    async fn look(&self) -> Result<RangeResult, Status> {
        let range = Range::prefix(self.prefix.clone()).with_limit(1);
        let found = self.store.range(range).await;
        found.map_err(|error| status(&error))
    }

    /// The one name that is selected, if it may be one.
    fn one_name<'s>(&self, selection: &'s Selection) -> Option<&'s str> {
        let name = selection.name()?;
        self.key(name).is_ok().then_some(name)
    }

    /// Reads the one object that can be selected. There are no pages of it.
    async fn fill_one(
        &self,
        name: &str,
        selection: &Selection,
        source: &Source,
    ) -> Result<Filled<S::Object>, Status> {
        let (found, revision) = match *source {
            Source::Memory { not_older_than } if self.remembers(not_older_than) => {
                // The revision first: what is read then is not older.
                let revision = self.cache.revision();
                (self.cache.get(name), revision)
            }
            Source::Memory { not_older_than } => {
                let (found, revision) = self.get_with_revision(name, None).await?;
                not_older(not_older_than, revision)?;
                (found, revision)
            }
            Source::Exact(at) => self.get_with_revision(name, Some(at)).await?,
            Source::Newest | Source::Page(_) => self.get_with_revision(name, None).await?,
        };
        let items = found.into_iter();
        Ok(Filled {
            items: items
                .filter(|object| selection.selects(object.object()))
                .collect(),
            revision,
            last: None,
            remaining: 0,
        })
    }

    fn list_memory(&self, selection: &Selection, limit: usize) -> List<S::Object> {
        let found = self
            .cache
            .snapshot(limit, |object| selection.selects(object));
        let last = found.objects.last().filter(|_| found.more);
        let filled = Filled {
            last: last.map(|object| object.name().to_owned()),
            remaining: found.count - found.objects.len(),
            items: found.objects,
            revision: found.revision,
        };
        listed(filled, selection)
    }
}

// === impl Source ===

impl Source {
    const fn page(&self) -> Option<&Page> {
        match self {
            Self::Page(page) => Some(page),
            Self::Memory { .. } | Self::Newest | Self::Exact(_) => None,
        }
    }
}

/// Where Kubernetes reads a list from.
fn source(options: &ListOptions) -> Result<Source, Status> {
    let number = |revision: u64| i64::try_from(revision).unwrap_or(i64::MAX);
    let version = options.resource_version;
    if !options.continue_token.is_empty() {
        let page = Page::parse(&options.continue_token)?;
        if matches!(version, ResourceVersion::At(_)) {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Status::bad_request(message));
        }
        return Ok(Source::Page(page));
    }
    Ok(match (version, options.resource_version_match) {
        (ResourceVersion::Unset, _) => Source::Newest,
        (ResourceVersion::Any, _) => Source::Memory { not_older_than: 0 },
        (ResourceVersion::At(revision), Some(ResourceVersionMatch::Exact)) => {
            Source::Exact(number(revision))
        }
        (ResourceVersion::At(revision), None) if options.limit > 0 => {
            Source::Exact(number(revision))
        }
        (ResourceVersion::At(revision), Some(ResourceVersionMatch::NotOlderThan) | None) => {
            Source::Memory {
                not_older_than: revision,
            }
        }
    })
}

fn listed<O: Object>(filled: Filled<O>, selection: &Selection) -> List<O> {
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
