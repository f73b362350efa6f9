//! Two clients as the library's users write them: they log in by themselves and send each other a message.

use futures::StreamExt;
use tokio_xmpp::connect::{DirectTlsServerConnector, StartTlsServerConnector};
use tokio_xmpp::jid::Jid;
use tokio_xmpp::parsers::message::{Lang, Message, MessageType};
use tokio_xmpp::parsers::presence::Presence;
use tokio_xmpp::xmlstream::Timeouts;
use tokio_xmpp::{Client, Event, Stanza};

use crate::Outcome;
use crate::server::{Server, Transport};

/// One by STARTTLS, one by direct TLS.
pub(crate) async fn round_trip(server: &Server) -> Outcome {
    let [(alice, alice_password), (bob, bob_password)] = server.accounts.clone();
    let starttls = StartTlsServerConnector(server.listener(Transport::StartTls));
    let direct_tls = DirectTlsServerConnector(server.listener(Transport::DirectTls));
    let mut alice =
        Client::new_with_connector(alice, alice_password, starttls, Timeouts::default());
    let mut bob = Client::new_with_connector(bob, bob_password, direct_tls, Timeouts::default());
    let alice_jid = online(&mut alice).await?;
    let bob_jid = online(&mut bob).await?;

    say(&mut alice, &bob_jid, "Salut & <bonjour> 👋").await?;
    expect(&mut bob, &alice_jid, "Salut & <bonjour> 👋").await?;
    say(&mut bob, &alice_jid, "Moi aussi").await?;
    expect(&mut alice, &bob_jid, "Moi aussi").await?;
    for client in [alice, bob] {
        client
            .send_end()
            .await
            .map_err(|e| format!("closing: {e}"))?;
    }
    Ok(())
}

/// Log in and become available; the bound address.
async fn online(client: &mut Client) -> Result<Jid, String> {
    loop {
        match client.next().await {
            Some(Event::Online { bound_jid, .. }) => {
                client
                    .send_stanza(Presence::available().into())
                    .await
                    .map_err(|e| format!("sending presence: {e}"))?;
                return Ok(bound_jid);
            }
            Some(Event::Disconnected(error)) => return Err(format!("log-in: {error}")),
            Some(Event::Stanza(_)) => {}
            None => return Err("log-in: no end and no beginning".to_owned()),
        }
    }
}

async fn say(client: &mut Client, to: &Jid, body: &str) -> Outcome {
    let mut message = Message::new_with_type(MessageType::Chat, to.clone());
    message.bodies.insert(Lang::default(), body.to_owned());
    client
        .send_stanza(message.into())
        .await
        .map(|_| ())
        .map_err(|e| format!("sending a message: {e}"))
}

async fn expect(client: &mut Client, from: &Jid, body: &str) -> Outcome {
    loop {
        match client.next().await {
            Some(Event::Stanza(Stanza::Message(message))) => {
                let got = message.bodies.values().next().map_or("", String::as_str);
                if got != body || message.from.as_ref() != Some(from) {
                    return Err(format!(
                        "{got:?} from {:?}, not {body:?} from {from}",
                        message.from
                    ));
                }
                return Ok(());
            }
            Some(Event::Disconnected(error)) => {
                return Err(format!("waiting for a message: {error}"));
            }
            Some(_) => {}
            None => return Err("waiting for a message: the stream is over".to_owned()),
        }
    }
}
