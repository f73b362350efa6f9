//! Examples of RFC 3454, 3490, 6122 and 7622, and the properties that all else relies on.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn jid(text: &str) -> Jid {
    Jid::new(text).unwrap()
}

#[test]
fn parts() {
    let full = jid("juliet@example.com/balcony");
    assert_eq!(full.node(), Some("juliet"));
    assert_eq!(full.domain(), "example.com");
    assert_eq!(full.resource(), Some("balcony"));
    assert_eq!(full.bare(), "juliet@example.com");
    assert_eq!(full.bare().node(), Some("juliet"));
    assert_eq!(full.bare().domain(), "example.com");
    assert_eq!(full.bare().to_domain(), "example.com");
    assert_eq!(full.full().unwrap().resource(), "balcony");
    assert!(!full.is_bare());

    let server = jid("example.com");
    assert_eq!(
        (server.node(), server.domain(), server.resource()),
        (None, "example.com", None)
    );
    assert!(server.is_bare());
    assert_eq!(server.full(), None);
    assert_eq!(server.bare().to_domain(), server.bare());

    let service = jid("example.com/announce/all@once");
    assert_eq!(service.node(), None);
    assert_eq!(service.resource(), Some("announce/all@once"));
}

/// A bare address that shares the text of a full one is the same as one that does not.
#[test]
fn sharing_does_not_show() {
    let shared = jid("a@b/c").bare();
    let own = BareJid::new("a@b").unwrap();
    assert_eq!(shared, own);
    assert_eq!(shared.cmp(&own), std::cmp::Ordering::Equal);
    assert_eq!(HashMap::from([(shared.clone(), 1)]).get(&own), Some(&1));
    assert_eq!(HashMap::from([(shared.clone(), 1)]).get("a@b"), Some(&1));
    assert_eq!(Jid::from(shared.clone()), jid("a@b"));
    assert_eq!(Jid::from(shared.clone()).resource(), None);
    assert_eq!(shared.with_resource("d").unwrap(), "a@b/d");
    assert_eq!(shared.with_resource("d").unwrap().bare(), own);
    assert_eq!(shared.to_string(), "a@b");
}

#[test]
fn bare_and_full_are_told_apart() {
    assert_eq!(BareJid::new("a@b/c"), Err(JidError::ResourcePresent));
    assert_eq!(FullJid::new("a@b"), Err(JidError::ResourceMissing));
    assert_eq!(FullJid::new("b/c").unwrap().node(), None);
}

/// RFC 7622 §3.5, tables 1 and 2 (the rows that RFC 6122 judges likewise).
#[test]
fn examples_of_rfc_7622() {
    for valid in [
        "juliet@example.com",
        "juliet@example.com/foo",
        "juliet@example.com/foo bar",
        "juliet@example.com/foo@bar",
        "foo\\20bar@example.com",
        "fussball@example.com",
        "\u{3C0}@example.com",
        "king@example.com/\u{265A}",
        "example.com",
        "example.com/foobar",
        "a.example.com/b@example.net",
    ] {
        assert_eq!(jid(valid), valid);
    }
    assert_eq!(jid("\u{3A3}@example.com/foo"), "\u{3C3}@example.com/foo");
    for invalid in [
        "\"juliet\"@example.com",
        "foo bar@example.com",
        "juliet@example.com/",
        "@example.com/foobar",
        "juliet@",
        "/foobar",
        "",
        "@",
        "/",
    ] {
        assert!(Jid::new(invalid).is_err(), "{invalid}");
    }
    // Where RFC 6122 differs: ß folds, Roman numeral four and the chess king in a node are letters to it.
    assert_eq!(jid("fu\u{DF}ball@example.com"), "fussball@example.com");
    assert_eq!(jid("henry\u{2163}@example.com"), "henryiv@example.com");
    assert_eq!(jid("\u{265A}@example.com"), "\u{265A}@example.com");
}

