//! [XEP-0292: vCard4 Over XMPP](https://xmpp.org/extensions/xep-0292.html): what vCard4 and vcard-temp both can say (§8).

use waxwing_wire::{Element, Node};

use super::xep_0054_vcard::NS as NS_TEMP;

/// Namespace of vCard4.
pub const NS: &str = "urn:ietf:params:xml:ns:vcard-4.0";

/// Node where an account has its own.
pub const NODE: &str = "urn:xmpp:vcard4";

/// A part of a property: its name in vcard-temp (empty where the property itself holds it), its name in vCard4, and what a
/// URI there begins with.
type Part = (&'static str, &'static str, &'static str);

/// A property that both have.
struct Property {
    temp: &'static str,
    vcard4: &'static str,
    parts: &'static [Part],
}

const TEXT: &[Part] = &[("", "text", "")];

const PROPERTIES: &[Property] = &[
    property("FN", "fn", TEXT),
    property(
        "N",
        "n",
        &[
            ("FAMILY", "surname", ""),
            ("GIVEN", "given", ""),
            ("MIDDLE", "additional", ""),
            ("PREFIX", "prefix", ""),
            ("SUFFIX", "suffix", ""),
        ],
    ),
    property("NICKNAME", "nickname", TEXT),
    property("BDAY", "bday", &[("", "date", "")]),
    property(
        "ADR",
        "adr",
        &[
            ("POBOX", "pobox", ""),
            ("EXTADD", "ext", ""),
            ("STREET", "street", ""),
            ("LOCALITY", "locality", ""),
            ("REGION", "region", ""),
            ("PCODE", "code", ""),
            ("CTRY", "country", ""),
        ],
    ),
    property("TEL", "tel", &[("NUMBER", "uri", "tel:")]),
    property("EMAIL", "email", &[("USERID", "text", "")]),
    property("JABBERID", "impp", &[("", "uri", "xmpp:")]),
    property("TITLE", "title", TEXT),
    property("ROLE", "role", TEXT),
    property("ORG", "org", &[("ORGNAME", "text", "")]),
    property("DESC", "note", TEXT),
    property("URL", "url", &[("", "uri", "")]),
];

/// Types of a property that both have, in the words of vCard4.
const TYPES: &[&str] = &["home", "work", "voice", "fax", "cell", "pager", "video"];

const fn property(temp: &'static str, vcard4: &'static str, parts: &'static [Part]) -> Property {
    Property {
        temp,
        vcard4,
        parts,
    }
}

impl Property {
    fn is_typed(&self) -> bool {
        matches!(self.temp, "ADR" | "TEL" | "EMAIL")
    }

    /// In vCard4; nothing where nothing is said.
    fn to_vcard4(&self, given: &Element) -> Option<Element> {
        let mut property = Element::new(NS, self.vcard4);
        let has = |name: &str| given.child(NS_TEMP, &name.to_ascii_uppercase()).is_some();
        let mut parameters = Element::new(NS, "parameters");
        let types: Vec<&str> = TYPES.iter().copied().filter(|name| has(name)).collect();
        if self.is_typed() && !types.is_empty() {
            let texts = types
                .iter()
                .map(|name| Element::new(NS, "text").with_text(name));
            parameters.push(texts.fold(Element::new(NS, "type"), Element::with_child));
        }
        if self.is_typed() && has("pref") {
            let first = Element::new(NS, "integer").with_text("1");
            parameters.push(Element::new(NS, "pref").with_child(first));
        }
        if parameters.children().next().is_some() {
            property.push(parameters);
        }
        let mut says_something = false;
        for (temp, vcard4, start) in self.parts {
            let text = match *temp {
                "" => Some(given.text()),
                temp => given.child(NS_TEMP, temp).map(Element::text),
            };
            let text = text.as_deref().map(str::trim).unwrap_or_default();
            if !text.is_empty() {
                // A number has no spaces in a URI.
                let text = match *start {
                    "tel:" => text.replace(' ', "-"),
                    _ => text.to_owned(),
                };
                property.push(Element::new(NS, *vcard4).with_text(&format!("{start}{text}")));
                says_something = true;
            }
        }
        says_something.then_some(property)
    }

    /// In vcard-temp; nothing where nothing is said that it could say.
    fn to_temp(&self, given: &Element) -> Option<Element> {
        let mut property = Element::new(NS_TEMP, self.temp);
        let parameters = given.child(NS, "parameters");
        if let Some(parameters) = parameters.filter(|_| self.is_typed()) {
            let types = parameters.child(NS, "type");
            let types = types.iter().flat_map(|types| types.children());
            let types: Vec<String> = types.map(|one| one.text().to_ascii_lowercase()).collect();
            for name in TYPES
                .iter()
                .filter(|name| types.iter().any(|one| one == *name))
            {
                property.push(Element::new(NS_TEMP, name.to_ascii_uppercase()));
            }
            if parameters.child(NS, "pref").is_some() {
                property.push(Element::new(NS_TEMP, "PREF"));
            }
        }
        let mut says_something = false;
        for (temp, vcard4, start) in self.parts {
            let text = given.child(NS, vcard4).map(Element::text);
            let text = text.as_deref().map(str::trim);
            let text = text.and_then(|text| text.strip_prefix(start));
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                continue;
            };
            says_something = true;
            match *temp {
                "" => property.push_text(text),
                temp => property.push(Element::new(NS_TEMP, temp).with_text(text)),
            }
        }
        says_something.then_some(property)
    }
}

/// One of the two forms.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Temp,
    VCard4,
}

