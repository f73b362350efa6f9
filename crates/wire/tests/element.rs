//! The tree, and how it is written.

use bytes::Bytes;
use waxwing_wire::{Element, Limits, Name, Node, Stanza, Writer, ns};

fn written(element: &Element) -> String {
    String::from_utf8(element.to_bytes(ns::CLIENT).to_vec()).expect("UTF-8")
}

#[test]
fn a_tree_is_built_asked_and_changed() {
    let mut message = Element::new(ns::CLIENT, "message")
        .with_attr("to", "a@b")
        .with_attr("xml:lang", "en")
        .with_child(
            Element::new(ns::CLIENT, "body")
                .with_text("one")
                .with_text(" & two"),
        )
        .with_text("")
        .with_child(Element::new("urn:x", "x").with_attr("to", "c"));
    assert!(message.is(ns::CLIENT, "message"));
    assert_eq!(
        (
            message.attr("to"),
            message.attr("xml:lang"),
            message.attr("lang")
        ),
        (Some("a@b"), Some("en"), None)
    );
    assert_eq!(
        message
            .child(ns::CLIENT, "body")
            .map(Element::text)
            .as_deref(),
        Some("one & two")
    );
    assert_eq!(message.child("urn:y", "body"), None);
    assert_eq!(
        message.nodes().len(),
        2,
        "empty text is none, text joins text"
    );
    assert_eq!(
        written(&message),
        "<message to='a@b' xml:lang='en'><body>one &amp; two</body><x xmlns='urn:x' to='c'/></message>"
    );
    message.set_attr("to", "d");
    assert_eq!(message.remove_attr("xml:lang").as_deref(), Some("en"));
    for child in message.children_mut() {
        child.set_attr("n", "1");
    }
    message.retain(|node| matches!(node, Node::Element(child) if child.name() == "x"));
    assert_eq!(
        written(&message),
        "<message to='d'><x xmlns='urn:x' to='c' n='1'/></message>"
    );
}

#[test]
fn the_text_of_a_child() {
    for (child, text) in [
        ("<body>Hello</body>", "Hello"),
        ("<body/>", ""),
        ("<body a='>'/>", ""),
        ("<body></body>", ""),
        ("<body a='\">' b=\"'>\" >a &lt; b > c</body >", "a < b > c"),
        ("<body>one\r\ntwo &#x1F600;</body>", "one\ntwo 😀"),
        ("<body>one <b>two</b> three</body>", "one  three"),
        ("<body><![CDATA[<one>]]></body>", "<one>"),
    ] {
        let stanza = Bytes::from(format!("<message>{child}</message>"));
        let stanza = Stanza::parse(stanza, ns::CLIENT, &Limits::SERVER).expect("a stanza");
        let child = stanza.child(ns::CLIENT, "body").expect("a child");
        assert_eq!(child.text(), text);
        assert_eq!(child.element().text(), text);
    }
}

#[test]
fn equality_is_that_of_meaning() {
    let parse = |text: &str| Element::parse(text).expect("an element");
    let one = parse("<p:a xmlns:p='n' b='1' c='2'>x&#121;<![CDATA[z]]></p:a>");
    assert_eq!(one, parse("<a c='2' b='1' xmlns='n'>xyz</a>"));
    for other in [
        "<a b='1' c='2'>xyz</a>",
        "<a xmlns='n' b='1'>xyz</a>",
        "<a xmlns='n' b='1' c='3'>xyz</a>",
        "<a xmlns='n' b='1' c='2'>xy</a>",
        "<a xmlns='n' b='1' c='2'>xyz<b/></a>",
        "<b xmlns='n' b='1' c='2'>xyz</b>",
    ] {
        assert_ne!(one, parse(other));
    }
    assert_ne!(parse("<a><b/><c/></a>"), parse("<a><c/><b/></a>"));
}

#[test]
fn namespaces_are_declared_where_they_change() {
    let tree = Element::new("m", "a")
        .with_child(
            Element::new("m", "b")
                .with_child(Element::new("", "c").with_child(Element::new("n", "d"))),
        )
        .with_child(Element::new(ns::XML, "e").with_child(Element::new("m", "f")));
    let text = "<a xmlns='m'><b><c xmlns=''><d xmlns='n'/></c></b><xml:e><f/></xml:e></a>";
    assert_eq!(written(&tree), text);
    assert_eq!(Element::parse(text), Ok(tree.clone()));
    assert_eq!(&tree.to_bytes("m")[..9], b"<a><b><c ");
    let mut prefixed = Element::new("m", "a").with_attr("b", "1");
    prefixed.set_attr_ns("n", "b", "2");
    prefixed.set_attr_ns("o", "b", "3");
    prefixed.set_attr_ns("n", "b", "4");
    assert_eq!(Element::parse(prefixed.to_bytes("")), Ok(prefixed));
}

#[test]
fn what_xml_cannot_carry_is_replaced() {
    let bad = Element::new("n", "a b<")
        .with_attr("1 c", "d\u{0}e")
        .with_text("f\u{FFFE}\u{1B}g");
    assert_eq!(
        written(&bad),
        "<a_b_ xmlns='n' __c='d\u{FFFD}e'>f\u{FFFD}\u{FFFD}g</a_b_>"
    );
    let nameless = Element::new("", "")
        .with_attr("xmlns", "n")
        .with_attr("xmlns:p", "n");
    assert_eq!(
        Element::parse(nameless.to_bytes("")),
        Ok(Element::new("", "_").with_attr("xmlns_p", "n"))
    );
}

#[test]
fn a_writer_takes_pieces() {
    let mut writer = Writer::new(ns::CLIENT);
    writer.start(ns::CLIENT, "iq");
    writer.attr("type", "result");
    writer.attr("type", "again");
    writer.start("urn:q", "query");
    writer.raw(b"<item/>");
    writer.text("<&>\r");
    writer.attr("late", "left out");
    writer.start("urn:q", "empty");
    writer.end();
    assert_eq!(
        &writer.finish()[..],
        b"<iq type='result'><query xmlns='urn:q'><item/>&lt;&amp;&gt;&#13;<empty/></query></iq>"
    );
}

/// As deep as a program could build by mistake: recursion would end the process.
#[test]
fn depth_costs_no_stack() {
    let mut tree = Element::new("n", "a");
    for level in 0..1_000_000 {
        let name = if level % 2 == 0 { "b" } else { "c" };
        tree = Element::new("n", name).with_text("x").with_child(tree);
    }
    let copy = tree.clone();
    assert!(copy == tree);
    let bytes = tree.to_bytes("");
    assert!(bytes.starts_with(b"<c xmlns='n'>x<b>x<c>"));
    assert!(bytes.ends_with(b"</b></c>"));
    drop(tree);
    let mut other = copy.clone();
    other.push(Element::new("n", "d"));
    assert!(copy != other);
}

#[test]
fn names_are_cheap_and_compare_as_text() {
    let fixed = Name::fixed("jabber:client");
    let read = Name::from(String::from("jabber:client"));
    assert_eq!(fixed, read);
    assert_eq!(fixed, "jabber:client");
    assert_eq!(Name::default(), "");
    assert_eq!(
        format!("{fixed} {read:?}"),
        "jabber:client \"jabber:client\""
    );
}
