//! [XEP-0115: Entity Capabilities](https://xmpp.org/extensions/xep-0115.html)

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};

use super::xep_0004_forms::{DataForm, FORM_TYPE};
use super::xep_0030_disco::DiscoInfo;
use crate::payload::payload;

/// Namespace of capabilities, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/caps";

/// Name of the feature: the server drops capabilities that a subscriber knows already (§8.4).
pub const FEATURE_OPTIMIZE: &str = "http://jabber.org/protocol/caps#optimize";

/// The hash that [`ver`] computes.
pub const HASH: &str = "sha-1";

payload! {
    /// What an entity can, by reference: in presence, and in a server's stream features (§6.3).
    pub struct Caps(NS, "c") {
        /// The hash by which `ver` was computed; missing before version 1.4 of the specification, where
        /// `ver` was the version of the software.
        hash: Option<String> = attr("hash"),
        /// The software, as a URI.
        node: String = attr("node"),
        /// The verification string.
        ver: String = attr("ver"),
    }
}

impl Caps {
    /// Capabilities of software at this URI.
    ///
    /// # Errors
    ///
    /// [`IllFormed`], as [`ver`].
    pub fn new(node: &str, info: &DiscoInfo) -> Result<Caps, IllFormed> {
        Ok(Caps {
            hash: Some(HASH.to_owned()),
            node: node.to_owned(),
            ver: ver(info)?,
        })
    }

    /// The node to ask for the whole (§6.2).
    pub fn disco_node(&self) -> String {
        format!("{}#{}", self.node, self.ver)
    }
}

/// Why an answer to disco#info says nothing reliable about anybody's capabilities (§5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllFormed {
    /// An identity is there twice.
    #[error("an identity is there twice")]
    Identity,
    /// A feature is there twice.
    #[error("a feature is there twice")]
    Feature,
    /// A form is there twice, or does not know which one it is.
    #[error("a form is there twice, or has two types")]
    Form,
    /// Some part contains `<`, which separates the parts in what is hashed: other parts have the same
    /// hash. The specification allows it and falls to it; the answer is not taken for others.
    #[error("a part contains a separator")]
    Separator,
}

/// Computes the verification string by SHA-1 (§5.1).
///
/// # Errors
///
/// [`IllFormed`] when the answer must not be taken for that of others with the same string (§5.4).
pub fn ver(info: &DiscoInfo) -> Result<String, IllFormed> {
    Ok(BASE64.encode(Sha1::digest(verification_input(info)?)))
}

/// The text that is hashed.
fn verification_input(info: &DiscoInfo) -> Result<String, IllFormed> {
    let mut input = Input(String::new());
    let identities = info.identities.iter().map(|it| {
        let optional = |part: &Option<String>| part.clone().unwrap_or_default();
        [
            it.category.clone(),
            it.kind.clone(),
            optional(&it.lang),
            optional(&it.name),
        ]
    });
    for identity in sorted(identities, IllFormed::Identity)? {
        input.push(&identity.join("/"))?;
    }
    let features = info.features.iter().map(|feature| feature.var.as_str());
    for feature in sorted(features, IllFormed::Feature)? {
        input.push(feature)?;
    }
    let mut forms = Vec::new();
    for form in &info.forms {
        if let Some(form_type) = form_type(form)? {
            forms.push((form_type, form));
        }
    }
    forms.sort_by_key(|(form_type, _)| *form_type);
    if forms.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(IllFormed::Form);
    }
    for (form_type, form) in forms {
        input.push(form_type)?;
        input.push_fields(form)?;
    }
    Ok(input.0)
}

/// The form's type, if it counts: a form without one, or with one that is not hidden, is left out.
fn form_type(form: &DataForm) -> Result<Option<&str>, IllFormed> {
    let Some(form_type) = form.form_type() else {
        return Ok(None);
    };
    let values = form.field(FORM_TYPE).map_or(&[][..], |field| &field.values);
    if values.iter().any(|value| value != form_type) {
        return Err(IllFormed::Form);
    }
    Ok(Some(form_type))
}

/// All items in order, none twice.
fn sorted<T: Ord>(
    items: impl ExactSizeIterator<Item = T>,
    twice: IllFormed,
) -> Result<BTreeSet<T>, IllFormed> {
    let count = items.len();
    let set: BTreeSet<T> = items.collect();
    if set.len() == count {
        Ok(set)
    } else {
        Err(twice)
    }
}

struct Input(String);

