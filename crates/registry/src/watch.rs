//! A watch: what is there, then what happens, as the caller selects it.

mod bookmarks;

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration, vec};

use bytes::Bytes;
use fleetgate_apimachinery::{json, status::Status, watch::INITIAL_EVENTS_END};
use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    Object, Stored,
    cache::{Cache, Change},
    selection::Selection,
    strategy::Names,
};
use bookmarks::Bookmarks;

/// At most so many changes are looked at in one go, which bounds what a watcher holds.
const MAX_BATCH: usize = 64;

/// One event of a watch.
#[derive(Clone, Debug)]
pub enum WatchEvent<O> {
    /// An object came into sight.
    Added(Arc<Stored<O>>),
    /// Nothing happened up to the resource version of this otherwise empty object.
    Bookmark(Arc<Stored<O>>),
    /// An object went from sight: as it was, with the resource version at which it went.
    Deleted(Arc<Stored<O>>),
    /// The watch ends for this reason.
    Error(Box<Status>),
    /// An object in sight changed.
    Modified(Arc<Stored<O>>),
}

/// From where a watch starts.
#[derive(Debug)]
pub(crate) enum Start<O> {
    /// Behind everything up to a revision.
    After(i64),
    /// With all that is in memory.
    Everything(InitialEvents),
    /// With these objects, which are what is selected at that revision, and a bookmark.
    Found {
        objects: Vec<Arc<Stored<O>>>,
        revision: i64,
    },
    /// Not at all.
    Never(Box<Status>),
    /// Behind all that is in memory.
    Now,
}

/// How the initial events end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InitialEvents {
    /// With a bookmark that says so.
    Marked,
    /// Without a sign.
    Unmarked,
}

/// What a watch is to be.
#[derive(Debug)]
pub(crate) struct WatchSpec<O> {
    pub(crate) selection: Selection,
    pub(crate) start: Start<O>,
    pub(crate) lasts: Duration,
    pub(crate) bookmarks: bool,
}

/// Where a watcher stands.
struct Watcher<O> {
    cache: Arc<Cache<O>>,
    head: watch::Receiver<i64>,
    names: &'static Names,
    selection: Selection,
    /// What was there at the start and is yet to be told, before all that is in the queue.
    initial: vec::IntoIter<Arc<Stored<O>>>,
    /// Events that are ready.
    queue: VecDeque<WatchEvent<O>>,
    /// The position of the next change to look at; nothing once the watch is over.
    next: Option<u64>,
    /// Changes up to this revision are no news.
    from: i64,
    /// Everything up to this revision is in the queue or was sent.
    seen: i64,
    /// Whether all that had happened when [`Self::head`] was last heard was looked at.
    is_current: bool,
    deadline: Instant,
    bookmarks: Option<Bookmarks>,
    /// When something is due without a change. Set anew only when that is another time.
    due: Pin<Box<Sleep>>,
}

/// The events that `spec` asks for. Ends at its time, after an error, or when nobody keeps `cache`
/// up any more.
pub(crate) fn watch<O: Object>(
    cache: Arc<Cache<O>>,
    names: &'static Names,
    spec: WatchSpec<O>,
) -> impl Stream<Item = WatchEvent<O>> + Send + use<O> {
    // Boxed, as it is moved for each event.
    let watcher = Box::new(Watcher::new(cache, names, spec));
    stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((event, watcher))
    })
}

// === impl WatchEvent ===

impl<O: Object> WatchEvent<O> {
    /// The `type` of the event.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Added(_) => "ADDED",
            Self::Bookmark(_) => "BOOKMARK",
            Self::Deleted(_) => "DELETED",
            Self::Error(_) => "ERROR",
            Self::Modified(_) => "MODIFIED",
        }
    }

    /// The object of the event; none for an error, whose object is a Status.
    pub const fn object(&self) -> Option<&Arc<Stored<O>>> {
        match self {
            Self::Added(object)
            | Self::Bookmark(object)
            | Self::Deleted(object)
            | Self::Modified(object) => Some(object),
            Self::Error(_) => None,
        }
    }

    /// The `object` of the event as compact JSON.
    pub fn json(&self) -> Bytes {
        match self {
            Self::Added(object)
            | Self::Bookmark(object)
            | Self::Deleted(object)
            | Self::Modified(object) => object.json(),
            Self::Error(status) => json::to_vec(status).unwrap_or_default().into(),
        }
    }
}

// === impl Watcher ===

impl<O: Object> Watcher<O> {
    fn new(cache: Arc<Cache<O>>, names: &'static Names, spec: WatchSpec<O>) -> Self {
        let WatchSpec {
            selection,
            start,
            lasts,
            bookmarks,
        } = spec;
        let now = Instant::now();
        let deadline = now + lasts;
        let bookmarks = bookmarks.then(|| Bookmarks::new(now, deadline));
        let due = bookmarks.as_ref().map_or(deadline, Bookmarks::next);
        let mut watcher = Self {
            head: cache.subscribe(),
            cache,
            names,
            selection,
            initial: vec::IntoIter::default(),
            queue: VecDeque::new(),
            next: None,
            from: 0,
            seen: 0,
            is_current: false,
            deadline,
            bookmarks,
            due: Box::pin(sleep_until(deadline.min(due))),
        };
        watcher.start(start);
        watcher
    }

