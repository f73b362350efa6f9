use bytes::Bytes;
use waxwing_wire::{Element, Limits, Splice, Stanza, ns};

/// Any bytes up to the first line's end as addresses, the rest as a stanza to put them into.
///
/// The spliced stanza is accepted, holds what was put in, and is otherwise the same. Says whether there was a
/// stanza.
///
/// # Panics
/// It is not.
pub fn wire_splice(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(0);
    let address = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let stanza = Bytes::copy_from_slice(bytes.get(end + 1..).unwrap_or_default());
    // Room for what is put in.
    let limits = Limits {
        stanza_bytes_max: 4096,
        attributes_max: 32,
        ..Limits::CLIENT
    };
    let Ok(stanza) = Stanza::parse(stanza, ns::CLIENT, &limits) else {
        return false;
    };
    let wide = Limits::SERVER;
    let readable: String = address
        .chars()
        .map(|c| if is_xml(c) { c } else { '\u{FFFD}' })
        .collect();

    let put = || {
        stanza
            .splice()
            .to(Some(&address))
            .from(None)
            .id(Some(&address))
    };
    let set = put().append(b"<x/>").finish();
    let set =
        Stanza::parse(set, ns::CLIENT, &wide).unwrap_or_else(|error| panic!("spliced: {error}"));
    moves_alike(
        put().append(b"<x xmlns='u:x'/>"),
        put().append(b"<x xmlns='u:x'/>"),
    );
    moves_alike(
        put().remove_child(0).lang(Some(&address)),
        put().remove_child(0).lang(Some(&address)),
    );
    assert_eq!(set.to().as_deref(), Some(&*readable));
    assert_eq!((set.from(), set.id().as_deref()), (None, Some(&*readable)));
    let mut expected = stanza.element();
    expected.remove_attr("from");
    expected.set_attr("to", &*readable);
    expected.set_attr("id", &*readable);
    let mut got = set.element();
    let mut children = stanza.children().len() + 1;
    got.retain(|node| match node {
        waxwing_wire::Node::Element(_) => {
            children -= 1;
            children > 0
        }
        waxwing_wire::Node::Text(_) => true,
    });
    assert_eq!(got, expected);

    let gone = stanza.children().len() / 2;
    let removed = stanza.splice().remove_child(gone).finish();
    let removed = Stanza::parse(removed, ns::CLIENT, &wide)
        .unwrap_or_else(|error| panic!("removed: {error}"));
    let kept: Vec<&[u8]> = removed.children().map(|child| child.bytes()).collect();
    let all = stanza
        .children()
        .enumerate()
        .filter(|(index, _)| *index != gone);
    assert_eq!(
        kept,
        all.map(|(_, child)| child.bytes()).collect::<Vec<_>>()
    );

    fits_other_streams(&stanza);
    assert_eq!(stanza.splice().finish(), stanza.bytes());
    true
}

/// Where parts stand after changes is the same as if the changed stanza was read.
fn moves_alike(one: Splice<'_>, other: Splice<'_>) {
    let read = Stanza::parse(one.finish(), ns::CLIENT, &Limits::SERVER)
        .unwrap_or_else(|error| panic!("spliced: {error}"));
    let moved = other
        .stanza()
        .unwrap_or_else(|error| panic!("moved: {error}"));
    assert_eq!(moved, read);
    assert_eq!((moved.ns(), moved.name()), (read.ns(), read.name()));
    assert_eq!(
        (moved.to(), moved.from(), moved.id()),
        (read.to(), read.from(), read.id())
    );
    assert_eq!((moved.kind(), moved.lang()), (read.kind(), read.lang()));
    assert_eq!(moved.children().len(), read.children().len());
    for (moved, read) in moved.children().zip(read.children()) {
        assert_eq!((moved.ns(), moved.name()), (read.ns(), read.name()));
        assert_eq!(moved.bytes(), read.bytes());
    }
    for stanza in [&moved, &read] {
        let again = stanza
            .splice()
            .kind(Some("k"))
            .remove_child(1)
            .append(b"<y/>")
            .finish();
        assert_eq!(
            again,
            read.splice()
                .kind(Some("k"))
                .remove_child(1)
                .append(b"<y/>")
                .finish()
        );
        assert_eq!(
            stanza.splice().ns("n").finish(),
            read.splice().ns("n").finish()
        );
    }
}

fn fits_other_streams(stanza: &Stanza) {
    let wide = Limits::SERVER;
    for (bytes, outer) in [
        (stanza.splice().ns(ns::SERVER).finish(), ns::SERVER),
        (stanza.splice().declare_ns(ns::SERVER).finish(), ""),
    ] {
        let moved =
            Stanza::parse(bytes, outer, &wide).unwrap_or_else(|error| panic!("moved: {error}"));
        // Nothing else can be bound to `xml`.
        let fixed = stanza.ns() == ns::XML;
        assert_eq!(moved.name(), stanza.name());
        assert_eq!(moved.ns(), if fixed { ns::XML } else { ns::SERVER });
        let back = moved.splice().declare_ns(stanza.ns()).finish();
        // Else it is not the root alone that was moved: a root with prefix got a second declaration,
        // and what inherited from the stream another namespace than the root had.
        if stanza.ns() != ns::CLIENT || stanza.bytes().starts_with(b"<p:") {
            continue;
        }
        let back = Element::parse(&back).unwrap_or_else(|error| panic!("moved back: {error}"));
        assert_eq!(back, stanza.element());
    }
}

fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
