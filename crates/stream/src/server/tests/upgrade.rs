//! XEP-0480 by its example, and tasks that go wrong.

use super::rig::{AUTH, Rig};
use super::sasl2::{SUCCESS, failure, plain, sasl2_settings, start, start_with};
use crate::StreamCondition;
use crate::sasl::{Account, Credentials, Failure, Hash, Password, ScramKeys, Stretch, base64};

/// An account from before SHA-512.
pub(super) fn old_account() -> Rig {
    let mut rig = start();
    let password = Password::prepare("pencil").unwrap();
    let keys = ScramKeys::derive(Hash::Sha256, &password, b"salt", 10);
    rig.account = Account::Active(Credentials::new([keys]));
    rig
}

pub(super) fn lacking() -> String {
    plain(
        "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-BLOOP-42</upgrade>\
         <upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>",
    )
}

const NEXT: &str = "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-512'/>";

/// XEP-0480, example 5.
#[test]
fn an_account_gets_its_keys_before_success() {
    let mut rig = old_account();
    let sent = rig.types(&lacking());
    let expected = "<continue xmlns='urn:xmpp:sasl:2'><tasks><task>UPGR-SCRAM-SHA-512</task></tasks></continue>";
    assert_eq!(sent, expected);
    assert_eq!(rig.authenticated, None, "not yet");
    let sent = rig.types(NEXT);
    let salt = sent
        .strip_prefix(
            "<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='10'>",
        )
        .and_then(|rest| rest.strip_suffix("</salt></task-data>"))
        .unwrap_or_else(|| panic!("{sent}"));
    let salt = base64::decode(salt).unwrap();
    let salted = Stretch {
        hash: Hash::Sha512,
        password: Password::prepare("pencil").unwrap(),
        salt: salt.clone(),
        iterations: 10,
    };
    let salted = base64::encode(salted.run().0.bytes());
    let sent = rig.types(&task_data(&salted));
    assert!(sent.starts_with(SUCCESS), "{sent}");
    let password = Password::prepare("pencil").unwrap();
    assert_eq!(
        rig.keys,
        [ScramKeys::derive(Hash::Sha512, &password, &salt, 10)]
    );
    // Who has the keys has no task; nor does a guest.
    let mut rig = start();
    assert!(rig.types(&lacking()).starts_with(SUCCESS));
    let mut settings = sasl2_settings();
    settings.guests.insert("example.org".to_owned());
    let mut rig = start_with(settings);
    rig.others = Account::Active(Credentials::default());
    let guest = lacking().replace("PLAIN", "ANONYMOUS").replace(
        "<initial-response>AGFsaWNlAHBlbmNpbA==</initial-response>",
        "",
    );
    let sent = rig.types(&guest);
    assert!(
        sent.starts_with("<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>"),
        "{sent}"
    );
}

fn task_data(hash: &str) -> String {
    format!(
        "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>{hash}</hash></task-data>"
    )
}

#[test]
fn a_task_that_goes_wrong_ends_the_log_in() {
    use Failure::*;
    let full = base64::encode(&[1; 64]);
    let other = NEXT.replace("512", "256");
    let no_name = "<next xmlns='urn:xmpp:sasl:2'/>";
    let table = [
        (vec![no_name.to_owned()], MalformedRequest),
        (vec![other], MalformedRequest),
        (vec![NEXT.to_owned(), NEXT.to_owned()], MalformedRequest),
        (vec![task_data(&full)], MalformedRequest),
        (
            vec!["<response xmlns='urn:xmpp:sasl:2'/>".to_owned()],
            MalformedRequest,
        ),
        (vec![NEXT.to_owned(), task_data("")], MalformedRequest),
        (
            vec![NEXT.to_owned(), task_data("QUFBQQ==")],
            MalformedRequest,
        ),
        (vec![NEXT.to_owned(), task_data("%")], IncorrectEncoding),
        (
            vec![
                NEXT.to_owned(),
                "<task-data xmlns='urn:xmpp:sasl:2'/>".to_owned(),
            ],
            MalformedRequest,
        ),
    ];
    for (said, reason) in table {
        let mut rig = old_account();
        rig.types(&lacking());
        let sent = said.iter().map(|xml| rig.types(xml)).last().unwrap();
        assert_eq!(sent, failure(reason), "{said:?}");
        assert!(rig.keys.is_empty() && rig.authenticated.is_none());
    }
    let mut rig = old_account();
    rig.stores = false;
    rig.types(&lacking());
    rig.types(NEXT);
    assert_eq!(rig.types(&task_data(&full)), failure(TemporaryAuthFailure));
    for other in [plain(""), "<message/>".to_owned(), AUTH.to_owned()] {
        let mut rig = old_account();
        rig.types(&lacking());
        rig.types(&other);
        assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
    }
}
