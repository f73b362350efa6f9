//! [XEP-0077: In-Band Registration](https://xmpp.org/extensions/xep-0077.html)

use waxwing_wire::Element;

use super::xep_0004_forms::DataForm;
use super::xep_0066_oob::Link;
use crate::payload::{PayloadError, Secret, keywords, payload};

/// Namespace of registration, and the name of the feature.
pub const NS: &str = "jabber:iq:register";

/// Namespace of the stream feature.
pub const NS_FEATURE: &str = "http://jabber.org/features/iq-register";

/// Form to ask for a new password with the old one (§14.3).
pub const FORM_CHANGE: &str = "jabber:iq:register:changepassword";

/// Form to give up an account with its password (§14.3).
pub const FORM_CANCEL: &str = "jabber:iq:register:cancel";

payload! {
    /// What is asked of somebody who registers (fields empty), or what they answered (§3).
    pub struct Registration(NS, "query") {
        /// The sender has an account.
        registered: bool = flag("registered"),
        /// Instructions for people.
        instructions: Option<String> = text_child("instructions"),
        /// Name of the account.
        username: Option<String> = text_child("username"),
        /// Its password.
        password: Option<Secret> = text_child("password"),
        /// The other fields, in their order.
        fields: Vec<Field> = by(read_fields, write_fields),
        /// The account shall be removed: see [`Registration::removes`].
        remove: bool = flag("remove"),
        /// Questions and answers that the fields have no names for (§4).
        form: Option<DataForm> = child(),
        /// Where to register instead (§5).
        link: Option<Link> = child(),
    }
}

payload! {
    /// Stream feature: whoever has no account can register (§8).
    pub struct StreamFeature(NS_FEATURE, "register") {}
}

/// One of the fields that are seldom asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which one.
    pub name: FieldName,
    /// What it is filled in with; empty in a question.
    pub value: String,
}

keywords! {
    /// Fields besides name and password (§14.1).
    pub enum FieldName {
        /// Familiar name.
        Nick = "nick",
        /// Full name.
        Name = "name",
        /// Given name.
        First = "first",
        /// Family name.
        Last = "last",
        /// Email address.
        Email = "email",
        /// Street.
        Address = "address",
        /// Town.
        City = "city",
        /// Region.
        State = "state",
        /// Postal code.
        Zip = "zip",
        /// Telephone number.
        Phone = "phone",
        /// Web page.
        Url = "url",
        /// Some date.
        Date = "date",
        /// Anything (obsolete).
        Misc = "misc",
        /// Anything (obsolete).
        Text = "text",
        /// Key of the transaction (obsolete).
        Key = "key",
    }
}

impl Registration {
    /// Nothing yet.
    pub fn new() -> Registration {
        Registration {
            registered: false,
            instructions: None,
            username: None,
            password: None,
            fields: Vec::new(),
            remove: false,
            form: None,
            link: None,
        }
    }

    /// Whether the account shall be removed, and nothing else (§3.2: anything else beside that is a bad
    /// request).
    pub fn removes(&self) -> bool {
        *self
            == Registration {
                remove: true,
                ..Registration::new()
            }
    }

    /// What the field of this name is filled in with.
    pub fn field(&self, name: FieldName) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    }
}

impl Default for Registration {
    fn default() -> Registration {
        Registration::new()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
fn read_fields(query: &Element) -> Result<Vec<Field>, PayloadError> {
    let children = query.children().filter(|child| child.ns() == NS);
    let fields = children.filter_map(|child| {
        let name = FieldName::from_keyword(child.name())?;
        Some(Field {
            name,
            value: child.text(),
        })
    });
    Ok(fields.collect())
}

fn write_fields(query: &mut Element, fields: &[Field]) {
    for field in fields {
        query.push(Element::new(NS, field.name.as_str()).with_text(&field.value));
    }
}

#[cfg(test)]
impl crate::payload::testing::Sample for Field {
    fn sample(source: &mut crate::payload::testing::Source<'_>) -> Field {
        Field {
            name: FieldName::sample(source),
            value: String::sample(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Examples 2, 3, 4.
    #[test]
    fn asked_and_answered() {
        let asked = written::<Registration>(
            "<query xmlns='jabber:iq:register'><instructions>Choose a username.</instructions>\
             <username/><password/><email/></query>",
        );
        assert_eq!(asked.username.as_deref(), Some(""));
        assert_eq!(asked.field(FieldName::Email), Some(""));
        assert_eq!(asked.field(FieldName::Nick), None);
        let registered = written::<Registration>(
            "<query xmlns='jabber:iq:register'><registered/><username>juliet</username>\
             <password>R0m30</password><email>juliet@capulet.com</email></query>",
        );
        assert!(registered.registered);
        assert_eq!(registered.password, Some(Secret("R0m30".into())));
        assert_eq!(
            registered.field(FieldName::Email),
            Some("juliet@capulet.com")
        );
        assert!(!format!("{registered:?}").contains("R0m30"));
    }

    /// Examples 10 and 12.
    #[test]
    fn by_form_or_elsewhere() {
        let form = written::<Registration>(
            "<query xmlns='jabber:iq:register'><instructions>Use the enclosed form.</instructions>\
             <x xmlns='jabber:x:data' type='form'><field type='hidden' var='FORM_TYPE'>\
             <value>jabber:iq:register</value></field></x></query>",
        );
        assert_eq!(form.form.unwrap().form_type(), Some("jabber:iq:register"));
        let link = written::<Registration>(
            "<query xmlns='jabber:iq:register'>\
             <instructions>To register, visit http://www.shakespeare.lit/contests.php</instructions>\
             <x xmlns='jabber:x:oob'><url>http://www.shakespeare.lit/contests.php</url></x></query>",
        );
        assert_eq!(
            link.link.unwrap().url,
            "http://www.shakespeare.lit/contests.php"
        );
    }

    /// Example 13, and §3.2.
    #[test]
    fn removal_stands_alone() {
        let alone = written::<Registration>("<query xmlns='jabber:iq:register'><remove/></query>");
        assert!(alone.removes());
        let beside = read::<Registration>(
            "<query xmlns='jabber:iq:register'><remove/><username>juliet</username></query>",
        )
        .unwrap();
        assert!(beside.remove && !beside.removes());
        assert!(!Registration::default().removes());
    }

    #[test]
    fn stream_feature() {
        let feature = "<register xmlns='http://jabber.org/features/iq-register'/>";
        assert_eq!(written::<StreamFeature>(feature), StreamFeature {});
    }
}
