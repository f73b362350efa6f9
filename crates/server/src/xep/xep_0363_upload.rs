//! XEP-0363: HTTP File Upload.
//!
//! <https://xmpp.org/extensions/xep-0363.html>
//!
//! The domain itself is the upload service: here it gives slots. What becomes of files is in `uploads.rs`, and how they come
//! and go by HTTP is the daemon's.

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FormKind};
use waxwing_stanza::xep::xep_0030_disco::Identity;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0363_upload::{
    FEATURE_EPHEMERAL, FEATURE_MESSAGE, FEATURE_PERMANENT, FEATURE_PROFILE, FIELD_MAX_FILE_SIZE,
    FileTooLarge, Get, Header, NS, Purpose, Put, Request, Retry, Slot,
};
use waxwing_stanza::{Condition, IqType, Payload, StanzaError};

use crate::Limit;
use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::options::Options;
use crate::registry::{Feature, Registrar, Source};
use crate::server::unavailable;
use crate::uploads::{
    self, Bucket, FILES, OPTIONS, Refusal, SIZES, SLOTS, Wish, is_offered, media_type,
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(363),
    title: "HTTP File Upload",
    version: "1.2.0",
    domain_options: OPTIONS,
    shapes: || vec![FILES.shape(), SIZES.shape(), SLOTS.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::Domain], IqType::Get, request);
    for feature in [NS, FEATURE_MESSAGE, FEATURE_EPHEMERAL] {
        registrar.domain_disco(feature, |options| is_offered(options, Bucket::Messages));
    }
    // Clients that look for a service know it by this.
    let identity = Identity::new("store", "file", Some("HTTP File Upload"));
    registrar.domain_identity(identity, |options| is_offered(options, Bucket::Messages));
    registrar.domain_disco(FEATURE_PROFILE, |options| {
        is_offered(options, Bucket::Profile)
    });
    registrar.domain_disco(FEATURE_PERMANENT, |options| {
        is_offered(options, Bucket::Permanent)
    });
    registrar.domain_form(form);
}

/// "Discovering Support": how large a file may be.
fn form(options: &Options) -> Option<DataForm> {
    let bytes = Bucket::Messages.file_bytes_max(options).to_string();
    let form = DataForm::of_type(FormKind::Result, NS);
    let form = form.with_field(Field::new(FIELD_MAX_FILE_SIZE, [bytes.as_str()]));
    is_offered(options, Bucket::Messages).then_some(form)
}

/// "Requesting a slot".
async fn request(cx: Cx, iq: Iq<Request>) -> Handled {
    let account = &cx.session.account;
    if account.is_guest() || account.jid.domain() != iq.head.to.domain() {
        let text = "only people with an account at this domain may upload files";
        return Err(StanzaError::from(Condition::Forbidden).with_text(text));
    }
    let wish = wish(&iq.payload)?;
    let granted = uploads::grant(&cx.server, account, wish).await;
    let granted = granted.map_err(|error| unavailable(&error))?;
    let granted = match granted {
        Ok(granted) => granted,
        Err(refusal) => {
            if matches!(refusal, Refusal::TooLarge { .. } | Refusal::Later { .. }) {
                cx.server.note_limit(Limit::UploadRoom);
            }
            return Ok(Answer::refused(iq.payload.write(), error(refusal)));
        }
    };
    let authorization = Header {
        name: "Authorization".to_owned(),
        value: Secret(format!("Bearer {}", granted.token)),
    };
    let slot = Slot {
        put: Put {
            url: granted.url.clone(),
            headers: vec![authorization],
        },
        get: Get { url: granted.url },
    };
    Ok(Answer::with(&slot).and(granted.effects))
}

/// What is wanted.
fn wish(request: &Request) -> Result<Wish, StanzaError> {
    let (bucket, end_micros) = match request.purposes.as_slice() {
        // "If no purpose is specified, the service MUST assume 'message'".
        [] | [Purpose::Message(_)] => (Bucket::Messages, None),
        [Purpose::Profile(_)] => (Bucket::Profile, None),
        [Purpose::Permanent(_)] => (Bucket::Permanent, None),
        [Purpose::Ephemeral(ephemeral)] => (
            Bucket::Messages,
            Some(ephemeral.expire_before.unix_micros()),
        ),
        [_, _, ..] => {
            let text = "a file is for one purpose";
            return Err(StanzaError::from(Condition::BadRequest).with_text(text));
        }
    };
    let given = request.content_type.as_deref().map(str::trim_ascii);
    let media_type = match given.filter(|given| !given.is_empty()) {
        None => None,
        Some(given) => Some(media_type::essence(given).ok_or_else(|| {
            let text = "the content-type is no media type";
            StanzaError::from(Condition::BadRequest).with_text(text)
        })?),
    };
    Ok(Wish {
        name: request.file_name.clone(),
        size: request.size,
        media_type,
        bucket,
        end_micros,
    })
}

/// "Error conditions".
fn error(refusal: Refusal) -> StanzaError {
    match refusal {
        Refusal::NotOffered => StanzaError::from(Condition::ServiceUnavailable)
            .with_text("such files are not taken here"),
        Refusal::Empty => {
            StanzaError::from(Condition::BadRequest).with_text("a file has at least one byte")
        }
        Refusal::Over => {
            StanzaError::from(Condition::NotAcceptable).with_text("the file would be gone already")
        }
        Refusal::TooLarge { bytes_max } => {
            let text = format!("File too large. The maximum file size is {bytes_max} bytes");
            let too_large = FileTooLarge {
                max_file_size: Some(bytes_max),
            };
            StanzaError::from(Condition::NotAcceptable)
                .with_text(text)
                .with_app(too_large.write())
        }
        Refusal::Later { again_micros } => {
            let error = StanzaError::from(Condition::ResourceConstraint)
                .with_text("there is no room for it at the moment");
            match again_micros {
                None => error,
                Some(micros) => {
                    let stamp = DateTime::from_unix_micros(micros);
                    error.with_app(Retry { stamp }.write())
                }
            }
        }
    }
}
