//! [XEP-0390: Entity Capabilities 2.0](https://xmpp.org/extensions/xep-0390.html), with the hashes of
//! [XEP-0300: Use of Cryptographic Hash Functions in XMPP](https://xmpp.org/extensions/xep-0300.html)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256, Sha512};
use sha3::{Sha3_256, Sha3_512};
use waxwing_wire::Element;

use super::xep_0004_forms::{DataForm, FORM_TYPE, FieldKind};
use super::xep_0030_disco::{DiscoInfo, Feature, Identity, NS_INFO};
use crate::Payload;
use crate::payload::payload;

/// Namespace of capabilities, and the name of the feature.
pub const NS: &str = "urn:xmpp:caps";

/// Namespace of hashes.
pub const NS_HASHES: &str = "urn:xmpp:hashes:2";

payload! {
    /// What an entity can, by reference (§4.4): the same by each hash.
    pub struct Caps(NS, "c") {
        /// Hashes by different algorithms.
        hashes: Vec<Hash> = child(),
    }
}

payload! {
    /// A hash (XEP-0300 §3).
    pub struct Hash(NS_HASHES, "hash") {
        /// By which algorithm.
        algo: String = attr("algo"),
        /// Its value in Base64.
        value: String = text(),
    }
}

/// An algorithm that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-2 with 256 bits.
    Sha256,
    /// SHA-2 with 512 bits.
    Sha512,
    /// SHA-3 with 256 bits.
    Sha3_256,
    /// SHA-3 with 512 bits.
    Sha3_512,
}

impl Algorithm {
    /// All of them, the one that costs least first.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Sha3_256,
        Algorithm::Sha3_512,
    ];

    /// Its name (XEP-0300 §4).
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha-256",
            Algorithm::Sha512 => "sha-512",
            Algorithm::Sha3_256 => "sha3-256",
            Algorithm::Sha3_512 => "sha3-512",
        }
    }

    /// The algorithm of this name, if it can be checked.
    pub fn named(name: &str) -> Option<Algorithm> {
        let mut all = Algorithm::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == name)
    }

    /// The hash of some input, in Base64.
    pub fn hash(self, input: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => BASE64.encode(Sha256::digest(input)),
            Algorithm::Sha512 => BASE64.encode(Sha512::digest(input)),
            Algorithm::Sha3_256 => BASE64.encode(Sha3_256::digest(input)),
            Algorithm::Sha3_512 => BASE64.encode(Sha3_512::digest(input)),
        }
    }
}

impl Hash {
    /// The node to ask for what has this hash (§3.3).
    pub fn disco_node(&self) -> String {
        format!("{NS}#{}.{}", self.algo, self.value)
    }
}

/// Why an answer to disco#info has no hash (§3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllFormed {
    /// Something stands there that the hash would not cover, or what stands there cannot be read.
    #[error("something is neither an identity, nor a feature, nor a form")]
    Content,
    /// A form has a table.
    #[error("a form has a table")]
    Table,
    /// A form does not say which one it is.
    #[error("a form has no type, or several")]
    FormType,
}

/// What is hashed of an answer (§3.1). `lang` is the language of what has none of its own: what it inherits of the
/// stanza or the stream, empty for none.
///
/// # Errors
///
/// [`IllFormed`] where there is no such thing.
pub fn hash_input(query: &Element, lang: &str) -> Result<Vec<u8>, IllFormed> {
    let is_known =
        |child: &Element| Identity::is(child) || Feature::is(child) || DataForm::is(child);
    if query.ns() != NS_INFO || !query.children().all(is_known) {
        return Err(IllFormed::Content);
    }
    let info = DiscoInfo::read(query).map_err(|_| IllFormed::Content)?;
    let features = info.features.iter().map(|one| part(&one.var));
    let mut input = joined(features, FILE);
    let identities = info.identities.iter().map(|one| {
        let lang = one.lang.as_deref().unwrap_or(lang);
        let name = one.name.as_deref().unwrap_or_default();
        let parts = [one.category.as_str(), &one.kind, lang, name];
        let mut identity: Vec<u8> = parts.into_iter().flat_map(part).collect();
        identity.push(RECORD);
        identity
    });
    input.extend(joined(identities, FILE));
    let forms = info.forms.iter().map(form);
    let forms: Vec<Vec<u8>> = forms.collect::<Result<_, _>>()?;
    input.extend(joined(forms.into_iter(), FILE));
    Ok(input)
}

