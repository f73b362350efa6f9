use crate::{expat, ours, rxml_oracle};
use bytes::Bytes;
use waxwing_oracle::Token;
use waxwing_wire::{Element, Limits, Stanza, WireError, ns};

/// A stanza as it stands in a client's stream, read whole.
///
/// What we accept, expat and rxml accept, and all three read the same in it; what expat accepts as
/// one element, we accept, or call it beyond limits. The view and the tree agree, and the tree
/// survives writing. Says whether we accept.
///
/// # Panics
/// They do not.
pub fn wire_stanza(bytes: &[u8]) -> bool {
    let stanza = Stanza::parse(Bytes::copy_from_slice(bytes), ns::CLIENT, &Limits::CLIENT);
    let expat = expat::parse("<x xmlns='jabber:client'>", bytes, Some("</x>"));
    let stanza = match stanza {
        Ok(stanza) => stanza,
        Err(WireError::Beyond(_)) => return false,
        Err(error) => {
            let accepted = expat
                .as_ref()
                .is_ok_and(|tokens| is_one_element(bytes, tokens));
            assert!(!accepted, "only expat accepts: we say {error}");
            return false;
        }
    };
    let element = stanza.element();
    let read = ours::tokens(&element);
    match expat {
        Ok(tokens) => assert_eq!(inside(&tokens), read, "expat reads something else"),
        Err(refusal) => panic!("expat refuses: {refusal}"),
    }
    match rxml_oracle::parse("<x xmlns='jabber:client'>", bytes, Some("</x>")) {
        _ if rxml_oracle::is_known_to_differ(bytes) => {}
        Ok(tokens) => assert_eq!(inside(&tokens), read, "rxml reads something else"),
        Err(refusal) => panic!("rxml refuses: {refusal}"),
    }
    view_agrees(&stanza, &element);
    // Written alone, it has declarations that it inherited before.
    let wide = Limits {
        attributes_max: 256,
        prefixes_max: 4096,
        ..Limits::SERVER
    };
    let written = element.to_bytes("");
    assert_eq!(
        Element::parse_within(&written, "", &wide).as_ref(),
        Ok(&element),
        "written: {written:?}"
    );
    assert_eq!(element.clone(), element);
    true
}

/// The tokens within the outermost element.
fn inside(tokens: &[Token]) -> &[Token] {
    tokens
        .get(1..tokens.len().saturating_sub(1))
        .unwrap_or_default()
}

/// Whether a document holds just one element and nothing else in its root. CDATA sections without
/// content leave no token behind, so they are looked for.
fn is_one_element(bytes: &[u8], tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    let mut elements = 0;
    for token in inside(tokens) {
        match token {
            Token::Start(..) => {
                elements += usize::from(depth == 0);
                depth += 1;
            }
            Token::Text(_) if depth == 0 => return false,
            Token::Text(_) => {}
            Token::End => depth = depth.saturating_sub(1),
        }
    }
    elements == 1
        && bytes.starts_with(b"<")
        && !bytes.starts_with(b"<!")
        && !bytes.ends_with(b"]]>")
}

fn view_agrees(stanza: &Stanza, element: &Element) {
    assert_eq!((stanza.ns(), stanza.name()), (element.ns(), element.name()));
    assert_eq!(stanza.to().as_deref(), element.attr("to"));
    assert_eq!(stanza.from().as_deref(), element.attr("from"));
    assert_eq!(stanza.id().as_deref(), element.attr("id"));
    assert_eq!(stanza.kind().as_deref(), element.attr("type"));
    assert_eq!(stanza.lang().as_deref(), element.attr("xml:lang"));
    assert_eq!(stanza.children().len(), element.children().count());
    for (view, child) in stanza.children().zip(element.children()) {
        assert_eq!((view.ns(), view.name()), (child.ns(), child.name()));
        assert_eq!(&view.element(), child);
    }
}
