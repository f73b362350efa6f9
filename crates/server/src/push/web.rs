//! The app server that is built in: posts to endpoints of Web Push and UnifiedPush
//! ([RFC 8030](https://www.rfc-editor.org/rfc/rfc8030)).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::{Map, Value};
use waxwing_stanza::xep::proto_push::{AUTH_SECRET, ENDPOINT, PUBLIC_KEY};
use waxwing_stanza::xep::xep_0004_forms::DataForm;

use super::due::Due;
use super::publish::{ANSWER_SECS_MAX, Failed, Revealed, revealed};
use super::seal::{PLAIN_BYTES_MAX, Receiver, SALT_BYTES, SCALAR_BYTES, SealError, is_point, seal};
use super::{Endpoint, PRIVATE_ENDPOINTS, REVEALS, WEB_PUSH_CONTACT};
use crate::directory::Account;
use crate::outside::WebRequest;
use crate::server::Server;

/// How long a push service keeps a notification for a device that it cannot reach (RFC 8030 §5.2).
const TTL_SECS: u64 = 7 * 86_400;
/// Attempts to find a key for a message: nearly every number is one.
const KEYS_TRIED_MAX: usize = 4;

/// Clients write it with padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client has of its push service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    endpoint: Endpoint,
    receiver: Receiver,
}

/// What is wrong with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Endpoint,
    PublicKey,
    AuthSecret,
}

impl Wrong {
    /// In words, for the client.
    pub(super) fn text(self) -> &'static str {
        match self {
            Wrong::Endpoint => "endpoint has to be an https URL of at most 1024 bytes",
            Wrong::PublicKey => "p256dh has to be an uncompressed point of P-256, in base64url",
            Wrong::AuthSecret => "auth has to be 16 bytes, in base64url",
        }
    }
}

impl Subscription {
    /// Reads what a client says of it.
    ///
    /// # Errors
    /// The first field that is missing or wrong.
    pub(super) fn read(form: &DataForm) -> Result<Subscription, Wrong> {
        let endpoint = form.value(ENDPOINT).and_then(Endpoint::parse);
        let endpoint = endpoint.ok_or(Wrong::Endpoint)?;
        let point = form.value(PUBLIC_KEY).and_then(decoded);
        let point = point.filter(is_point).ok_or(Wrong::PublicKey)?;
        let auth = form.value(AUTH_SECRET).and_then(decoded);
        let auth = auth.ok_or(Wrong::AuthSecret)?;
        Ok(Subscription {
            endpoint,
            receiver: Receiver { point, auth },
        })
    }

    /// Whether its endpoint says by itself that it is in somebody's own network. What a name stands for is looked at whenever
    /// something is posted.
    pub(super) fn is_private(&self) -> bool {
        self.endpoint.is_private()
    }
}

