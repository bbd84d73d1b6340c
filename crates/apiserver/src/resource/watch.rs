//! Watch: a line of JSON per event, each sent at once.

mod socket;

use bytes::Bytes;
use std::sync::Arc;

use fleetgate_apimachinery::{
    negotiation::{Offer, View},
    status::Status,
};
use fleetgate_registry::{Strategy, WatchEvent};
use fleetgate_stack::Body;
use futures::{StreamExt, future, stream::BoxStream};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use self::socket::Handshake;
use super::{
    Resource,
    read::list_options,
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
    pub(super) async fn watch(&self, asked: Asked) -> Result<Response<Body>, Failure> {
        let output = asked.answer().output(Offer::Watch)?;
        let options = list_options(&asked)?;
        let shown = Shown::of(output, &asked.query())?;
        let events = self.registry.watch(&options).await?;
        let (mut request, _) = asked.into_parts();
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let handshake = Handshake::of(&parts)?;
        let lines = self.lines(events.boxed(), shown);
        if let Some(handshake) = handshake {
            let ending = self.tasks.stopping().clone();
            self.tasks.spawn(socket::run(upgrade, lines, ending));
            return Ok(handshake.answer());
        }
        let frames = lines.map(|line| Ok::<_, Status>(Frame::data(line)));
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
            self.tasks.clone(),
        );
        let lines = events.map(move |event| {
            let line = printer.line(&event, shown);
            shown.headers = Headers::Hide;
            line
        });
        // What cannot be written ends the watch: an event must not be missed.
        lines
            .take_while(|line| future::ready(line.is_ok()))
            .filter_map(|l| future::ready(l.ok()))
    }

    /// An event as a line: made once for all who watch in the same form.
    fn line(&self, event: &WatchEvent<S::Object>, shown: Shown) -> Result<Bytes, Status> {
        let kind = event.event_type();
        let (object, number) = match event {
            WatchEvent::Added(object) if shown.output.view == View::Object => {
                return Ok(object.added_line());
            }
            WatchEvent::Added(object) => (object, 0),
            WatchEvent::Modified(object) => (object, 1),
            WatchEvent::Deleted(object) => (object, 2),
            WatchEvent::Bookmark(object) => {
                return Ok(line(kind, &self.object_json(object, shown)?));
            }
            WatchEvent::Error(_) => return Ok(line(kind, &event.json())),
        };
        object.in_form(shown.form(number), || {
            Ok(line(kind, &self.object_json(object, shown)?))
        })
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