#[test]
fn nodes() {
    let prepared = |node: &str| prepare_node(node).map(Cow::into_owned);
    assert_eq!(prepared("JuLiEt"), Ok("juliet".into()));
    assert_eq!(prepared("\u{FF2A}uliet"), Ok("juliet".into()));
    assert_eq!(prepared("ju\u{AD}li\u{200D}et"), Ok("juliet".into()));
    assert_eq!(prepared("\u{130}"), Ok("i\u{307}".into()));
    assert_eq!(prepared("e\u{301}"), Ok("\u{E9}".into()));
    assert_eq!(prepared("\u{AD}"), Err(JidError::Empty(Part::Node)));
    for c in [
        '"', '&', '\'', '/', ':', '<', '>', '@', ' ', '\u{7F}', '\t', '\u{1680}', '\u{E000}',
    ] {
        assert_eq!(
            prepared(&format!("a{c}")),
            Err(JidError::Prohibited(Part::Node, c))
        );
    }
    // A full-width @ becomes a real one.
    assert_eq!(
        prepared("a\u{FF20}b"),
        Err(JidError::Prohibited(Part::Node, '@'))
    );
}

#[test]
fn resources() {
    let prepared = |resource: &str| prepare_resource(resource).map(Cow::into_owned);
    assert_eq!(
        prepared("Bal cony/@\"&'<>:"),
        Ok("Bal cony/@\"&'<>:".into())
    );
    assert_eq!(prepared("\u{FF22}al\u{AD}cony"), Ok("Balcony".into()));
    assert_eq!(prepared("\u{200B}"), Err(JidError::Empty(Part::Resource)));
    for c in [
        '\0', '\n', '\u{7F}', '\u{85}', '\u{2028}', '\u{FFFD}', '\u{FFFE}', '\u{202E}',
    ] {
        assert_eq!(
            prepared(&format!("a{c}")),
            Err(JidError::Prohibited(Part::Resource, c))
        );
    }
}

/// Unicode 3.2 knows neither the fox nor the squared A; the latter must not turn into a capital.
#[test]
fn characters_younger_than_stringprep() {
    assert_eq!(
        jid("room@rooms.example/\u{1F98A}").resource(),
        Some("\u{1F98A}")
    );
    assert_eq!(prepare_node("\u{1F130}").unwrap(), "\u{1F130}");
    for isolate in ['\u{2066}', '\u{2069}', '\u{061C}'] {
        assert_eq!(
            prepare_resource(&format!("a{isolate}")),
            Err(JidError::Prohibited(Part::Resource, isolate))
        );
    }
}

/// RFC 3454 §6.
#[test]
fn writing_directions() {
    assert_eq!(prepare_node("\u{627}1\u{628}").unwrap(), "\u{627}1\u{628}");
    assert_eq!(prepare_node("\u{5D0}\u{5D1}").unwrap(), "\u{5D0}\u{5D1}");
    for mixed in ["\u{627}1", "1\u{627}", "\u{627}a\u{628}", "a\u{5D0}"] {
        assert_eq!(
            prepare_node(mixed),
            Err(JidError::Bidirectional(Part::Node)),
            "{mixed}"
        );
        assert_eq!(
            prepare_resource(mixed),
            Err(JidError::Bidirectional(Part::Resource))
        );
        assert_eq!(
            prepare_domain(mixed),
            Err(JidError::Bidirectional(Part::Domain))
        );
    }
    // Each label stands alone.
    assert_eq!(prepare_domain("a.\u{5D0}").unwrap(), "a.\u{5D0}");
}

