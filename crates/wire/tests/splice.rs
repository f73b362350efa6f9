//! Changing a stanza without reading it again.

use bytes::Bytes;
use waxwing_wire::{Limits, Splice, Stanza, ns};

fn spliced(stanza: &'static str, change: impl Fn(Splice<'_>) -> Splice<'_>) -> String {
    let outer = if stanza.contains("jabber:server") {
        ns::SERVER
    } else {
        ns::CLIENT
    };
    let stanza = Stanza::parse(Bytes::from(stanza), outer, &Limits::CLIENT).expect("a stanza");
    String::from_utf8(change(stanza.splice()).finish().to_vec()).expect("UTF-8")
}

#[test]
fn attributes_are_set_in_place_added_and_removed() {
    let stanza = "<message\n to = \"a\" x='1'  from='b'id2='3'/>".replace("'b'id2", "'b' id2");
    let stanza: &'static str = Box::leak(stanza.into_boxed_str());
    assert_eq!(spliced(stanza, |s| s), stanza);
    assert_eq!(
        spliced(stanza, |s| s.to(Some("c\"d'&<"))),
        "<message\n to = \"c&quot;d&apos;&amp;&lt;\" x='1'  from='b' id2='3'/>"
    );
    assert_eq!(
        spliced(stanza, |s| s.to(None)),
        "<message x='1'  from='b' id2='3'/>"
    );
    assert_eq!(
        spliced(stanza, |s| s.from(None)),
        "<message\n to = \"a\" x='1' id2='3'/>"
    );
    assert_eq!(
        spliced(stanza, |s| s.to(None).from(None).id(None)),
        "<message x='1' id2='3'/>"
    );
    assert_eq!(
        spliced(stanza, |s| s
            .id(Some("4"))
            .kind(Some("chat"))
            .lang(Some("en"))),
        "<message id='4' type='chat' xml:lang='en'\n to = \"a\" x='1'  from='b' id2='3'/>"
    );
    assert_eq!(
        spliced(stanza, |s| s.from(Some("c")).to(Some("d")).from(Some("e"))),
        "<message\n to = \"d\" x='1'  from='e' id2='3'/>"
    );
    assert_eq!(spliced("<a/>", |s| s.to(Some(""))), "<a to=''/>");
}

#[test]
fn the_namespace_fits_another_stream() {
    assert_eq!(spliced("<a><b/></a>", |s| s.ns(ns::SERVER)), "<a><b/></a>");
    assert_eq!(
        spliced("<a to='c' xmlns='jabber:client' d=''><b/></a>", |s| s
            .ns(ns::SERVER)),
        "<a to='c' d=''><b/></a>"
    );
    assert_eq!(
        spliced("<a><b/></a>", |s| s.declare_ns("n&m")),
        "<a xmlns='n&amp;m'><b/></a>"
    );
    assert_eq!(
        spliced("<a xmlns=\"x\"><b/></a>", |s| s.declare_ns(ns::CLIENT)),
        "<a xmlns=\"jabber:client\"><b/></a>"
    );
    assert_eq!(
        spliced("<p:a xmlns:p='jabber:client'><p:b/></p:a>", |s| s
            .ns(ns::SERVER)),
        "<p:a xmlns:p='jabber:server'><p:b/></p:a>"
    );
    assert_eq!(
        spliced("<p:a xmlns:p='jabber:client'><b/></p:a>", |s| s
            .declare_ns(ns::SERVER)),
        "<p:a xmlns='jabber:server' xmlns:p='jabber:server'><b/></p:a>"
    );
    assert_eq!(
        spliced("<p:a xmlns:p='jabber:client' xmlns='n'><b/></p:a>", |s| s
            .declare_ns(ns::SERVER)),
        "<p:a xmlns:p='jabber:server' xmlns='n'><b/></p:a>"
    );
    assert_eq!(
        spliced("<p:a xmlns:p='m' xmlns='n'/>", |s| s
            .declare_ns("o")
            .ns("q")),
        "<p:a xmlns:p='q' xmlns='n'/>"
    );
}

#[test]
fn children_go_and_come() {
    let stanza = "<a>1<b/>2<c>x</c>3<d/>4</a >";
    assert_eq!(
        spliced(stanza, |s| s.remove_child(1)),
        "<a>1<b/>23<d/>4</a >"
    );
    assert_eq!(
        spliced(stanza, |s| s
            .remove_child(2)
            .remove_child(0)
            .remove_child(0)
            .remove_child(9)),
        "<a>12<c>x</c>34</a >"
    );
    assert_eq!(
        spliced(stanza, |s| s.append(b"<e/>").append(b"<f/>")),
        "<a>1<b/>2<c>x</c>3<d/>4<e/><f/></a >"
    );
    assert_eq!(
        spliced(stanza, |s| s.to(Some("g")).remove_child(2).append(b"<e/>")),
        "<a to='g'>1<b/>2<c>x</c>34<e/></a >"
    );
    assert_eq!(
        spliced("<p:a xmlns:p='n' />", |s| s.append(b"<e/>")),
        "<p:a xmlns:p='n' ><e/></p:a>"
    );
    assert_eq!(spliced("<a></a>", |s| s.append(b"<e/>")), "<a><e/></a>");
    assert_eq!(
        spliced("<a b='/>'></a>", |s| s.append(b"<e/>")),
        "<a b='/>'><e/></a>"
    );
}
