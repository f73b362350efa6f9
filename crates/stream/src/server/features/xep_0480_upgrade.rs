//! XEP-0480: SASL Upgrade Tasks, version 0.2.0: keys of a stronger hash, from a client that has the password.
//! <https://xmpp.org/extensions/xep-0480.html>

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0480_upgrade::{Hash as Hashed, SCRAM, Salt, Upgrade};
use waxwing_wire::{Element, ns};
use zeroize::Zeroizing;

use super::rfc6120_sasl;
use super::xep_0388_sasl2::{self, NS, data_element};
use crate::sasl::{Failure, Hash, SALT_BYTES, ScramKeys, Secret, base64};
use crate::server::{Negotiation, Output, Question, Sasl2};

/// A task that goes on.
#[derive(Debug)]
pub(super) struct Task {
    hash: Hash,
    salt: [u8; SALT_BYTES],
    /// Whether the client has begun it, and the salt is out.
    begun: bool,
}

/// The hash of a task, by its name.
pub(super) fn hash_of(task: &str) -> Option<Hash> {
    let task = task.trim_ascii();
    Hash::ALL
        .into_iter()
        .find(|hash| hash.upgrade_task() == task)
}

/// What stands in `<authentication/>` (§2.1).
pub(super) fn elements(settings: &Sasl2) -> Vec<Element> {
    let upgrade = |hash: &Hash| Upgrade {
        task: hash.upgrade_task().to_owned(),
    };
    let upgrades = settings.upgrades.iter();
    upgrades.map(|hash| upgrade(hash).write()).collect()
}

/// `<continue/>` with one task (§2.2).
pub(super) fn ask(negotiation: &mut Negotiation, hash: Hash) {
    let mut salt = [0; SALT_BYTES];
    negotiation.seed.fill(&mut salt);
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    request.task = Some(Task {
        hash,
        salt,
        begun: false,
    });
    let mut element = Element::new(NS, "continue");
    if let Some(data) = request.data.take() {
        element.push(data_element(&data));
    }
    let task = Element::new(NS, "task").with_text(hash.upgrade_task());
    element.push(Element::new(NS, "tasks").with_child(task));
    negotiation.send(element.to_bytes(ns::CLIENT));
}

/// `<next/>` and `<task-data/>` (XEP-0388 §2.6.3).
pub(super) fn handle(negotiation: &mut Negotiation, element: &Element) {
    let answered = match element.name() {
        "next" => begin(negotiation, element),
        _ => finish(negotiation, element),
    };
    if let Err(failure) = answered {
        rfc6120_sasl::fail(negotiation, failure);
    }
}

fn begin(negotiation: &mut Negotiation, element: &Element) -> Result<(), Failure> {
    let settings = negotiation.settings.sasl2.as_ref();
    let iterations = settings.map(|settings| settings.upgrade_iterations);
    let iterations = iterations.ok_or(Failure::MalformedRequest)?;
    let name = element.attr("task").ok_or(Failure::MalformedRequest)?;
    let task = task(negotiation)?;
    if task.begun || task.hash.upgrade_task() != name {
        return Err(Failure::MalformedRequest);
    }
    task.begun = true;
    let salt = Salt {
        iterations,
        salt: base64::encode(&task.salt),
    };
    let data = Element::new(NS, "task-data").with_child(salt.write());
    negotiation.send(data.to_bytes(ns::CLIENT));
    Ok(())
}

fn finish(negotiation: &mut Negotiation, element: &Element) -> Result<(), Failure> {
    let settings = negotiation.settings.sasl2.as_ref();
    let iterations = settings.map(|settings| settings.upgrade_iterations);
    let iterations = iterations.ok_or(Failure::MalformedRequest)?;
    let account = negotiation.login.candidate.clone();
    let account = account.ok_or(Failure::MalformedRequest)?;
    let task = task(negotiation)?;
    let hashed = element.child(SCRAM, Hashed::NAME);
    let hashed = Zeroizing::new(hashed.ok_or(Failure::MalformedRequest)?.text());
    let salted = base64::decode(hashed.trim_ascii()).ok_or(Failure::IncorrectEncoding)?;
    if !task.begun || salted.len() != task.hash.output_bytes() {
        return Err(Failure::MalformedRequest);
    }
    let salted = Secret::copy(&Zeroizing::new(salted));
    let keys = ScramKeys::from_salted(task.hash, &salted, &task.salt, iterations);
    if let Some(request) = &mut negotiation.sasl2.request {
        request.task = None;
    }
    let output = Output::StoreKeys { account, keys };
    negotiation.ask(Question::Upgrade, output);
    Ok(())
}

fn task(negotiation: &mut Negotiation) -> Result<&mut Task, Failure> {
    let request = negotiation.sasl2.request.as_mut();
    let task = request.and_then(|request| request.task.as_mut());
    task.ok_or(Failure::MalformedRequest)
}

pub(in crate::server) fn upgrade_stored(negotiation: &mut Negotiation, is_stored: bool) {
    match is_stored {
        true => xep_0388_sasl2::advance(negotiation),
        // XEP-0388 §2.6.3: so ends a task that failed.
        false => rfc6120_sasl::fail(negotiation, Failure::TemporaryAuthFailure),
    }
}
