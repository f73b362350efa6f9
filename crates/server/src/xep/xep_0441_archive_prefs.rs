//! XEP-0441: Message Archive Management Preferences.
//!
//! <https://xmpp.org/extensions/xep-0441.html>
//!
//! What they mean is in `archive/preferences.rs`; here they are shown and changed.

use std::collections::BTreeSet;

use waxwing_stanza::xep::xep_0441_archive_prefs::{AskPrefs, Prefs};
use waxwing_stanza::{Condition, IqType, Jid, StanzaError};
use waxwing_store::Batch;

use crate::accounts;
use crate::addressee::Addressee;
use crate::archive::{self, BY_DEFAULT, PREFERENCES, PREFERENCES_BYTES_MAX, Preferences};
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};
use crate::server::unavailable;

/// Most addresses in an account's lists.
pub const ADDRESSES_MAX: OptionSpec = OptionSpec {
    name: "archive_preferences_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 1,
        max: 10_000,
    },
    unit: "addresses",
    doc: "Most addresses that one account can list as archived always or never; one more is refused with <resource-constraint/>.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(441),
    title: "Message Archive Management Preferences",
    version: "0.2.0",
    options: &[ADDRESSES_MAX],
    domain_options: &[BY_DEFAULT],
    shapes: || vec![PREFERENCES.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, show);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, change);
}

/// §2.1.
async fn show(cx: Cx, _: Iq<AskPrefs>) -> Handled {
    let account = &cx.session.account;
    let said = account.archiving();
    let said = said.map_or_else(|| unsaid(&cx), |said| said.shown());
    Ok(Answer::with(&said))
}

/// What holds for whoever has said nothing.
fn unsaid(cx: &Cx) -> Prefs {
    let nothing = Preferences {
        by_default: archive::by_default(&cx.server, cx.session.account.jid.domain()),
        always: BTreeSet::new(),
        never: BTreeSet::new(),
    };
    nothing.shown()
}

/// §2.1. From the result on it holds.
async fn change(cx: Cx, iq: Iq<Prefs>) -> Handled {
    let preferences = read(&cx, iq.payload)?;
    let account = &cx.session.account;
    // One after the other, so that what is stored last is what holds.
    let _turn = account.turn().await;
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    archive::save(&mut batch, &account.owner, &preferences);
    let committed = cx.server.store().commit(batch).await;
    committed.map_err(|error| unavailable(&error))?;
    let answer = Answer::with(&preferences.shown());
    account.set_archiving(Some(preferences));
    Ok(answer)
}

/// What somebody wants, checked. An address that is to be archived always and never is neither.
fn read(cx: &Cx, prefs: Prefs) -> Result<Preferences, StanzaError> {
    let set = |jids: Option<Vec<Jid>>| jids.unwrap_or_default().into_iter().collect();
    let preferences = Preferences {
        by_default: prefs.default,
        always: set(prefs.always.map(|always| always.jids)),
        never: set(prefs.never.map(|never| never.jids)),
    };
    if !preferences.always.is_disjoint(&preferences.never) {
        let text = "an address cannot be archived always and never";
        return Err(StanzaError::from(Condition::BadRequest).with_text(text));
    }
    let addresses = preferences.always.len() + preferences.never.len();
    let most = cx.server.options().number(&ADDRESSES_MAX);
    if addresses as u64 > most || preferences.bytes() > PREFERENCES_BYTES_MAX {
        return Err(Condition::ResourceConstraint.into());
    }
    Ok(preferences)
}
