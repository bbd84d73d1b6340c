//! etcd's messages, and how requests and answers translate to them.

use bytes::Bytes;

use crate::{Event, EventKind, KeyValue, Keys, Range, RangeResult, ValueState, Write};

use self::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, TxnRequest,
    TxnResponse,
    compare::{CompareResult, CompareTarget, TargetUnion},
    request_op, response_op,
};

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
pub(super) mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
pub(super) mod mvccpb {
    tonic::include_proto!("mvccpb");
}

/// etcd's way to say "from the start" as a key, and "to the end" as a range end.
const ZERO: Bytes = Bytes::from_static(b"\0");

/// Key and range end that cover all keys with `prefix`.
pub(super) fn prefix_bounds(prefix: &str) -> (Bytes, Bytes) {
    (first_key(prefix), prefix_end(prefix))
}

fn first_key(first: &str) -> Bytes {
    if first.is_empty() { ZERO } else { bytes(first) }
}

/// The first key after all those with `prefix`.
fn prefix_end(prefix: &str) -> Bytes {
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        // No byte of UTF-8 is 0xff, so there is a next one.
        Some(last) => *last += 1,
        None => return ZERO,
    }
    end.into()
}

fn bytes(key: &str) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

pub(super) fn range_request(range: &Range) -> RangeRequest {
    let range_end = match &range.keys {
        // Only with a start after the key can the two differ, and then nothing is asked for.
        Keys::One(key) if key == range.first() => Bytes::new(),
        Keys::One(_) => bytes(range.first()),
        Keys::Prefix(prefix) => prefix_end(prefix),
    };
    RangeRequest {
        key: first_key(range.first()),
        range_end,
        limit: i64::try_from(range.limit).unwrap_or(0),
        revision: range.at.unwrap_or(0),
    }
}

/// Writes if the key is at the expected revision, else reads it.
pub(super) fn write_request(write: &Write) -> TxnRequest {
    let key = bytes(write.key());
    let target = TargetUnion::ModRevision(write.expected().unwrap_or(0));
    let request = match write.value() {
        Some(value) => request_op::Request::RequestPut(PutRequest {
            key: key.clone(),
            value: value.clone(),
        }),
        None => request_op::Request::RequestDeleteRange(DeleteRangeRequest { key: key.clone() }),
    };
    write_or_read(key, CompareTarget::Mod, target, request)
}

/// Does `request` if `key` compares equal to `target`, else reads the key.
pub(super) fn write_or_read(
    key: Bytes,
    kind: CompareTarget,
    target: TargetUnion,
    request: request_op::Request,
) -> TxnRequest {
    let compare = Compare {
        result: CompareResult::Equal.into(),
        target: kind.into(),
        key: key.clone(),
        target_union: Some(target),
    };
    TxnRequest {
        compare: vec![compare],
        success: vec![op(request)],
        failure: vec![read_op(key)],
    }
}

/// What a transaction of [`write_or_read`] read instead of writing.
pub(super) fn read_instead(response: TxnResponse) -> Option<mvccpb::KeyValue> {
    ranges(response).find_map(|range| range.kvs.into_iter().next())
}

/// Reads one key.
pub(super) fn read_key(key: Bytes) -> RangeRequest {
    RangeRequest {
        key,
        ..RangeRequest::default()
    }
}

/// Reads some keys at once.
pub(super) fn read_keys(keys: Vec<Bytes>) -> TxnRequest {
    TxnRequest {
        compare: Vec::new(),
        success: keys.into_iter().map(read_op).collect(),
        failure: Vec::new(),
    }
}

fn read_op(key: Bytes) -> RequestOp {
    op(request_op::Request::RequestRange(read_key(key)))
}

const fn op(request: request_op::Request) -> RequestOp {
    RequestOp {
        request: Some(request),
    }
}

/// What a transaction read, in the order in which it was asked for.
pub(super) fn ranges(response: TxnResponse) -> impl Iterator<Item = RangeResponse> {
    let responses = response.responses.into_iter();
    responses.filter_map(|op| match op.response {
        Some(response_op::Response::ResponseRange(range)) => Some(range),
        Some(
            response_op::Response::ResponsePut(_) | response_op::Response::ResponseDeleteRange(_),
        )
        | None => None,
    })
}

/// What was read at `revision`.
pub(super) fn range_result(response: RangeResponse, revision: i64) -> RangeResult {
    RangeResult {
        items: response.kvs.into_iter().filter_map(key_value).collect(),
        revision,
        count: usize::try_from(response.count).unwrap_or(0),
        more: response.more,
    }
}

/// `None` for a key that is not UTF-8: it cannot be one of ours.
pub(super) fn key_value(kv: mvccpb::KeyValue) -> Option<KeyValue> {
    let mvccpb::KeyValue {
        key,
        create_revision,
        mod_revision,
        version,
        value,
    } = kv;
    match String::from_utf8(key.into()) {
        Ok(key) => Some(KeyValue {
            key,
            value,
            create_revision,
            mod_revision,
            version,
            state: ValueState::Current,
        }),
        Err(error) => {
            tracing::warn!(key = ?error.as_bytes(), "skipping a key in etcd that is not UTF-8");
            None
        }
    }
}

/// `None` for a key that is not UTF-8.
pub(super) fn event(event: mvccpb::Event) -> Option<Event> {
    let kind = match event.r#type() {
        mvccpb::event::EventType::Put => EventKind::Put,
        mvccpb::event::EventType::Delete => EventKind::Delete,
    };
    let kv = key_value(event.kv.unwrap_or_default())?;
    Some(Event {
        kind,
        kv,
        prev: event.prev_kv.and_then(key_value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_key_without_it() {
        #[track_caller]
        fn check(prefix: &str, key: &[u8], end: &[u8]) {
            let (first, last) = prefix_bounds(prefix);
            assert_eq!((&first[..], &last[..]), (key, end));
        }
        check("/registry/", b"/registry/", b"/registry0");
        check("a", b"a", b"b");
        check("", b"\0", b"\0");
        check("\u{10ffff}", b"\xf4\x8f\xbf\xbf", b"\xf4\x8f\xbf\xc0");
    }

    #[test]
    fn a_single_key_after_the_start_asks_for_nothing() {
        let request = range_request(&Range::key("/a").starting_at("/b"));
        assert_eq!(
            (&request.key[..], &request.range_end[..]),
            (&b"/b"[..], &b"/b"[..])
        );
        let request = range_request(&Range::key("/a").starting_at("/A"));
        assert_eq!(
            (&request.key[..], &request.range_end[..]),
            (&b"/a"[..], &b""[..])
        );
    }
}
