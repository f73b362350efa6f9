//! What is refused, and by which name; what is accepted, and what it means.

use bytes::Bytes;
use waxwing_wire::{Element, Fault, Limit, Limits, Restricted, Stanza, WireError, ns};

fn parse(bytes: &[u8]) -> Result<Stanza, WireError> {
    Stanza::parse(Bytes::copy_from_slice(bytes), ns::CLIENT, &Limits::CLIENT)
}

fn refuses(error: impl Into<WireError>, cases: &[&[u8]]) {
    let error = error.into();
    for case in cases {
        let got = parse(case).err();
        assert_eq!(got, Some(error), "{}", case.escape_ascii());
        let tree = Element::parse_within(case, ns::CLIENT, &Limits::CLIENT).err();
        assert_eq!(tree, Some(error), "as a tree: {}", case.escape_ascii());
    }
}

/// Says what the text in `<a>…</a>` means.
fn text(written: &str) -> Result<String, WireError> {
    Element::parse(format!("<a>{written}</a>")).map(|element| element.text())
}

/// Says what the value in `<a b='…'/>` means.
fn value(written: &str) -> Result<String, WireError> {
    let element = Element::parse(format!("<a b='{written}'/>"))?;
    Ok(element.attr("b").unwrap_or_default().to_owned())
}

#[test]
fn bytes_must_be_utf8() {
    refuses(
        Fault::Utf8,
        &[
            b"<a>\x80</a>",
            b"<a>\xC0\xBC</a>",
            b"<a>\xC1\x81</a>",
            b"<a>\xE0\x80\xBC</a>",
            b"<a>\xE0\x9F\xBF</a>",
            b"<a>\xED\xA0\x80</a>",
            b"<a>\xED\xBF\xBF</a>",
            b"<a>\xF0\x80\x80\xBC</a>",
            b"<a>\xF0\x8F\xBF\xBF</a>",
            b"<a>\xF4\x90\x80\x80</a>",
            b"<a>\xF5\x80\x80\x80</a>",
            b"<a>\xFF</a>",
            b"<a>\xC3</a>",
            b"<a>\xE2\x82</a>",
            b"<a>\xF0\x9F\x98</a>",
            b"<a b='\xE9'/>",
            b"<a><![CDATA[\xE9]]></a>",
            b"<\xE9/>",
            b"<a\xE9='1'/>",
        ],
    );
    assert_eq!(
        text("é€😀\u{7F}\u{80}\u{D7FF}\u{E000}\u{FDD0}\u{FFFD}\u{10FFFF}").as_deref(),
        Ok("é€😀\u{7F}\u{80}\u{D7FF}\u{E000}\u{FDD0}\u{FFFD}\u{10FFFF}")
    );
}

#[test]
fn characters_must_be_those_of_xml() {
    refuses(
        Fault::Character,
        &[
            b"<a>\0</a>",
            b"<a>\x08</a>",
            b"<a>\x0B</a>",
            b"<a>\x1F</a>",
            b"<a>0123456\x01</a>",
            b"<a>\xEF\xBF\xBE</a>",
            b"<a>\xEF\xBF\xBF</a>",
            b"<a b='\x1B'/>",
            b"<a b='\xEF\xBF\xBF'/>",
            b"<a><![CDATA[\x0C]]></a>",
            b"<a><![CDATA[\xEF\xBF\xBE]]></a>",
        ],
    );
    assert_eq!(
        text("\t\n\u{FEFF}\u{FFFC}").as_deref(),
        Ok("\t\n\u{FEFF}\u{FFFC}")
    );
}

#[test]
fn references_name_one_of_five_or_a_character_of_xml() {
    refuses(
        Fault::Reference,
        &[
            b"<a>&</a>",
            b"<a>& b;</a>",
            b"<a>&;</a>",
            b"<a>&amp</a>",
            b"<a>&#;</a>",
            b"<a>&#x;</a>",
            b"<a>&#0;</a>",
            b"<a>&#x0;</a>",
            b"<a>&#11;</a>",
            b"<a>&#xD800;</a>",
            b"<a>&#xDFFF;</a>",
            b"<a>&#xFFFE;</a>",
            b"<a>&#x110000;</a>",
            b"<a>&#4294967361;</a>",
            b"<a>&#x1000000000000041;</a>",
            b"<a>&#X41;</a>",
            b"<a>&#+65;</a>",
            b"<a>&#x-1;</a>",
            b"<a>&#6A;</a>",
            b"<a b='&#x1;'/>",
            b"<a b='&'/>",
        ],
    );
    refuses(
        Restricted::Entity,
        &[b"<a>&nbsp;</a>", b"<a b='&AMP;'/>", b"<a>&a:b;</a>"],
    );
    assert_eq!(
        text("&amp;&lt;&gt;&apos;&quot;&#65;&#x41;&#x0000000000000041;&#x10ffff;").as_deref(),
        Ok("&<>'\"AAA\u{10FFFF}")
    );
}

