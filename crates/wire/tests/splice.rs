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
    let bytes = change(stanza.splice()).finish();
    if let Ok(read) = Stanza::parse(bytes.clone(), outer, &Limits::CLIENT) {
        let moved = change(stanza.splice()).stanza().expect("the same");
        looks_alike(&moved, &read);
    }
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Whether every part of two stanzas is the same, and stands where it is looked for.
fn looks_alike(moved: &Stanza, read: &Stanza) {
    assert_eq!(moved, read);
    let parts = |stanza: &Stanza| {
        let attrs = [
            stanza.to(),
            stanza.from(),
            stanza.id(),
            stanza.kind(),
            stanza.lang(),
        ];
        let attrs = attrs.map(|value| value.map(|value| value.into_owned()));
        let children: Vec<_> = stanza
            .children()
            .map(|child| {
                (
                    child.ns().to_owned(),
                    child.name().to_owned(),
                    child.bytes().to_vec(),
                )
            })
            .collect();
        let root = (stanza.ns().to_owned(), stanza.name().to_owned());
        (root, attrs, children)
    };
    assert_eq!(parts(moved), parts(read));
    for stanza in [moved, read].map(Stanza::splice).map(|splice| {
        splice
            .to(Some("t"))
            .from(None)
            .id(Some("i"))
            .kind(None)
            .lang(Some("l"))
            .remove_child(0)
            .append(b"<z/>")
    }) {
        let again = read.splice().to(Some("t")).from(None).id(Some("i"));
        let again = again.kind(None).lang(Some("l")).remove_child(0);
        assert_eq!(stanza.finish(), again.append(b"<z/>").finish());
    }
    assert_eq!(
        moved.splice().ns("n").finish(),
        read.splice().ns("n").finish()
    );
    let declared = |stanza: &Stanza| stanza.splice().declare_ns("n").finish();
    assert_eq!(declared(moved), declared(read));
}

/// Each part moves by what was changed before it.
#[test]
fn parts_are_known_where_they_stand_after_changes() {
    for stanza in [
        "<message/>",
        "<message></message>",
        "<message to=''/>",
        "<message from='a' to='b' id='c' type='chat' xml:lang='de'><body>x</body></message>",
        "<message xmlns='jabber:client' to='b'><a/><b xmlns='u:b'>x</b><c/>text<d xmlns=\"u:&amp;d\"/></message>",
        "<p:message xmlns:p='jabber:client' xmlns:q='u:q' p:x='1' id='&lt;'><q:a/><p:b><q:c/></p:b></p:message>",
        "<message  type = \"chat\"\n to='b@c/d' ><e xmlns='u:e'/> <f/></message >",
    ] {
        for value in [None, Some(""), Some("x"), Some("a longer one & \" ' \n")] {
            for removed in [vec![], vec![0], vec![1, 0], vec![0, 1, 2, 3]] {
                for appended in [
                    "",
                    "<n xmlns='u:n' a='1'/>",
                    "<n xmlns='u:n'><m/></n><o xmlns='u:o'>x</o>",
                    "<bare/>",
                    "<r:n xmlns:r='u:r'/>",
                    "<n xmlns='u:&amp;n'/>",
                ] {
                    spliced(stanza, |splice| {
                        let splice = splice.to(value).lang(value);
                        let splice = splice.append(appended.as_bytes());
                        removed
                            .iter()
                            .fold(splice, |splice, at| splice.remove_child(*at))
                    });
                    spliced(stanza, |splice| {
                        splice.from(value).id(Some("i")).kind(value)
                    });
                    spliced(stanza, |splice| splice.from(value).ns("u:other"));
                    let element = b"<n xmlns='u:n' a='1'><m/></n>";
                    for (ns, name) in [("u:n", "n"), ("u:other", "n"), ("u:n", "other")] {
                        spliced(stanza, |splice| {
                            splice.to(value).append_known(element, ns, name)
                        });
                    }
                }
            }
        }
    }
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
