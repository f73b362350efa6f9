use std::collections::BTreeSet;

use waxwing_server::pubsub::forms::{Decision, Settings, VALUE_BYTES_MAX, VALUES_MAX};
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FormKind};
use waxwing_wire::Element;

/// A form that somebody has filled in, as each form of a node, of its subscriptions and of its owners.
///
/// What is accepted has each setting once, within the limits, and is accepted as the same when it is filled in as it was
/// stored. A decision names a node. What is refused is refused with a reason. Says whether any form takes it.
///
/// # Panics
/// It is not so.
pub fn data_forms(bytes: &[u8]) -> bool {
    let form = Element::parse(bytes).ok();
    let Some(form) = form.and_then(|form| DataForm::read(&form).ok()) else {
        return false;
    };
    let mut taken = false;
    for settings in Settings::ALL {
        taken |= is_taken(settings, &form);
    }
    match Decision::read(&form) {
        Ok(Some(decision)) => {
            assert!(!decision.node.is_empty());
            assert!(decision.subid != Some(String::new()));
            true
        }
        Ok(None) => taken,
        Err(error) => {
            assert!(error.text.is_none_or(|text| !text.is_empty()));
            taken
        }
    }
}

fn is_taken(settings: Settings, form: &DataForm) -> bool {
    let accepted = match settings.read(form) {
        Ok(accepted) => accepted,
        Err(wrong) => {
            assert!(!wrong.to_string().is_empty());
            return false;
        }
    };
    let names: BTreeSet<&str> = accepted.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), accepted.len(), "{accepted:?}");
    let mut again = DataForm::new(FormKind::Submit);
    for (name, values) in &accepted {
        assert!(values.len() <= VALUES_MAX, "{name}: {}", values.len());
        assert!(
            values.iter().all(|value| value.len() <= VALUE_BYTES_MAX),
            "{name}"
        );
        let values = values.iter().map(String::as_str);
        again = again.with_field(Field::new(&format!("pubsub#{name}"), values));
    }
    assert_eq!(settings.read(&again).as_ref(), Ok(&accepted));
    !accepted.is_empty()
}
