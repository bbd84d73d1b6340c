//! For tests: an etcd that answers as it is told, and a store in it.

use fleetgate_testkit::{Answer, FakeMember};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use prost::Message;

use super::{EtcdConfig, EtcdStore, EtcdTls, wire::etcdserverpb::ResponseHeader};

pub(super) fn answer(message: &impl Message) -> Answer {
    Answer::Grpc {
        message: Some(message.encode_to_vec().into()),
        status: "0",
    }
}

/// A failure with this code, in etcd's words.
pub(super) fn refusal(code: &'static str, words: &'static str) -> Answer {
    let header = |name, value| (name, HeaderValue::from_static(value));
    Answer::Full {
        status: StatusCode::OK,
        headers: vec![
            header(CONTENT_TYPE, "application/grpc"),
            header(HeaderName::from_static("grpc-status"), code),
            header(HeaderName::from_static("grpc-message"), words),
        ],
        body: bytes::Bytes::new(),
    }
}

pub(super) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision })
}

pub(super) fn store(etcd: &FakeMember) -> EtcdStore {
    EtcdStore::new(&EtcdConfig {
        endpoints: vec![etcd.url()],
        tls: EtcdTls::default(),
        request_timeout: EtcdConfig::REQUEST_TIMEOUT,
        progress_interval: EtcdConfig::PROGRESS_INTERVAL,
    })
    .expect("a store")
}
