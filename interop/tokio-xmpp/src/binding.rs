//! SCRAM with channel binding by tls-exporter: RFC 5802, RFC 9266.

use std::collections::BTreeSet;

use sasl::common::{ChannelBinding, Credentials};
use tokio_xmpp::Error;
use tokio_xmpp::connect::{DirectTlsServerConnector, ServerConnector, StartTlsServerConnector};
use tokio_xmpp::error::AuthError;
use tokio_xmpp::parsers::ns::JABBER_CLIENT;
use tokio_xmpp::parsers::sasl::DefinedCondition;
use tokio_xmpp::parsers::stream_features::StreamFeatures;
use tokio_xmpp::xmlstream::Timeouts;

use crate::Outcome;
use crate::server::{Server, Transport};

/// The server offers the mechanism, and lets in a client that may use no other, bound to this TLS session.
pub(crate) async fn accepted(server: &Server, transport: Transport, mechanism: &str) -> Outcome {
    match log_in(server, transport, mechanism, |ours| ours).await? {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("refused: {error}")),
    }
}

/// Binding data of another TLS session, as somebody in the middle would have it.
pub(crate) async fn wrong_binding(server: &Server, transport: Transport) -> Outcome {
    let forged = |_| ChannelBinding::TlsExporter(vec![0x5a; 32]);
    refused(log_in(server, transport, "SCRAM-SHA-256-PLUS", forged).await?)
}

/// The right data under a name that TLS 1.3 does not have.
pub(crate) async fn another_kind(server: &Server, transport: Transport) -> Outcome {
    let renamed = |ours: ChannelBinding| ChannelBinding::TlsUnique(ours.data().to_vec());
    refused(log_in(server, transport, "SCRAM-SHA-256-PLUS", renamed).await?)
}

/// A client that could bind says that the server did not offer it: somebody took it out of the features.
pub(crate) async fn downgrade(server: &Server, transport: Transport) -> Outcome {
    refused(
        log_in(server, transport, "SCRAM-SHA-256", |_| {
            ChannelBinding::Unsupported
        })
        .await?,
    )
}

fn refused(outcome: Result<(), Error>) -> Outcome {
    match outcome {
        Err(Error::Auth(AuthError::Fail(DefinedCondition::NotAuthorized))) => Ok(()),
        Err(Error::Auth(AuthError::Fail(DefinedCondition::MalformedRequest))) => Ok(()),
        Err(other) => Err(format!("refused by {other}")),
        Ok(()) => Err("let in".to_owned()),
    }
}

/// One attempt to log in by one mechanism, with the binding that `choose` makes of the true one.
/// The outer error says that it did not come to that.
async fn log_in(
    server: &Server,
    transport: Transport,
    mechanism: &str,
    choose: impl FnOnce(ChannelBinding) -> ChannelBinding,
) -> Result<Result<(), Error>, String> {
    let listener = server.listener(transport);
    match transport {
        Transport::StartTls => {
            attempt(server, StartTlsServerConnector(listener), mechanism, choose).await
        }
        Transport::DirectTls => {
            attempt(
                server,
                DirectTlsServerConnector(listener),
                mechanism,
                choose,
            )
            .await
        }
    }
}

async fn attempt(
    server: &Server,
    connector: impl ServerConnector,
    mechanism: &str,
    choose: impl FnOnce(ChannelBinding) -> ChannelBinding,
) -> Result<Result<(), Error>, String> {
    let (jid, password) = &server.accounts[0];
    let (stream, binding) = connector
        .connect(jid, JABBER_CLIENT, Timeouts::default())
        .await
        .map_err(|e| format!("no connection: {e}"))?;
    if !matches!(&binding, ChannelBinding::TlsExporter(data) if data.len() == 32) {
        return Err("the TLS session exports no key: not TLS 1.3".to_owned());
    }
    let (features, stream): (StreamFeatures, _) = stream
        .recv_features()
        .await
        .map_err(|e| format!("no features: {e}"))?;
    if !features.sasl_mechanisms.contains(mechanism) {
        return Err(format!(
            "{mechanism} is not offered, only {:?}",
            features.sasl_mechanisms
        ));
    }
    let user = jid.node().map_or("", |node| node.as_str());
    let credentials = Credentials::default()
        .with_username(user)
        .with_password(password.as_str())
        .with_channel_binding(choose(binding));
    // The library takes the first of its mechanisms that is in this set: there is only the one.
    let only = BTreeSet::from([mechanism.to_owned()]);
    Ok(tokio_xmpp::client_login(stream, only, credentials)
        .await
        .map(|_| ()))
}
