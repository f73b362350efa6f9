use waxwing_stanza::Condition;
use waxwing_stanza::xep::xep_0092_version::Version;
use waxwing_stanza::xep::xep_0199_ping::Ping;

use super::*;
use crate::account_commands::COMMANDS;
use crate::cx::Handled;
use crate::xep::FEATURES;

const FLAG: Flag = Flag {
    bit: 5,
    name: "test",
};

async fn refuse_ping(_: Cx, _: Iq<Ping>) -> Handled {
    Err(Condition::FeatureNotImplemented.into())
}

async fn refuse_version(_: Cx, _: Iq<Version>) -> Handled {
    Err(Condition::FeatureNotImplemented.into())
}

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::Domain], IqType::Get, refuse_ping);
    registrar.disco(&[Addressee::Domain], "urn:one");
}

const FIRST: Feature = Feature {
    source: Source::Xep(9001),
    register,
    ..Feature::NONE
};

fn second(register: fn(&mut Registrar<'_>)) -> Feature {
    Feature {
        source: Source::Xep(9002),
        register,
        ..Feature::NONE
    }
}

#[test]
fn two_owners_of_one_request_are_refused_by_name() {
    let taken = second(|registrar| {
        let whom = &[Addressee::OwnAccount, Addressee::Domain];
        registrar.iq(whom, IqType::Get, refuse_ping);
    });
    let error = Registry::new(&[&FIRST, &taken]).err().unwrap();
    assert_eq!(
        error,
        RegistryError::IqTaken {
            owner: "XEP-9002".to_owned(),
            other: "XEP-9001".to_owned(),
            kind: "get",
            name: "ping",
            ns: "urn:xmpp:ping",
            whom: Addressee::Domain.name(),
        }
    );
}

#[test]
fn another_addressee_type_or_payload_is_another_request() {
    let beside = second(|registrar| {
        registrar.iq(&[Addressee::OwnAccount], IqType::Get, refuse_ping);
        registrar.iq(&[Addressee::Domain], IqType::Set, refuse_ping);
        registrar.iq(&[Addressee::Domain], IqType::Get, refuse_version);
        registrar.disco(&[Addressee::Domain], "urn:one");
        registrar.disco(&[Addressee::Domain], "urn:and-another");
    });
    let registry = Registry::new(&[&FIRST, &beside]).ok().unwrap();
    let features = registry.disco(Addressee::Domain);
    assert_eq!(features, ["urn:and-another", "urn:one"]);
    assert_eq!(registry.disco(Addressee::OwnAccount), [""; 0]);
    let ping = Element::new("urn:xmpp:ping", "ping");
    for (whom, kind, known) in [
        (Addressee::Domain, IqType::Get, true),
        (Addressee::Domain, IqType::Set, true),
        (Addressee::OwnAccount, IqType::Get, true),
        (Addressee::OwnAccount, IqType::Set, false),
    ] {
        assert_eq!(registry.handler(whom, kind, &ping).is_some(), known);
    }
    let foreign = Element::new("urn:xmpp:ping", "pong");
    let found = registry.handler(Addressee::Domain, IqType::Get, &foreign);
    assert!(found.is_none());
}

#[test]
fn two_owners_of_a_session_flag_or_a_command_are_refused() {
    let first = Feature {
        flags: &[FLAG],
        ..FIRST
    };
    let flagged = Feature {
        flags: &[FLAG],
        ..second(|_| {})
    };
    let error = Registry::new(&[&first, &flagged]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "XEP-9002: session flag 5 (test) is taken"
    );
    let commanding = second(|registrar| registrar.command(COMMANDS[0]));
    let error = Registry::new(&[&FIRST, &commanding]).err().unwrap();
    assert_eq!(
        error,
        RegistryError::CommandTaken {
            owner: "XEP-9002".to_owned(),
            name: COMMANDS[0].name,
        }
    );
}

#[test]
fn the_features_agree_with_each_other() {
    let registry = Registry::new(FEATURES).ok().unwrap();
    for whom in [Addressee::Domain, Addressee::OwnAccount] {
        assert!(!registry.identities(whom).is_empty());
        assert!(!registry.disco(whom).is_empty());
    }
}

/// Each command that can be run from afar has one form in clients: a feature's own, or one made of its registration.
#[test]
fn every_command_has_a_form() {
    let registry = Registry::new(FEATURES).unwrap();
    let own = registry.ad_hoc(Addressee::Domain);
    let own: Vec<&str> = own.flat_map(|form| form.faces).copied().collect();
    for name in &own {
        assert!(
            registry.command(name).is_some(),
            "there is no command '{name}'"
        );
    }
    let made: Vec<String> = registry.made_forms().map(|form| form.node()).collect();
    for command in registry.commands() {
        let node = format!("urn:waxwing:admin:0#{}", command.name.replace(' ', "-"));
        let forms = own.iter().filter(|name| **name == command.name).count()
            + made.iter().filter(|made| **made == node).count();
        let wanted = usize::from(command.access != Access::Machine);
        assert_eq!(forms, wanted, "{}", command.name);
    }
    let names: Vec<String> = registry.made_forms().map(|form| form.name()).collect();
    assert!(names.contains(&"List sessions".to_owned()), "{names:?}");
}
