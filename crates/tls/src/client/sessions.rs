//! What is remembered of servers, so that the next handshake with them is short (RFC 8446, 2.2).

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
    pki_types::ServerName,
};

/// Sessions of one server, as many as the library keeps of each.
const SESSIONS: usize = 8;
/// Servers beyond which all are forgotten.
const MAX_SERVERS: usize = 4_096;

/// The sessions of as many servers as there are. The library's own store takes the memory for all
/// that it might remember at once, for each config anew, and most configs are of one server.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<ServerName<'static>, Arc<ClientSessionMemoryCache>>>);

// === impl Sessions ===

impl Sessions {
    fn known(&self, server: &ServerName<'_>) -> Option<Arc<ClientSessionMemoryCache>> {
        self.0.lock().get(&server.to_owned()).cloned()
    }

    fn of(&self, server: ServerName<'static>) -> Arc<ClientSessionMemoryCache> {
        let mut servers = self.0.lock();
        if servers.len() >= MAX_SERVERS && !servers.contains_key(&server) {
            servers.clear();
        }
        let sessions = servers.entry(server);
        Arc::clone(sessions.or_insert_with(|| Arc::new(ClientSessionMemoryCache::new(SESSIONS))))
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.of(server.clone()).set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.known(server)?.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.of(server.clone()).set_tls12_session(server, session);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.known(server)?.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        if let Some(sessions) = self.known(server) {
            sessions.remove_tls12_session(server);
        }
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.of(server.clone()).insert_tls13_ticket(server, ticket);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.known(server)?.take_tls13_ticket(server)
    }
}

#[cfg(test)]
mod tests {
    use rustls::{NamedGroup, client::ClientSessionStore, pki_types::ServerName};

    use super::{MAX_SERVERS, Sessions};

    fn server(number: usize) -> ServerName<'static> {
        let name = format!("member-{number}.test");
        ServerName::try_from(name).expect("a name")
    }

    #[test]
    fn no_server_makes_room_for_another_until_there_are_too_many() {
        let sessions = Sessions::default();
        let known = |count| (0..count).filter(|n| sessions.kx_hint(&server(*n)).is_some());
        for number in 0..MAX_SERVERS {
            sessions.set_kx_hint(server(number), NamedGroup::X25519);
        }
        assert_eq!(known(MAX_SERVERS).count(), MAX_SERVERS);
        sessions.set_kx_hint(server(0), NamedGroup::X25519);
        assert_eq!(known(MAX_SERVERS).count(), MAX_SERVERS);
        sessions.set_kx_hint(server(MAX_SERVERS), NamedGroup::X25519);
        assert_eq!(known(MAX_SERVERS + 1).count(), 1);
    }
}