#[test]
fn markup_is_elements_text_and_cdata() {
    refuses(Restricted::Comment, &[b"<a><!-- b --></a>", b"<a><!--"]);
    refuses(
        Restricted::ProcessingInstruction,
        &[b"<a><?b?></a>", b"<a><?xml version='1.0'?></a>"],
    );
    refuses(Restricted::Doctype, &[b"<a><!DOCTYPE b></a>"]);
    refuses(
        Fault::Markup,
        &[
            b"<a><!ELEMENT b></a>",
            b"<a><![cdata[]]></a>",
            b"<a><![CDATA x]]></a>",
        ],
    );
    refuses(
        Fault::CdataEnd,
        &[b"<a>]]></a>", b"<a>]]]></a>", b"<a><![CDATA[]]>]]></a>"],
    );
    refuses(
        Restricted::ProcessingInstruction,
        &[b"<?xml version='1.0'?><a/>"],
    );
    refuses(Restricted::Doctype, &[b"<!DOCTYPE a><a/>"]);
    refuses(Restricted::Comment, &[b"<!--b--><a/>"]);
    refuses(Fault::Markup, &[b"<![CDATA[a]]>"]);
    assert_eq!(
        text("a]]&gt;b]>]]c<![CDATA[<&amp;]]]><![CDATA[]]>").as_deref(),
        Ok("a]]>b]>]]c<&amp;]")
    );
    assert_eq!(text("<b>no</b>yes<c/> too").as_deref(), Ok("yes too"));
}

#[test]
fn there_is_exactly_one_element() {
    refuses(
        Fault::Truncated,
        &[
            b"",
            b"<",
            b"<a",
            b"<a ",
            b"<a b",
            b"<a b=",
            b"<a b='",
            b"<a b='c'",
            b"<a/",
            b"<a>",
            b"<a>b",
            b"<a></",
            b"<a></a",
            b"<a><b></b>",
            b"<a>&am",
            b"<a><![CDATA[b]]",
            b"<a><!",
            b"<a><![CD",
            b"<a>\xE2\x82",
        ],
    );
    refuses(
        Fault::Trailing,
        &[
            b"<a/> ",
            b"<a/><b/>",
            b"<a></a>b",
            b"<a/></a>",
            b"<a/>\0",
            b"<a/>\xFF",
        ],
    );
    refuses(
        Fault::Tag,
        &[b" <a/>", b"b<a/>", b"\xEF\xBB\xBF<a/>", b"&lt;"],
    );
}

#[test]
fn tags_follow_the_grammar() {
    refuses(
        Fault::Name,
        &[b"< a/>", b"<1/>", b"<-a/>", b"<.a/>", b"<>", b"</a>"],
    );
    refuses(
        Fault::Tag,
        &[
            b"<a b/>",
            b"<a b c='1'/>",
            b"<a b=c/>",
            b"<a b='1'c='2'/>",
            b"<a b='1'\"/>",
            b"<a / >",
            b"<a/b>",
            b"<a,b='1'/>",
            b"<a&amp;/>",
        ],
    );
    refuses(Fault::LessThan, &[b"<a b='<'/>", b"<a b=\"&lt;<\"/>"]);
    refuses(
        Fault::EndTag,
        &[
            b"<a></b>",
            b"<a></ab>",
            b"<ab></a>",
            b"<a></ a>",
            b"<a></a b='1'>",
            b"<a></a/>",
            b"<a><b></a></b>",
            b"<a></A>",
        ],
    );
    assert_eq!(
        parse(b"<a\r\n\tb = '>'  c\n=\n\"/>'\" ><d  /></a \n>")
            .map(|stanza| stanza.children().len()),
        Ok(1)
    );
    assert_eq!(
        parse(b"<_.-0 A.b-c_1='' _=''/>")
            .map(|stanza| stanza.name().to_owned())
            .as_deref(),
        Ok("_.-0")
    );
}