fn decoded<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    // Three bytes are four characters, and no more than two are added.
    if text.len() > BYTES * 2 {
        return None;
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

/// Posts a notification.
pub(super) async fn post(server: &Server, account: &Account, due: &Due) -> Result<(), Failed> {
    let form = due.stored.form();
    let form = form.ok_or(Failed::Options)?;
    let subscription = Subscription::read(&form).map_err(|_| Failed::Options)?;
    let body = sealed(server, account, due, &subscription.receiver)?;
    let options = server.options();
    let contact = options.text(&WEB_PUSH_CONTACT);
    let now_secs = server.now_micros() / 1_000_000;
    let vapid = server.vapid().ok_or(Failed::Unready)?;
    let authorization = vapid.authorization(&subscription.endpoint, contact, now_secs);
    let request = WebRequest {
        endpoint: subscription.endpoint,
        headers: vec![
            ("Authorization", authorization.ok_or(Failed::Unready)?),
            ("Content-Encoding", "aes128gcm".to_owned()),
            ("Content-Type", "application/octet-stream".to_owned()),
            ("TTL", TTL_SECS.to_string()),
            // Where a device is away, the newest one takes the place of those before it (RFC 8030 §5.4).
            ("Topic", "messages".to_owned()),
            ("Urgency", "high".to_owned()),
        ],
        body: Bytes::from(body),
        private_addresses: options.flag(&PRIVATE_ENDPOINTS),
        secs_max: ANSWER_SECS_MAX,
    };
    let until = server.steady_micros() + ANSWER_SECS_MAX * 1_000_000;
    let late = server.outside().clock.sleep_until(until);
    let answer = match select(server.outside().web.post(request), late).await {
        Either::Left((answer, _)) => answer?,
        Either::Right(((), _)) => return Err(Failed::Late),
    };
    match answer.status {
        200..=299 => Ok(()),
        status => Err(Failed::Status {
            status,
            retry_after_secs: answer.retry_after_secs,
        }),
    }
}

fn sealed(
    server: &Server,
    account: &Account,
    due: &Due,
    receiver: &Receiver,
) -> Result<Vec<u8>, Failed> {
    let revealed = revealed(server.options().text(&REVEALS), due);
    let text = content(account.jid.as_str(), revealed);
    for _ in 0..KEYS_TRIED_MAX {
        let mut scalar = [0; SCALAR_BYTES];
        let mut salt = [0; SALT_BYTES];
        server.outside().random.fill(&mut scalar);
        server.outside().random.fill(&mut salt);
        match seal(text.as_bytes(), receiver, &scalar, &salt) {
            Ok(body) => return Ok(body),
            Err(SealError::Sender) => {}
            Err(SealError::Receiver) => return Err(Failed::Options),
            Err(SealError::Long) => return Err(Failed::Unready),
        }
    }
    Err(Failed::Unready)
}

/// What the client reads (`docs/protocols/push.md`). Who sends a message chooses how long it is, and their address, and must not
/// choose whether somebody is told: what has no room is shortened, and then left out.
fn content(account: &str, mut revealed: Revealed<'_>) -> String {
    loop {
        let text = written(account, &revealed);
        if text.len() <= PLAIN_BYTES_MAX {
            return text;
        }
        match revealed.body {
            Some(body) if !body.is_empty() => {
                revealed.body = body.get(..half(body));
            }
            Some(_) => revealed.body = None,
            None if revealed.sender.is_some() => revealed.sender = None,
            None => return text,
        }
    }
}

/// Where the first half of a text ends, between two characters.
fn half(text: &str) -> usize {
    let ends = (0..=text.len() / 2).rev();
    let mut ends = ends.filter(|end| text.is_char_boundary(*end));
    ends.next().unwrap_or(0)
}

fn written(account: &str, revealed: &Revealed<'_>) -> String {
    let mut content = Map::new();
    content.insert("account".to_owned(), account.into());
    if let Some(count) = revealed.count {
        content.insert("messages".to_owned(), count.into());
    }
    if let Some(sender) = revealed.sender {
        content.insert("from".to_owned(), sender.into());
    }
    if let Some(body) = revealed.body {
        content.insert("body".to_owned(), body.into());
    }
    Value::from(content).to_string()
}

#[cfg(test)]
mod tests {
    use waxwing_stanza::xep::xep_0004_forms::{Field, FormKind};

    use super::*;

    const KEY: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    const URL: &str = "https://push.example/abc";

    fn read(endpoint: &str, key: &str, auth: &str) -> Result<Subscription, Wrong> {
        let form = DataForm::new(FormKind::Submit)
            .with_field(Field::new(ENDPOINT, [endpoint]))
            .with_field(Field::new(PUBLIC_KEY, [key]))
            .with_field(Field::new(AUTH_SECRET, [auth]));
        Subscription::read(&form)
    }

    /// Quotes are two bytes each as JSON, and the addresses as long as they can be.
    #[test]
    fn nobody_is_too_long_to_be_told_of() {
        let account = format!("{}@{}", "é".repeat(511), "x".repeat(1_023));
        let sender = format!("{account}/{}", "\"".repeat(1_023));
        let body = "\u{1F600}\"".repeat(250);
        let of = |sender, body| Revealed {
            count: Some(3),
            sender: Some(sender),
            body: Some(body),
        };
        for (sender, body) in [
            (sender.as_str(), body.as_str()),
            ("bob@example.org", body.as_str()),
            (sender.as_str(), ""),
        ] {
            let text = content(&account, of(sender, body));
            assert!(text.len() <= PLAIN_BYTES_MAX, "{}", text.len());
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&read["account"], &read["messages"]),
                (&account.clone().into(), &3.into())
            );
        }
        let text = content("a@b", of("bob@example.org", "hello"));
        assert!(text.contains("\"hello\"") && text.contains("bob"), "{text}");
    }

    #[test]
    fn what_clients_say() {
        let plain = read(URL, KEY, AUTH).unwrap();
        let padded = read(URL, &format!("{KEY}="), &format!("{AUTH}=="));
        assert_eq!(padded, Ok(plain));
        let compressed = KEY.replacen("BC", "AC", 1);
        let elsewhere = KEY.replacen("BCVx", "BCVy", 1);
        let long = format!("{URL}{}", "x".repeat(10_000));
        for (endpoint, key, auth, wrong) in [
            ("http://push.example/abc", KEY, AUTH, Wrong::Endpoint),
            (&long, KEY, AUTH, Wrong::Endpoint),
            (URL, &KEY[4..], AUTH, Wrong::PublicKey),
            (URL, compressed.as_str(), AUTH, Wrong::PublicKey),
            (URL, elsewhere.as_str(), AUTH, Wrong::PublicKey),
            (URL, &"A".repeat(87), AUTH, Wrong::PublicKey),
            (URL, "", AUTH, Wrong::PublicKey),
            (URL, KEY, &AUTH[4..], Wrong::AuthSecret),
            (URL, KEY, KEY, Wrong::AuthSecret),
            (URL, KEY, "BTBZMqHH6r4Tts7J/aSIgg", Wrong::AuthSecret),
        ] {
            assert_eq!(
                read(endpoint, key, auth),
                Err(wrong),
                "{endpoint} {key} {auth}"
            );
        }
        let nothing = Subscription::read(&DataForm::new(FormKind::Submit));
        assert_eq!(nothing, Err(Wrong::Endpoint));
    }

    #[test]
    fn the_limit_is_what_is_said() {
        assert!(
            Wrong::Endpoint
                .text()
                .contains(&super::super::ENDPOINT_BYTES_MAX.to_string())
        );
        for (url, is_private) in [
            ("https://10.0.0.1/x", true),
            ("https://[::1]:99/x", true),
            ("https://9.9.9.9/x", false),
            (URL, false),
        ] {
            assert_eq!(read(url, KEY, AUTH).unwrap().is_private(), is_private);
        }
    }
}