impl Form {
    /// The values of a property in a card, each as this form has it and as the other has it.
    fn values(self, property: &Property, card: Option<&Element>) -> Vec<(Element, Element)> {
        let children = card.iter().flat_map(|card| card.children());
        let values =
            children.filter_map(|child| Some((child.clone(), self.other(property, child)?)));
        values.collect()
    }

    /// An element in the other form, if it is of this property and says what both can say.
    fn other(self, property: &Property, child: &Element) -> Option<Element> {
        match self {
            Form::Temp if child.is(NS_TEMP, property.temp) => property.to_vcard4(child),
            Form::VCard4 if child.is(NS, property.vcard4) => property.to_temp(child),
            _ => None,
        }
    }
}

/// What has changed from one card to another, done to the card of the other form: what did not change stays there as it is,
/// and so does what only that form can say.
fn follow(
    form: Form,
    before: Option<&Element>,
    after: Option<&Element>,
    card: &Element,
) -> Element {
    let back = match form {
        Form::Temp => Form::VCard4,
        Form::VCard4 => Form::Temp,
    };
    let mut card = card.clone();
    for property in PROPERTIES {
        let said = |card| -> Vec<Element> {
            let values = form.values(property, card).into_iter();
            values.map(|(_, other)| other).collect()
        };
        let now = said(after);
        if said(before) == now {
            continue;
        }
        let mut kept = back.values(property, Some(&card));
        card.retain(|node| match node {
            Node::Element(child) => back.other(property, child).is_none(),
            Node::Text(_) => true,
        });
        for value in now {
            let same = back.other(property, &value);
            let at = kept
                .iter()
                .position(|(_, other)| Some(other) == same.as_ref());
            card.push(at.map_or(value, |at| kept.swap_remove(at).0));
        }
    }
    card
}

/// What has changed in somebody's vcard-temp, done to their vCard4.
pub fn follow_temp(
    before: Option<&Element>,
    after: Option<&Element>,
    vcard4: Option<&Element>,
) -> Element {
    let empty = Element::new(NS, "vcard");
    follow(Form::Temp, before, after, vcard4.unwrap_or(&empty))
}

/// What has changed in somebody's vCard4, done to their vcard-temp.
pub fn follow_vcard4(before: Option<&Element>, after: Option<&Element>, temp: &Element) -> Element {
    follow(Form::VCard4, before, after, temp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::parse(text).unwrap()
    }

    const TEMP: &str = "<vCard xmlns='vcard-temp'><FN>Peter Saint-Andre</FN><N>\
        <FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN></N><BDAY>1966-08-06</BDAY><TEL><WORK/>\
        <VOICE/><NUMBER>+1-303-308-3282</NUMBER></TEL><EMAIL><HOME/><PREF/>\
        <USERID>stpeter@jabber.org</USERID></EMAIL><JABBERID>stpeter@jabber.org</JABBERID>\
        <DESC>More</DESC></vCard>";

    const VCARD4: &str = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>\
        <fn><text>Peter Saint-Andre</text></fn><n><surname>Saint-Andre</surname>\
        <given>Peter</given></n><bday><date>1966-08-06</date></bday><tel><parameters><type>\
        <text>work</text><text>voice</text></type></parameters><uri>tel:+1-303-308-3282</uri></tel>\
        <email><parameters><type><text>home</text></type><pref><integer>1</integer></pref>\
        </parameters><text>stpeter@jabber.org</text></email><impp><uri>xmpp:stpeter@jabber.org</uri>\
        </impp><note><text>More</text></note></vcard>";

    #[test]
    fn both_ways() {
        let (temp, vcard4) = (element(TEMP), element(VCARD4));
        assert_eq!(follow_temp(None, Some(&temp), None), vcard4);
        let empty = Element::new(NS_TEMP, "vCard");
        assert_eq!(follow_vcard4(None, Some(&vcard4), &empty), temp);
    }

    #[test]
    fn what_did_not_change_and_what_the_other_cannot_say_stays() {
        let before =
            element("<vCard xmlns='vcard-temp'><FN>A</FN><JABBERID>a@b.example</JABBERID></vCard>");
        let after = element(
            "<vCard xmlns='vcard-temp'><FN>B</FN><PHOTO/><JABBERID>a@b.example</JABBERID></vCard>",
        );
        let vcard4 = element(
            "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>A</text></fn><gender><sex>\
             <text>M</text></sex></gender><impp><parameters><x/></parameters><uri>xmpp:a@b.example</uri>\
             </impp><impp><uri>sip:a@b.example</uri></impp></vcard>",
        );
        let expected = element(
            "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><gender><sex><text>M</text></sex></gender>\
             <impp><parameters><x/></parameters><uri>xmpp:a@b.example</uri></impp>\
             <impp><uri>sip:a@b.example</uri></impp><fn><text>B</text></fn></vcard>",
        );
        assert_eq!(
            follow_temp(Some(&before), Some(&after), Some(&vcard4)),
            expected
        );
        // One address more: the first keeps what was said of it, and what is none of ours stays.
        let more = element(
            "<vCard xmlns='vcard-temp'><FN>B</FN><JABBERID>a@b.example</JABBERID>\
             <JABBERID>c@b.example</JABBERID></vCard>",
        );
        let with = follow_temp(Some(&after), Some(&more), Some(&expected));
        let impps = with.children().filter(|child| child.is(NS, "impp"));
        assert_eq!(impps.count(), 3);
        assert!(
            with.children()
                .any(|child| child.child(NS, "parameters").is_some())
        );
        // All is gone that vcard-temp had.
        let none = follow_temp(Some(&more), None, Some(&with));
        assert_eq!(none.children().count(), 2);
    }
}