#[test]
fn names_are_qualified() {
    refuses(
        Fault::Name,
        &[
            b"<:/>",
            b"<:a/>",
            b"<a:/>",
            b"<a:1 xmlns:a='n'/>",
            b"<a :b=''/>",
            b"<a b:=''/>",
            b"<a xmlns:='n'/>",
        ],
    );
    refuses(Fault::Tag, &[b"<a:b:c xmlns:a='n'/>", b"<a b:c:d=''/>"]);
    refuses(
        Fault::UnboundPrefix,
        &[
            b"<p:a/>",
            b"<a p:b=''/>",
            b"<a><b xmlns:p='n'/><p:c/></a>",
            b"<a><b xmlns:p='n'></b><p:c/></a>",
            b"<xmlns:a/>",
            b"<a xmlnsx:b=''/>",
            b"<XML:a/>",
            b"<stream:features/>",
        ],
    );
    let nested = parse(
        b"<a xmlns:p='1'><p:b xmlns:p='2' p:c=''/><p:d/><e xmlns=''><f/></e><g xmlns='3'/></a>",
    );
    let nested = nested.expect("a stanza");
    let names: Vec<_> = nested
        .children()
        .map(|child| (child.ns(), child.name()))
        .collect();
    assert_eq!(names, [("2", "b"), ("1", "d"), ("", "e"), ("3", "g")]);
}

#[test]
fn reserved_prefixes_and_namespaces_stay_what_they_are() {
    refuses(
        Fault::ReservedNamespace,
        &[
            b"<a xmlns:xml='n'/>",
            b"<a xmlns:xmlns='n'/>",
            b"<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
            b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
            b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
            b"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
            b"<a xmlns='http://www.w3.org/2000/xmlns&#x2f;'/>",
        ],
    );
    refuses(Fault::EmptyNamespace, &[b"<a xmlns:p=''/>"]);
    let lang = parse(b"<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='de'/>");
    assert_eq!(lang.expect("a stanza").lang().as_deref(), Some("de"));
}

#[test]
fn attributes_are_unique() {
    refuses(
        Fault::DuplicateAttribute,
        &[
            b"<a b='1' b='1'/>",
            b"<a b='1' c='2' d='3' e='4' b=''/>",
            b"<a xmlns='n' xmlns='n'/>",
            b"<a xmlns:p='n' xmlns:p='m'/>",
            b"<a xmlns:p='n' p:b='' p:b=''/>",
            b"<a xmlns:p='n' xmlns:q='n' p:b='' q:b=''/>",
            b"<a xmlns:p='n' xmlns:q='&#110;' p:b='' q:b=''/>",
            b"<a p:b='' q:b='' xmlns:p='n' xmlns:q='n'/>",
            b"<a xmlns:p='n'><b xmlns:q='n' p:c='' q:c=''/></a>",
            b"<a xml:lang='' xml:lang=''/>",
        ],
    );
    assert!(parse(b"<a b='' xmlns:p='n' p:b='' xmlns:q='m' q:b='' xmlns='n'/>").is_ok());
}

#[test]
fn whitespace_is_normalised() {
    assert_eq!(
        text("a\r\nb\rc\n\r\nd&#13;&#10;").as_deref(),
        Ok("a\nb\nc\n\nd\r\n")
    );
    assert_eq!(
        text("<![CDATA[a\r\nb\rc&#13;]]>").as_deref(),
        Ok("a\nb\nc&#13;")
    );
    assert_eq!(
        value(" a\tb\nc\r\nd\re&#9;&#10;&#13; ").as_deref(),
        Ok(" a b c d e\t\n\r ")
    );
    let stanza = parse(b"<a to='x\ty' from='&amp;&#x2F;' id='p&#13;\r\nq'/>").expect("a stanza");
    assert_eq!(stanza.to().as_deref(), Some("x y"));
    assert_eq!(stanza.from().as_deref(), Some("&/"));
    assert_eq!(stanza.id().as_deref(), Some("p\r q"));
}

#[test]
fn strange_names_are_beyond_limits_and_not_ill_formed() {
    refuses(
        Limit::NonAsciiName,
        &[
            "<é/>".as_bytes(),
            "<a é='1'/>".as_bytes(),
            "<aé></aé>".as_bytes(),
            "<a xmlns:é='n'/>".as_bytes(),
            "<a><b é='1' c='2'/></a>".as_bytes(),
        ],
    );
    refuses(
        Limit::NamespaceName,
        &[
            b"<a xmlns='a}b'/>",
            b"<a xmlns:p='a b'/>",
            b"<a xmlns='a|b'/>",
            b"<a xmlns='a&#10;b'/>",
            b"<a xmlns='a&lt;b'/>",
            b"<a><b xmlns='^'/></a>",
        ],
    );
    assert!(parse("<a xmlns='http://é.example/?a=b&amp;c#[d]@!$(*+,);%20~'/>".as_bytes()).is_ok());
}

#[test]
fn ill_formed_input_is_called_so_even_beyond_limits() {
    refuses(Fault::EndTag, &["<é></a>".as_bytes(), b"<a xmlns='}'></b>"]);
    refuses(Fault::Character, &["<é>\0</é>".as_bytes()]);
    refuses(Fault::Truncated, &["<é>".as_bytes()]);
}
