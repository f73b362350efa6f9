//! What holds for all trees, all stanzas, all bytes.

use bytes::Bytes;
use proptest::prelude::*;
use waxwing_wire::{Element, Event, Limits, Reader, Stanza, ns};

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z_][A-Za-z0-9._-]{0,8}"
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(ns::CLIENT.to_owned()),
        "urn:[a-z:'&]{1,6}"
    ]
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Text that XML can carry, often of what is special in it.
fn text() -> impl Strategy<Value = String> {
    let char = prop_oneof![
        prop::sample::select("<>&'\"]\r\n\t ;#é€😀".chars().collect::<Vec<_>>()),
        any::<char>()
    ];
    prop::collection::vec(char.prop_filter("in XML", |c| is_xml(*c)), 0..12)
        .prop_map(String::from_iter)
}

fn element() -> impl Strategy<Value = Element> {
    let attribute = (
        prop_oneof![
            Just(String::new()),
            Just(ns::XML.to_owned()),
            Just("urn:b".to_owned())
        ],
        name(),
        text(),
    );
    let tag = (namespace(), name(), prop::collection::vec(attribute, 0..4)).prop_map(
        |(ns, name, attributes)| {
            let mut element = Element::new(ns, name);
            for (ns, name, value) in attributes {
                element.set_attr_ns(ns, name, value);
            }
            element.remove_attr("xmlns");
            element
        },
    );
    let tag = tag.boxed();
    tag.clone().prop_recursive(5, 40, 4, move |inner| {
        let node = prop_oneof![inner.prop_map(Ok), text().prop_map(Err)];
        (tag.clone(), prop::collection::vec(node, 0..4)).prop_map(|(mut element, nodes)| {
            for node in nodes {
                match node {
                    Ok(child) => element.push(child),
                    Err(text) => element.push_text(&text),
                }
            }
            element
        })
    })
}

/// Everything that can be asked of a stanza.
fn ask(stanza: &Stanza) {
    let element = stanza.element();
    for child in stanza.children() {
        assert_eq!(
            (child.ns(), child.name()),
            (child.element().ns(), child.element().name())
        );
        assert!(child.is(child.ns(), child.name()));
        assert_eq!(child.text(), child.element().text());
    }
    assert_eq!(stanza.to().as_deref(), element.attr("to"));
    assert_eq!(stanza.splice().finish(), stanza.bytes());
}

/// Everything that a reader can be made to do.
fn feed(pieces: &[&[u8]], limits: Limits) {
    let mut reader = Reader::new(limits);
    for piece in pieces {
        reader.push(piece);
        while let Ok(Some(event)) = reader.next() {
            if let Event::Stanza(stanza) = event {
                ask(&stanza);
            }
        }
        assert!(
            reader.buffered() <= limits.stanza_bytes_max.max(limits.header_bytes_max) + piece.len()
        );
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in element(), parent in namespace()) {
        let bytes = tree.to_bytes(&parent);
        let read = Element::parse_within(&bytes, &parent, &Limits::SERVER);
        prop_assert_eq!(read.as_ref(), Ok(&tree));
        prop_assert_eq!(tree.clone(), tree.clone());
        let stanza = Stanza::parse(bytes, &parent, &Limits::SERVER);
        let stanza = stanza.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(stanza.element(), tree);
        ask(&stanza);
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
        let _ = Element::parse(&bytes);
        let _ = Stanza::parse(Bytes::from(bytes.clone()), "", &Limits::CLIENT);
        let (one, two) = bytes.split_at(cut.min(bytes.len()));
        feed(&[one, two], Limits::SERVER);
        feed(&[HEADER, one, two], Limits::CLIENT);
    }

    #[test]
    fn bent_flipped_and_truncated_stanzas_are_judged(
        tree in element(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        words in prop::collection::vec((any::<prop::sample::Index>(), "(<|>|/|'|\"|&|;|\\]\\]>|<!\\[CDATA\\[|xmlns|:|=|\\PC){1,3}"), 0..3),
        end in any::<prop::sample::Index>(),
        small in any::<bool>(),
    ) {
        let mut bytes = tree.to_bytes(ns::CLIENT).to_vec();
        for (index, bits) in &flips {
            let at = index.index(bytes.len());
            bytes[at] ^= bits;
        }
        for (index, word) in &words {
            let at = index.index(bytes.len());
            bytes.splice(at..at, word.bytes());
        }
        let limits = if small {
            Limits { stanza_bytes_max: 64, depth_max: 2, attributes_max: 2, prefixes_max: 1, elements_max: 3, ..Limits::SERVER }
        } else {
            Limits::CLIENT
        };
        if let Ok(stanza) = Stanza::parse(Bytes::from(bytes.clone()), ns::CLIENT, &limits) {
            ask(&stanza);
        }
        let end = end.index(bytes.len() + 1);
        feed(&[HEADER, &bytes[..end]], limits);
        feed(&[HEADER, &bytes[..end], &bytes[end..], b"<presence/>"], limits);
    }
}
