//! A component's stream: until it is let in, and how stanzas are written to it.

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stream::component::{Acceptor, Output};
use waxwing_stream::sasl::Failure;
use waxwing_stream::{StreamCondition, StreamError};
use waxwing_wire::{Beyond, Limits, ns};

use super::{began, confirm};
use crate::connection::{Connection, Phase, note_size};
use crate::lifecycle;
use crate::server::{Server, read_again};
use crate::session::Session;
use crate::throttle::{self, Network};

/// A component carries what many people send: one stanza that is beyond limits does not end its stream.
const LIMITS: Limits = Limits {
    beyond: Beyond::Skip,
    ..Limits::CLIENT
};

/// One step of a stream that is not let in yet; false when there is nothing to do.
pub(crate) fn step(connection: &mut Connection) -> bool {
    let Phase::Joining(acceptor) = &mut connection.phase else {
        return false;
    };
    if let Some(output) = acceptor.poll() {
        handle_output(connection, output);
        return true;
    }
    if acceptor.awaits_answer() {
        return false;
    }
    match connection.reader.next() {
        Ok(Some(event)) => acceptor.handle_event(event),
        Ok(None) => return false,
        Err(error) => {
            acceptor.handle_error(error);
            note_size(&connection.server, &error);
        }
    }
    true
}

/// What a stream that ends has said last.
pub(crate) fn said(acceptor: &mut Acceptor) -> Vec<Bytes> {
    let outputs = std::iter::from_fn(|| acceptor.poll());
    outputs
        .filter_map(|output| match output {
            Output::Send(bytes) => Some(bytes),
            _ => None,
        })
        .collect()
}

fn join(connection: &mut Connection, step: impl FnOnce(&mut Acceptor)) {
    if let Phase::Joining(acceptor) = &mut connection.phase {
        step(acceptor);
    }
}

fn handle_output(connection: &mut Connection, output: Output) {
    match output {
        Output::Send(bytes) => connection.output.push(bytes),
        Output::NeedSecret { host } => look_up(connection, &host),
        Output::Authenticated { host } => admit(connection, &host),
        Output::Refused { host } => refused(connection, &host),
        Output::Accepted => accepted(connection),
        Output::Close(error) => {
            if let Some(error) = &error {
                connection.server.metrics().stream_error(error);
            }
            connection.phase = Phase::Ended;
        }
    }
}

/// Whoever guesses is slowed down, and only at the host that they guess at: all components of a machine have one address.
fn look_up(connection: &mut Connection, host: &str) {
    let server = connection.server.clone();
    let network = Network::of(connection.peer);
    let known = server.component(host);
    let allowed =
        known.is_none_or(|known| throttle::allows_handshake(&server, network, &known.account.jid));
    if !allowed {
        server.metrics().login_throttled();
        let text = "too many handshakes have failed; try again later";
        let error = StreamError::new(StreamCondition::PolicyViolation, text);
        return join(connection, |acceptor| acceptor.close(error));
    }
    let settings = server.component_settings();
    let secret = settings.get(host).map(|served| served.secret.clone());
    join(connection, |acceptor| acceptor.provide_secret(secret));
}

fn admit(connection: &mut Connection, host: &str) {
    match bind(&connection.server, host, connection.number) {
        Ok(session) => {
            connection.adopted = Some(session);
            connection.server.metrics().logged_in();
            join(connection, Acceptor::admit);
        }
        Err(error) => join(connection, |acceptor| acceptor.close(error)),
    }
}

/// One stream at a time: another one may be a second copy of the program, which would get half of what is sent.
fn bind(server: &Server, host: &str, connection: u64) -> Result<Arc<Session>, StreamError> {
    let gone = || StreamError::from(StreamCondition::HostGone);
    let component = server.component(host).ok_or_else(gone)?;
    let account = &component.account;
    let _binding = account.binding();
    if component.session().is_some() {
        let text = "this component is connected already";
        return Err(StreamError::new(StreamCondition::Conflict, text));
    }
    let jid = account.jid.with_resource("component");
    let jid = jid.map_err(|_| gone())?;
    Ok(lifecycle::begin(server, account, jid, connection))
}

/// Whoever guesses at a host from where the component itself is keeps it out: others there are free to come.
fn refused(connection: &Connection, host: &str) {
    let server = &connection.server;
    server.metrics().login_failed(Failure::NotAuthorized);
    if let Some(known) = server.component(host) {
        let network = Network::of(connection.peer);
        throttle::handshake_failed(server, network, known.account.jid.clone());
        if server.options().flag(&crate::settings::LOG_FAILED_LOGINS) {
            tracing::warn!(peer = %connection.peer, %host, "the handshake of a component failed");
        }
    }
    tracing::debug!(%host, "the handshake of a component failed");
}

fn accepted(connection: &mut Connection) {
    if let Some(session) = connection.adopted.take() {
        connection.reader.set_limits(LIMITS);
        connection.bound(session.clone());
        confirm::begin(connection, &session);
        began(&connection.server, &session);
    }
}

/// A stanza as it stands in the stream of a component.
pub(crate) fn outward(bytes: &Bytes) -> Bytes {
    match read_again(bytes.clone()) {
        Ok(stanza) if stanza.ns() == ns::CLIENT => stanza.splice().ns(ns::COMPONENT).finish(),
        _ => bytes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What declares the namespace of clients itself would be no stanza to a component.
    #[test]
    fn stanzas_are_in_the_namespace_of_the_stream() {
        for (routed, written) in [
            (
                "<message to='a'><body/></message>",
                "<message to='a'><body/></message>",
            ),
            (
                "<message xmlns='jabber:client' to='a'><body>x</body></message>",
                "<message to='a'><body>x</body></message>",
            ),
            (
                "<iq><p:x xmlns:p='urn:p'/></iq>",
                "<iq><p:x xmlns:p='urn:p'/></iq>",
            ),
        ] {
            let routed = Bytes::from_static(routed.as_bytes());
            assert_eq!(outward(&routed), written);
        }
    }
}
