//! Watch: a line of JSON per event, each sent at once.

use bytes::Bytes;
use std::sync::Arc;

use fleetgate_apimachinery::{negotiation::Offer, options::ListVerb, status::Status};
use fleetgate_registry::{Strategy, WatchEvent};
use fleetgate_stack::Body;
use futures::{StreamExt, future, stream::BoxStream};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use super::{
    Resource,
    view::{Headers, STREAMED, Shown},
};
use crate::{
    asked::{Asked, Failure},
    respond,
};

// === impl Resource ===

impl<S: Strategy> Resource<S> {
    /// What happens from now on, or from the resource version that is named, until the time is
    /// over, the server ends, or the caller goes.
    pub(super) async fn watch(&self, asked: &Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(Offer::Watch)?;
        let options = self.list_options(asked, ListVerb::Watch)?;
        let shown = Shown::of(output, &asked.query())?;
        let events = self.registry.watch(&options).await?;
        let lines = self.lines(events.boxed(), shown);
        let ending = self.ending.clone().cancelled_owned();
        let frames = lines
            .take_until(ending)
            .map(|line| Ok::<_, Status>(Frame::data(line)));
        let body = Body::new(StreamBody::new(frames));
        Ok(respond::respond(
            StatusCode::OK,
            STREAMED.content_type(),
            body,
        ))
    }

    /// Each event as a line. Of tables, the first one alone says what its columns are.
    fn lines(
        &self,
        events: BoxStream<'static, WatchEvent<S::Object>>,
        mut shown: Shown,
    ) -> impl futures::Stream<Item = Bytes> + Send + use<S> {
        let printer = Self::new(
            self.registry.clone(),
            self.printer,
            Arc::clone(&self.may_also),
            self.ending.clone(),
        );
        let lines = events.map(move |event| {
            let object = match event.object() {
                Some(object) => printer.object_json(object, shown),
                None => Ok(event.json()),
            };
            shown.headers = Headers::Hide;
            object.map(|object| line(event.event_type(), &object))
        });
        // What cannot be written ends the watch: an event must not be missed.
        lines
            .take_while(|line| future::ready(line.is_ok()))
            .filter_map(|l| future::ready(l.ok()))
    }
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    [
        format!(r#"{{"type":"{kind}","object":"#).as_bytes(),
        object,
        b"}\n",
    ]
    .concat()
    .into()
}

#[cfg(test)]
mod tests;
