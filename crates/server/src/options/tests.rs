//! What can be set, and what cannot.

use super::*;

const HELP: OptionSpec = OptionSpec {
    name: "help",
    default: OptionDefault::Uris,
    unit: "",
    doc: "",
};

fn help(uris: &[&str]) -> Result<Options, OptionError> {
    let texts = uris.iter().map(ToString::to_string).collect();
    let given = BTreeMap::from([("help".to_owned(), OptionValue::Texts(texts))]);
    Options::new([HELP].iter(), &given)
}

#[test]
fn uris() {
    let good = [
        "mailto:help@example.org",
        "xmpp:help@example.org",
        "https://example.org/?a=b#c",
    ];
    assert_eq!(help(&good).unwrap().texts(&HELP), good);
    assert_eq!(help(&[]).unwrap().texts(&HELP), [""; 0]);
    let long = format!("a:{}", "b".repeat(URI_BYTES_MAX - 1));
    for bad in [
        "",
        "help@example.org",
        "mailto:",
        "1a:b",
        "a:b c",
        "a:<b",
        "ä:b",
        &long,
    ] {
        let text = bad.to_owned();
        let error = OptionError::Uri { name: "help", text };
        assert_eq!(help(&[good[0], bad]), Err(error));
    }
    assert!(help(&[&long[..URI_BYTES_MAX]]).is_ok());
    assert!(help(&["a:b"; URIS_MAX]).is_ok());
    assert!(help(&["a:b"; URIS_MAX + 1]).is_err());
}

#[test]
fn several_accounts() {
    const WHO: OptionSpec = OptionSpec {
        name: "who",
        default: OptionDefault::Accounts,
        unit: "",
        doc: "",
    };
    let who = |texts: &[&str]| {
        let texts = texts.iter().map(ToString::to_string).collect();
        let given = BTreeMap::from([("who".to_owned(), OptionValue::Texts(texts))]);
        Options::new([WHO].iter(), &given)
    };
    let good = who(&["Admin@Example.org", "b@c.example"]).unwrap();
    assert_eq!(good.texts(&WHO), ["admin@example.org", "b@c.example"]);
    assert_eq!(who(&[]).unwrap().texts(&WHO), [""; 0]);
    for bad in ["example.org", "a@b/c", "xmpp:a@", ""] {
        let text = bad.to_owned();
        let error = OptionError::Account { name: "who", text };
        assert_eq!(who(&["a@b.example", bad]), Err(error));
    }
    assert!(who(&["a@b.example"; ACCOUNTS_MAX]).is_ok());
    assert!(who(&["a@b.example"; ACCOUNTS_MAX + 1]).is_err());
}

#[test]
fn names() {
    const KEPT: OptionSpec = OptionSpec {
        name: "kept",
        default: OptionDefault::Names(&["root"]),
        unit: "",
        doc: "",
    };
    let kept = |names: &[&str]| {
        let texts = names.iter().map(ToString::to_string).collect();
        let given = BTreeMap::from([("kept".to_owned(), OptionValue::Texts(texts))]);
        let options = Options::new([KEPT].iter(), &given);
        options.map(|options| options.texts(&KEPT).to_vec())
    };
    let default = Options::new([KEPT].iter(), &BTreeMap::new()).unwrap();
    assert_eq!(default.texts(&KEPT), ["root"]);
    assert_eq!(kept(&["Admin", "b"]).unwrap(), ["admin", "b"]);
    assert_eq!(kept(&[]).unwrap(), [""; 0]);
    for bad in ["", "a@b", "a b"] {
        let text = bad.to_owned();
        assert_eq!(kept(&[bad]), Err(OptionError::Name { name: "kept", text }));
    }
    assert!(kept(&["a"; NAMES_MAX]).is_ok());
    assert!(kept(&["a"; NAMES_MAX + 1]).is_err());
}

#[test]
fn host_names() {
    const HOST: OptionSpec = OptionSpec {
        name: "host",
        default: OptionDefault::Host,
        unit: "",
        doc: "",
    };
    let host = |text: &str| {
        let given = BTreeMap::from([("host".to_owned(), OptionValue::Text(text.to_owned()))]);
        let options = Options::new([HOST].iter(), &given);
        options.map(|options| options.text(&HOST).to_owned())
    };
    for good in ["", "a.example", "192.0.2.1", "2001:db8::1", "localhost"] {
        assert_eq!(host(good).as_deref(), Ok(good));
    }
    let long = format!("{}a", "a.".repeat(126) + "aa");
    for bad in [
        "a.example:7777",
        "https://a.example",
        "a b",
        "a..b",
        ".",
        "[::1]",
        &long,
    ] {
        let text = bad.to_owned();
        assert_eq!(host(bad), Err(OptionError::Host { name: "host", text }));
    }
}