#[test]
fn lengths() {
    let longest = "x".repeat(PART_BYTES_MAX);
    let domain = vec!["x".repeat(63); 15].join(".") + "." + &"x".repeat(63);
    assert_eq!(domain.len(), PART_BYTES_MAX);
    let text = format!("{longest}@{domain}/{longest}");
    assert_eq!(jid(&text), text.as_str());
    assert_eq!(
        prepare_node(&format!("{longest}x")),
        Err(JidError::TooLong(Part::Node))
    );
    assert_eq!(
        prepare_resource(&format!("{longest}x")),
        Err(JidError::TooLong(Part::Resource))
    );
    assert_eq!(
        prepare_domain(&format!("x.{domain}")),
        Err(JidError::TooLong(Part::Domain))
    );
    assert_eq!(prepare_domain(&"x".repeat(64)), Err(JidError::Label));
    assert_eq!(prepare_domain(&"\u{FC}".repeat(64)), Err(JidError::Label));
    assert_eq!(
        Jid::new(&"x".repeat(INPUT_BYTES_MAX + 1)),
        Err(JidError::InputTooLong)
    );
    // The limit is on what is left: 3,069 bytes of full-width letters are 1,023 letters.
    assert_eq!(
        prepare_node(&"\u{FF21}".repeat(1023)).unwrap(),
        "a".repeat(1023)
    );
    assert_eq!(
        prepare_node(&"\u{FDFA}".repeat(341)),
        Err(JidError::Prohibited(Part::Node, ' ')),
        "one letter that expands to eighteen"
    );
}