/// The separators, none of which XML can have in a text.
const FILE: u8 = 0x1c;
const GROUP: u8 = 0x1d;
const RECORD: u8 = 0x1e;
const UNIT: u8 = 0x1f;

fn part(text: &str) -> Vec<u8> {
    let mut part = text.as_bytes().to_vec();
    part.push(UNIT);
    part
}

/// In order, with the separator at the end.
fn joined(parts: impl Iterator<Item = Vec<u8>>, end: u8) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = parts.collect();
    parts.sort_unstable();
    let mut joined = parts.concat();
    joined.push(end);
    joined
}

fn form(form: &DataForm) -> Result<Vec<u8>, IllFormed> {
    if form.reported.is_some() || !form.items.is_empty() {
        return Err(IllFormed::Table);
    }
    let is_type = |field: &&super::xep_0004_forms::Field| field.var.as_deref() == Some(FORM_TYPE);
    let mut types = form.fields.iter().filter(is_type);
    let (Some(kind), None) = (types.next(), types.next()) else {
        return Err(IllFormed::FormType);
    };
    if kind.kind != Some(FieldKind::Hidden) || kind.values.len() != 1 {
        return Err(IllFormed::FormType);
    }
    let fields = form.fields.iter().map(|field| {
        let mut whole = part(field.var.as_deref().unwrap_or_default());
        let mut values: Vec<Vec<u8>> = field.values.iter().map(|value| part(value)).collect();
        values.sort_unstable();
        whole.extend(values.concat());
        whole.push(RECORD);
        whole
    });
    Ok(joined(fields, GROUP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// §3.5.1.
    const SIMPLE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
        <identity category='client' name='BombusMod' type='mobile'/>\
        <feature var='http://jabber.org/protocol/si'/>\
        <feature var='http://jabber.org/protocol/bytestreams'/>\
        <feature var='http://jabber.org/protocol/chatstates'/>\
        <feature var='http://jabber.org/protocol/disco#info'/>\
        <feature var='http://jabber.org/protocol/disco#items'/>\
        <feature var='urn:xmpp:ping'/><feature var='jabber:iq:time'/>\
        <feature var='jabber:iq:privacy'/><feature var='jabber:iq:version'/>\
        <feature var='http://jabber.org/protocol/rosterx'/><feature var='urn:xmpp:time'/>\
        <feature var='jabber:x:oob'/><feature var='http://jabber.org/protocol/ibb'/>\
        <feature var='http://jabber.org/protocol/si/profile/file-transfer'/>\
        <feature var='urn:xmpp:receipts'/><feature var='jabber:iq:roster'/>\
        <feature var='jabber:iq:last'/></query>";

    /// §3.5.2, the features one a word.
    const COMPLEX_FEATURES: &str = "games:board http://jabber.org/protocol/activity \
        http://jabber.org/protocol/activity+notify http://jabber.org/protocol/bytestreams \
        http://jabber.org/protocol/chatstates http://jabber.org/protocol/commands \
        http://jabber.org/protocol/disco#info http://jabber.org/protocol/disco#items \
        http://jabber.org/protocol/evil http://jabber.org/protocol/feature-neg \
        http://jabber.org/protocol/geoloc http://jabber.org/protocol/geoloc+notify \
        http://jabber.org/protocol/ibb http://jabber.org/protocol/iqibb \
        http://jabber.org/protocol/mood http://jabber.org/protocol/mood+notify \
        http://jabber.org/protocol/rosterx http://jabber.org/protocol/si \
        http://jabber.org/protocol/si/profile/file-transfer http://jabber.org/protocol/tune \
        http://www.facebook.com/xmpp/messages \
        http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify jabber:iq:avatar \
        jabber:iq:browse jabber:iq:dtcp jabber:iq:filexfer jabber:iq:ibb jabber:iq:inband \
        jabber:iq:jidlink jabber:iq:last jabber:iq:oob jabber:iq:privacy jabber:iq:roster \
        jabber:iq:time jabber:iq:version jabber:x:data jabber:x:event jabber:x:oob \
        urn:xmpp:avatar:metadata+notify urn:xmpp:ping urn:xmpp:receipts urn:xmpp:time";

    const COMPLEX_FORM: &str = "<x xmlns='jabber:x:data' type='result'>\
        <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
        <field var='software'><value>Tkabber</value></field>\
        <field var='software_version'><value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value></field>\
        <field var='os'><value>Windows</value></field>\
        <field var='os_version'><value>XP</value></field></x>";

    fn complex(more: &str) -> Element {
        let features = COMPLEX_FEATURES.split_whitespace();
        let features: String = features
            .map(|var| format!("<feature var='{var}'/>"))
            .collect();
        Element::parse(format!(
            "<query xmlns='{NS_INFO}'>\
             <identity category='client' name='Tkabber' type='pc' xml:lang='en'/>\
             <identity category='client' name='Ткаббер' type='pc' xml:lang='ru'/>\
             {features}{more}</query>"
        ))
        .unwrap()
    }

    fn hashes(query: &Element) -> [String; 2] {
        let input = hash_input(query, "").unwrap();
        [Algorithm::Sha256, Algorithm::Sha3_256].map(|algorithm| algorithm.hash(&input))
    }

    #[test]
    fn examples() {
        let simple = Element::parse(SIMPLE).unwrap();
        let expected = [
            "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=",
            "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=",
        ];
        assert_eq!(hashes(&simple), expected);
        let expected = [
            "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=",
            "XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg=",
        ];
        assert_eq!(hashes(&complex(COMPLEX_FORM)), expected);
    }

    /// Example 5.
    #[test]
    fn in_presence() {
        let caps = written::<Caps>(
            "<c xmlns='urn:xmpp:caps'>\
             <hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=</hash>\
             <hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg=</hash></c>",
        );
        assert_eq!(
            caps.hashes[0].disco_node(),
            "urn:xmpp:caps#sha-256.u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="
        );
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::named("md5"), None);
    }

    /// §3.1: what an identity inherits counts, and no more than what it says itself.
    #[test]
    fn the_language_may_be_inherited() {
        let simple = Element::parse(SIMPLE).unwrap();
        assert_ne!(hash_input(&simple, ""), hash_input(&simple, "de"));
        let complex = complex("");
        assert_eq!(hash_input(&complex, ""), hash_input(&complex, "de"));
    }

    /// §3.1, points 1 to 3.
    #[test]
    fn what_has_no_hash() {
        let form = |fields: &str| format!("<x xmlns='jabber:x:data' type='result'>{fields}</x>");
        let of_type = "<field var='FORM_TYPE' type='hidden'><value>a</value></field>";
        for (more, error) in [
            ("<other xmlns='urn:other'/>".to_owned(), IllFormed::Content),
            ("<feature/>".to_owned(), IllFormed::Content),
            (form(&format!("{of_type}<reported/>")), IllFormed::Table),
            (form(&format!("{of_type}<item/>")), IllFormed::Table),
            (form(""), IllFormed::FormType),
            (
                form("<field var='FORM_TYPE'><value>a</value></field>"),
                IllFormed::FormType,
            ),
            (
                form("<field var='FORM_TYPE' type='hidden'/>"),
                IllFormed::FormType,
            ),
            (
                form(
                    "<field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field>",
                ),
                IllFormed::FormType,
            ),
            (form(&[of_type, of_type].concat()), IllFormed::FormType),
        ] {
            assert_eq!(hash_input(&complex(&more), ""), Err(error), "{more}");
        }
        let other = Element::parse("<query xmlns='urn:other'/>").unwrap();
        assert_eq!(hash_input(&other, ""), Err(IllFormed::Content));
    }
}