#[test]
fn pages() {
    const PAGE: OptionSpec = OptionSpec {
        name: "page",
        default: OptionDefault::Page,
        unit: "",
        doc: "",
    };
    let page = |text: &str| {
        let given = BTreeMap::from([("page".to_owned(), OptionValue::Text(text.to_owned()))]);
        let options = Options::new([PAGE].iter(), &given);
        options.map(|options| options.text(&PAGE).to_owned())
    };
    for good in ["", "https://a.example/?b=c", "http://[::1]:8080/"] {
        assert_eq!(page(good).as_deref(), Ok(good));
    }
    for bad in [
        "a.example",
        "https://",
        "https:///a",
        "mailto:a@b.example",
        "https://a b",
    ] {
        let text = bad.to_owned();
        assert_eq!(page(bad), Err(OptionError::Page { name: "page", text }));
    }
}

#[test]
fn bases() {
    const BASE: OptionSpec = OptionSpec {
        name: "base",
        default: OptionDefault::Base,
        unit: "",
        doc: "",
    };
    let base = |text: &str| {
        let given = BTreeMap::from([("base".to_owned(), OptionValue::Text(text.to_owned()))]);
        let options = Options::new([BASE].iter(), &given);
        options.map(|options| options.text(&BASE).to_owned())
    };
    assert_eq!(base("").as_deref(), Ok(""));
    assert_eq!(
        base("https://a.example/x//").as_deref(),
        Ok("https://a.example/x")
    );
    for bad in [
        "a.example",
        "https://a.example/?b=c",
        "https://a.example/x#y",
    ] {
        let text = bad.to_owned();
        assert_eq!(base(bad), Err(OptionError::Base { name: "base", text }));
    }
}

#[test]
fn labels() {
    const HOST: OptionSpec = OptionSpec {
        name: "host",
        default: OptionDefault::Label("rooms"),
        unit: "",
        doc: "",
    };
    let host = |text: &str| {
        let given = BTreeMap::from([("host".to_owned(), OptionValue::Text(text.to_owned()))]);
        let options = Options::new([HOST].iter(), &given);
        options.map(|options| options.text(&HOST).to_owned())
    };
    for (text, label) in [
        ("", ""),
        ("Conference", "conference"),
        ("R\u{E4}ume", "r\u{E4}ume"),
    ] {
        assert_eq!(host(text).as_deref(), Ok(label));
    }
    let long = "a".repeat(64);
    for bad in ["a.b", "a.", ".", "a b", "a@b", "a_b", "[::1]", "-", &long] {
        let text = bad.to_owned();
        assert_eq!(host(bad), Err(OptionError::Label { name: "host", text }));
    }
    let options = Options::new([HOST].iter(), &BTreeMap::new()).unwrap();
    assert_eq!(options.text(&HOST), "rooms");
}

#[test]
fn choices() {
    const KEEP: OptionSpec = OptionSpec {
        name: "keep",
        default: OptionDefault::Choice(&["all", "none"]),
        unit: "",
        doc: "",
    };
    let keep = |given: &[&str]| {
        let given = given
            .iter()
            .map(|text| ("keep".to_owned(), OptionValue::Text((*text).to_owned())));
        let options = Options::new([KEEP].iter(), &given.collect());
        options.map(|options| options.text(&KEEP).to_owned())
    };
    assert_eq!(keep(&[]).as_deref(), Ok("all"));
    assert_eq!(keep(&["none"]).as_deref(), Ok("none"));
    for bad in ["", "All", "some"] {
        let text = bad.to_owned();
        let words = "all, none".to_owned();
        let name = "keep";
        assert_eq!(keep(&[bad]), Err(OptionError::Choice { name, words, text }));
    }
}

#[test]
fn a_domain_sets_its_own() {
    let all = help(&["a:all"]).unwrap();
    let own = OptionValue::Texts(vec!["a:own".to_owned()]);
    let own = BTreeMap::from([("help".to_owned(), own)]);
    let set = |given| all.with([HELP].iter(), given).unwrap();
    assert_eq!(set(&own).texts(&HELP), ["a:own"]);
    assert_eq!(set(&BTreeMap::new()).texts(&HELP), ["a:all"]);
    let error = all.with([].iter(), &own);
    assert_eq!(error, Err(OptionError::Unknown("help".to_owned())));
}