impl Input {
    fn push(&mut self, part: &str) -> Result<(), IllFormed> {
        if part.contains('<') {
            return Err(IllFormed::Separator);
        }
        self.0.push_str(part);
        self.0.push('<');
        Ok(())
    }

    fn push_fields(&mut self, form: &DataForm) -> Result<(), IllFormed> {
        let mut fields: Vec<_> = form
            .fields
            .iter()
            .filter_map(|field| Some((field.var.as_deref()?, &field.values)))
            .filter(|(var, _)| *var != FORM_TYPE)
            .collect();
        fields.sort();
        for (var, values) in fields {
            self.push(var)?;
            let mut values: Vec<&String> = values.iter().collect();
            values.sort();
            for value in values {
                self.push(value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::xep::xep_0030_disco::Feature;

    /// Example 1.
    #[test]
    fn example() {
        let caps = written::<Caps>(
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
             node='http://code.google.com/p/exodus' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>",
        );
        assert_eq!(
            caps.disco_node(),
            "http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0="
        );
        let legacy = "<c xmlns='http://jabber.org/protocol/caps' node='http://psi-im.org/caps' \
                      ver='0.9' ext='cs ep'/>";
        assert_eq!(read::<Caps>(legacy).unwrap().hash, None);
    }

    fn simple() -> DiscoInfo {
        read(
            "<query xmlns='http://jabber.org/protocol/disco#info'>
               <identity category='client' name='Exodus 0.9.1' type='pc'/>
               <feature var='http://jabber.org/protocol/muc'/>
               <feature var='http://jabber.org/protocol/caps'/>
               <feature var='http://jabber.org/protocol/disco#items'/>
               <feature var='http://jabber.org/protocol/disco#info'/>
             </query>",
        )
        .unwrap()
    }

    fn complex() -> DiscoInfo {
        read(
            "<query xmlns='http://jabber.org/protocol/disco#info'>
               <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
               <identity xml:lang='el' category='client' name='&#x3A8; 0.11' type='pc'/>
               <feature var='http://jabber.org/protocol/caps'/>
               <feature var='http://jabber.org/protocol/disco#info'/>
               <feature var='http://jabber.org/protocol/disco#items'/>
               <feature var='http://jabber.org/protocol/muc'/>
               <x xmlns='jabber:x:data' type='result'>
                 <field var='software'><value>Psi</value></field>
                 <field var='FORM_TYPE' type='hidden'>
                   <value>urn:xmpp:dataforms:softwareinfo</value>
                 </field>
                 <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>
                 <field var='os'><value>Mac</value></field>
                 <field var='os_version'><value>10.5.1</value></field>
                 <field var='software_version'><value>0.11</value></field>
               </x>
             </query>",
        )
        .unwrap()
    }

    /// §5.2, §5.3.
    #[test]
    fn verification_strings() {
        assert_eq!(
            verification_input(&simple()).unwrap(),
            "client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<\
             http://jabber.org/protocol/disco#info<http://jabber.org/protocol/disco#items<\
             http://jabber.org/protocol/muc<"
        );
        assert_eq!(
            ver(&simple()).as_deref(),
            Ok("QgayPKawpkPSDYmwT/WM94uAlu0=")
        );
        assert_eq!(
            ver(&complex()).as_deref(),
            Ok("q07IKJEyjvHSyhy//CH0CxmKi8w=")
        );
        let caps = Caps::new("http://psi-im.org", &complex()).unwrap();
        assert_eq!(
            caps.disco_node(),
            "http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w="
        );
    }

    /// §5.4 point 3.
    #[test]
    fn ill_formed_answers() {
        let mut info = simple();
        info.identities.push(info.identities[0].clone());
        assert_eq!(ver(&info), Err(IllFormed::Identity));

        let mut info = simple();
        info.features.push(info.features[0].clone());
        assert_eq!(ver(&info), Err(IllFormed::Feature));

        let mut info = complex();
        info.forms.push(info.forms[0].clone());
        assert_eq!(ver(&info), Err(IllFormed::Form));

        let mut info = complex();
        info.forms[0].fields[1].values.push("urn:other".into());
        assert_eq!(ver(&info), Err(IllFormed::Form));

        let mut info = simple();
        info.features.push(Feature::new("a<b"));
        assert_eq!(ver(&info), Err(IllFormed::Separator));
    }

    #[test]
    fn forms_without_hidden_type_are_left_out() {
        let mut info = complex();
        info.forms[0].fields[1].kind = None;
        let without = DiscoInfo {
            forms: Vec::new(),
            ..complex()
        };
        assert_eq!(ver(&info), ver(&without));
    }
}