    fn start(&mut self, start: Start<O>) {
        match start {
            Start::After(revision) => self.start_after(revision),
            Start::Everything(ends) => {
                let found = self
                    .cache
                    .snapshot(0, |object| self.selection.selects(object));
                self.start_with(found.objects, found.revision, found.next);
                if ends == InitialEvents::Marked {
                    self.end_initial_events();
                }
            }
            Start::Found { objects, revision } => {
                self.start_after(revision);
                if let Some(next) = self.next {
                    self.start_with(objects, revision, next);
                    self.end_initial_events();
                }
            }
            Start::Never(status) => self.queue.push_back(WatchEvent::Error(status)),
            Start::Now => {
                let found = self.cache.snapshot(0, |_| false);
                self.start_with(Vec::new(), found.revision, found.next);
            }
        }
    }

    fn start_after(&mut self, revision: i64) {
        match self.cache.position_after(revision) {
            Ok(next) => self.start_with(Vec::new(), revision, next),
            Err(too_old) => self.end_too_old(revision, too_old.oldest),
        }
    }

    fn start_with(&mut self, objects: Vec<Arc<Stored<O>>>, revision: i64, next: u64) {
        self.initial = objects.into_iter();
        (self.from, self.seen, self.next) = (revision, revision, Some(next));
    }

    fn end_initial_events(&mut self) {
        if self.bookmarks.is_some() {
            let mut object = O::default();
            let annotations = &mut object.metadata_mut().annotations;
            annotations.insert(INITIAL_EVENTS_END.to_owned(), "true".to_owned());
            self.queue.push_back(self.bookmark(object));
        }
    }

    async fn next(&mut self) -> Option<WatchEvent<O>> {
        // Whoever watches for a time is not kept longer, whatever happens.
        if Instant::now() >= self.deadline {
            return None;
        }
        if let Some(object) = self.initial.next() {
            return Some(WatchEvent::Added(object));
        }
        // What it stood in is not needed any more.
        self.initial = vec::IntoIter::default();
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            let position = self.next?;
            if !self.is_current {
                self.look(position);
                continue;
            }
            tokio::select! {
                biased;
                () = &mut self.due => return self.due_bookmark(),
                changed = self.head.changed() => changed.ok()?,
            }
            self.is_current = false;
        }
    }

    /// The bookmark that is due; none at the deadline.
    fn due_bookmark(&mut self) -> Option<WatchEvent<O>> {
        let now = Instant::now();
        let bookmarks = self.bookmarks.as_mut().filter(|_| now < self.deadline)?;
        bookmarks.sent(now);
        self.due.as_mut().reset(bookmarks.next().min(self.deadline));
        Some(self.bookmark(O::default()))
    }

    /// Takes the changes from `position` on into the queue.
    fn look(&mut self, position: u64) {
        match self.cache.changes_from(position, MAX_BATCH) {
            Err(too_old) => self.end_too_old(self.seen, too_old.oldest),
            Ok(found) => {
                self.is_current = found.changes.len() < MAX_BATCH;
                self.next = (!found.last).then_some(found.next);
                self.seen = self.seen.max(found.revision);
                let news = found
                    .changes
                    .iter()
                    .filter(|change| change.revision > self.from);
                let events = news.filter_map(|change| self.event(change));
                self.queue = events.collect();
            }
        }
    }

    /// What `change` is to the caller, who sees only what is selected.
    fn event(&self, change: &Change<O>) -> Option<WatchEvent<O>> {
        let in_sight = |object: &&Arc<Stored<O>>| self.selection.selects(object.object());
        let was_in_sight = change.previous.as_ref().filter(in_sight).is_some();
        match change.object.as_ref().filter(in_sight).cloned() {
            Some(object) if was_in_sight => Some(WatchEvent::Modified(object)),
            Some(object) => Some(WatchEvent::Added(object)),
            None if was_in_sight => change.gone().map(WatchEvent::Deleted),
            None => None,
        }
    }

    fn bookmark(&self, object: O) -> WatchEvent<O> {
        WatchEvent::Bookmark(Arc::new(Stored::new(object, self.seen, self.names)))
    }

    fn end_too_old(&mut self, wanted: i64, oldest: i64) {
        let number = |revision: i64| u64::try_from(revision).unwrap_or_default();
        let status = Status::too_old(number(wanted), number(oldest));
        self.queue.push_back(WatchEvent::Error(Box::new(status)));
        self.next = None;
    }
}

#[cfg(test)]
mod tests;