#[test]
fn domains() {
    for (input, prepared) in [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("example.com\u{3002}", "example.com"),
        ("ex\u{AD}ample\u{3002}com", "example.com"),
        ("example\u{FF0E}com", "example.com"),
        ("example\u{FF61}com\u{FF61}", "example.com"),
        ("b\u{FC}cher.example", "b\u{FC}cher.example"),
        ("BU\u{308}CHER.example", "b\u{FC}cher.example"),
        ("xn--bcher-kva.example", "b\u{FC}cher.example"),
        ("XN--BCHER-KVA.example", "b\u{FC}cher.example"),
        ("\u{FF58}n--bcher-kva.example", "b\u{FC}cher.example"),
        ("xn--Bcher-kva.example.", "b\u{FC}cher.example"),
        // IDNA 2003 folds ß. The name of IDNA 2008 that has it is another one.
        ("stra\u{DF}e.example", "strasse.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        // Younger than Unicode 3.2: both spellings are one name.
        ("\u{1F98A}.example", "xn--9s9h.example"),
        ("xn--9s9h.example", "xn--9s9h.example"),
        // Not Punycode, or Punycode of what needs none.
        ("xn--a.example", "xn--a.example"),
        ("xn--example-.example", ""),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("localhost", "localhost"),
    ] {
        match prepare_domain(input) {
            Ok(domain) => assert_eq!(domain, prepared, "{input}"),
            Err(error) => assert_eq!((prepared, error), ("", JidError::Label), "{input}"),
        }
    }
}

#[test]
fn domains_refused() {
    for (input, error) in [
        ("", JidError::Empty(Part::Domain)),
        (".", JidError::Empty(Part::Domain)),
        ("..", JidError::Label),
        ("example..com", JidError::Label),
        (".example", JidError::Label),
        ("example.com..", JidError::Label),
        ("-example", JidError::Label),
        ("example-", JidError::Label),
        ("exam_ple", JidError::Prohibited(Part::Domain, '_')),
        ("exam ple", JidError::Prohibited(Part::Domain, ' ')),
        ("a@b", JidError::Prohibited(Part::Domain, '@')),
        ("a:5222", JidError::Prohibited(Part::Domain, ':')),
        ("a\u{2024}b", JidError::Prohibited(Part::Domain, '.')),
        ("a\u{2048}", JidError::Prohibited(Part::Domain, '?')),
        ("[::1", JidError::Ipv6),
        ("[::1]x", JidError::Ipv6),
        ("[127.0.0.1]", JidError::Ipv6),
        ("[fe80::1%eth0]", JidError::Ipv6),
        ("::1", JidError::Prohibited(Part::Domain, ':')),
    ] {
        assert_eq!(prepare_domain(input), Err(error), "{input}");
    }
}

#[test]
fn domains_for_dns() {
    assert_eq!(domain_to_ascii("example.com"), "example.com");
    assert_eq!(
        domain_to_ascii("b\u{FC}cher.example"),
        "xn--bcher-kva.example"
    );
    assert_eq!(domain_to_ascii("[::1]"), "[::1]");
}

#[test]
fn names_for_new_accounts() {
    for yes in [
        "juliet",
        "Juliet",
        "a.b-c_d+e",
        "j\u{FC}rgen",
        "\u{FF4A}uliet",
        "\u{43E}\u{43B}\u{44F}",
        "\u{5D3}\u{5D5}\u{5D3}",
        "\u{5D3}1\u{5D5}",
        "\u{4E2D}\u{6587}",
        "\u{BA8}\u{BBF}",
        "\\20",
        "e\u{301}",
    ] {
        assert!(is_registrable(yes), "{yes}");
    }
    for no in [
        "",
        "a b",
        "a@b",
        "fu\u{DF}ball",
        "\u{3C2}",
        "\u{39F}\u{3A3}",
        "ju\u{AD}liet",
        "\u{2163}",
        "\u{265A}",
        "\u{FB01}sh",
        "\u{1F98A}",
        "l\u{B7}l",
        "\u{661}",
        "\u{627}\u{640}\u{628}",
        "\u{627}+\u{628}",
        "\u{1100}",
        "x\u{200D}y",
        "\u{10A0}",
    ] {
        assert!(!is_registrable(no), "{no}");
    }
}

/// Every character alone (the planes without any left out): preparing twice is preparing once.
#[test]
fn every_character_is_stable() {
    for c in ('\0'..='\u{323AF}').chain('\u{E0000}'..='\u{E01FF}') {
        let text = c.to_string();
        for prepare in [prepare_node, prepare_resource, prepare_domain] {
            if let Ok(once) = prepare(&text) {
                assert_eq!(prepare(&once).unwrap(), once, "U+{:04X}", u32::from(c));
            }
        }
    }
}

/// Text of the characters that make trouble: marks that compose, folds, dots, directions, separators.
fn troublesome() -> impl Strategy<Value = String> {
    let c = prop_oneof![
        4 => proptest::char::range('!', '~'),
        2 => proptest::char::range('\u{80}', '\u{24F}'),
        2 => proptest::char::range('\u{300}', '\u{3FF}'),
        1 => proptest::char::range('\u{5D0}', '\u{6FF}'),
        1 => proptest::char::range('\u{900}', '\u{11FF}'),
        2 => proptest::char::range('\u{1E00}', '\u{2050}'),
        1 => proptest::char::range('\u{3000}', '\u{30FF}'),
        1 => proptest::char::range('\u{AC00}', '\u{D7A3}'),
        1 => proptest::char::range('\u{F900}', '\u{FFEF}'),
        1 => proptest::char::range('\u{1D100}', '\u{1F9FF}'),
        1 => any::<char>(),
    ];
    proptest::collection::vec(c, 1..8).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn preparing_twice_is_preparing_once(text in troublesome()) {
        for prepare in [prepare_node, prepare_resource, prepare_domain] {
            if let Ok(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once).map(Cow::into_owned), Ok(once.into_owned()));
            }
        }
    }

    #[test]
    fn parsing_what_is_shown(
        node in proptest::option::of(troublesome()),
        domain in troublesome(),
        resource in proptest::option::of(troublesome()),
    ) {
        if let Ok(jid) = Jid::from_parts(node.as_deref(), &domain, resource.as_deref()) {
            let again = Jid::new(jid.as_str()).unwrap();
            prop_assert_eq!(&again, &jid);
            prop_assert_eq!(again.node(), jid.node());
            prop_assert_eq!(again.domain(), jid.domain());
            prop_assert_eq!(again.resource(), jid.resource());
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        if let Ok(jid) = Jid::new(&text) {
            prop_assert_eq!(Jid::new(jid.as_str()), Ok(jid));
        }
    }

    /// DNS's form of a domain is the same domain.
    #[test]
    fn ascii_form_is_the_same_domain(text in troublesome()) {
        if let Ok(domain) = prepare_domain(&text) {
            let ascii = domain_to_ascii(&domain);
            prop_assert!(ascii.is_ascii());
            prop_assert_eq!(prepare_domain(&ascii).map(Cow::into_owned), Ok(domain.clone().into_owned()));
        }
    }

    #[test]
    fn a_registrable_name_is_stable(text in troublesome()) {
        if is_registrable(&text) {
            let prepared = prepare_node(&text).unwrap();
            prop_assert!(is_registrable(&prepared));
        }
    }
}
