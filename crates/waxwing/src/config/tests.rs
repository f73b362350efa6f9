use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/srv/waxwing"))
}

const LEAST: &str = "domains = [\"example.org\"]\ndata_dir = \"data\"\n";

#[test]
fn defaults_and_relative_paths() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.data_dir, Path::new("/srv/waxwing/data"));
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.registration, Registration::Closed);
}

#[test]
fn the_example_is_a_configuration() {
    let config = parse(&format!(
        "{EXAMPLE}{}",
        waxwing_server::generate::option_example()
    ))
    .unwrap();
    assert_eq!(config.domains, ["example.org"]);
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let error = parse(&format!("{LEAST}\n[listen]\nc2s_tsl = []\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 5: there is no key 'listen.c2s_tsl'; did you mean 'listen.c2s_tls'?"
    );
    let error = parse("domain = []").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1: there is no key 'domain'; did you mean 'domains'?"
    );
    let error = parse(&format!("{LEAST}zzzzzzz = 1")).unwrap_err();
    assert_eq!(error.to_string(), "line 3: there is no key 'zzzzzzz'");
}

#[test]
fn urls_for_browsers_are_judged() {
    let web = |lines: &str| parse(&format!("{LEAST}[web]\n{lines}\n")).map(|config| config.web);
    let read = web(
        "public_url = \"https://chat.example/x/\"\nallowed_origins = [\"*\", \"http://a.example:81\"]",
    );
    let expected = Web {
        public_url: Some("https://chat.example/x".to_owned()),
        allowed_origins: vec!["*".to_owned(), "http://a.example:81".to_owned()],
    };
    assert_eq!(read, Ok(expected));
    for wrong in [
        "public_url = \"chat.example\"",
        "public_url = \"https://\"",
        "public_url = \"https://a.example/?b\"",
        "public_url = \"https://a'b.example\"",
        "allowed_origins = [\"a.example\"]",
        "allowed_origins = [\"https://a.example/\"]",
    ] {
        assert!(
            matches!(web(wrong), Err(ConfigError::Value { line: 4, .. })),
            "{wrong}"
        );
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, said) in [
        (
            "domains = 5\n",
            "line 1: 'domains' must be a list of texts, not a value of the type integer",
        ),
        ("data_dir = \"x\"\n", "the key 'domains' is missing"),
        (
            "domains = []\ndata_dir = \"x\"\n",
            "line 1: 'domains' must name at least one domain",
        ),
        (
            "domains = [\"a.example\"]\ndata_dir = \"x\"\n[registration]\nmode = \"free\"\n",
            "line 4: 'registration.mode' must be \"open\" or \"closed\", not \"free\"",
        ),
        (
            "domains = [\"a.example\"]\ndata_dir = \"x\"\n[registration]\nmode = \"invite\"\n",
            "line 4: 'registration.mode' must be \"open\" or \"closed\", not \"invite\"; it did what \"closed\" does, until there are invitations",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), said);
    }
    let outside = parse(&format!(
        "{LEAST}[listen]\nc2s_plain_loopback = [\"192.0.2.1:5222\"]\n"
    ))
    .unwrap_err();
    assert!(
        outside.to_string().starts_with(
            "line 4: 'listen.c2s_plain_loopback' takes only addresses of this machine"
        )
    );
    assert!(matches!(
        parse("domains = [").unwrap_err(),
        ConfigError::Syntax { line: 1, .. }
    ));
}

#[test]
fn what_stands_twice_is_named() {
    for (twice, said) in [
        (
            "[web]\n[options]\n[web]\n",
            "line 5: 'web' stands above already",
        ),
        (
            "[listen]\nc2s = []\nc2s = []\n",
            "line 5: 'c2s' stands above already",
        ),
    ] {
        let error = parse(&format!("{LEAST}{twice}")).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn a_domain_has_options_of_its_own() {
    let section = "[domain.\"example.org\"]\n";
    let config = parse(&format!(
        "{LEAST}{section}abuse_addresses = [\"mailto:abuse@example.org\"]\n"
    ))
    .unwrap();
    let own = &config.domain_options["example.org"]["abuse_addresses"];
    let addresses = vec!["mailto:abuse@example.org".to_owned()];
    assert_eq!(*own, OptionValue::Texts(addresses));
    for (text, said) in [
        (
            "[domain.\"exmple.org\"]\n",
            "line 3: there is no key 'domain.exmple.org'; did you mean 'domain.example.org'?",
        ),
        (
            "[domain.\"example.org\"]\nabuse_adresses = []\n",
            "line 4: there is no key 'domain.example.org.abuse_adresses'; did you mean 'domain.example.org.abuse_addresses'?",
        ),
        (
            "[domain.\"example.org\"]\nscram_iterations = 5000\n",
            "line 4: there is no key 'domain.example.org.scram_iterations'",
        ),
        (
            "[domain.\"example.org\"]\nabuse_addresses = [\"abuse@example.org\"]\n",
            "line 4: 'domain.example.org.abuse_addresses' must be a list of at most 20 URIs, like \"mailto:abuse@example.org\", not \"abuse@example.org\"",
        ),
    ] {
        assert_eq!(
            parse(&format!("{LEAST}{text}")).unwrap_err().to_string(),
            said
        );
    }
}

#[test]
fn domains_have_one_spelling_and_stand_once() {
    let text = "domains = [\"Chat.Example.\", \"xn--bcher-kva.example\"]\ndata_dir = \"x\"\n";
    let config = parse(&format!("{text}[domain.\"CHAT.example\"]\n")).unwrap();
    assert_eq!(config.domains, ["chat.example", "b\u{FC}cher.example"]);
    assert!(config.domain_options.contains_key("chat.example"));
    let twice = parse("domains = [\n  \"a.example\",\n  \"A.Example.\",\n]\ndata_dir = \"x\"\n");
    assert_eq!(
        twice.unwrap_err().to_string(),
        "line 3: 'domains' has a.example twice; remove \"A.Example.\""
    );
    let wrong = parse("data_dir = \"x\"\ndomains = [\"alice@a.example\"]").unwrap_err();
    assert!(
        wrong
            .to_string()
            .starts_with("line 2: 'domains' must be domains: 'alice@a.example' is no domain"),
        "{wrong}"
    );
    let twice = parse(&format!(
        "{text}[domain.\"chat.example\"]\n[domain.\"Chat.example\"]\n"
    ));
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("in another spelling already")
    );
}

#[test]
fn addresses_that_take_each_others_connections_are_refused() {
    for (listen, said) in [
        (
            "c2s = [\"[::]:5222\"]\nc2s_tls = [\"[::]:5222\"]",
            "line 5: 'listen.c2s_tls' cannot have \"[::]:5222\": 'listen.c2s' in line 4 has \"[::]:5222\"",
        ),
        (
            "c2s = [\"127.0.0.1:5222\", \"127.0.0.1:5222\"]",
            "line 4: 'listen.c2s' cannot have \"127.0.0.1:5222\": 'listen.c2s' in line 4 has",
        ),
        (
            "c2s = [\"[::]:5222\"]\nhttps = [\"192.0.2.1:5222\"]",
            "line 5: 'listen.https' cannot have \"192.0.2.1:5222\": 'listen.c2s' in line 4 has",
        ),
        (
            "https = [\"0.0.0.0:5223\"]",
            "line 4: 'listen.https' cannot have \"0.0.0.0:5223\": 'listen.c2s_tls' has \"[::]:5223\" by default",
        ),
        (
            "c2s = [\"0.0.0.0:5222\", \"192.0.2.1:5222\"]",
            "line 4: 'listen.c2s' cannot have \"192.0.2.1:5222\"",
        ),
    ] {
        let error = parse(&format!("{LEAST}[listen]\n{listen}\n"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(said), "{error}");
    }
    for listen in [
        "c2s = [\"0.0.0.0:5222\", \"[::1]:5222\"]",
        "c2s = [\"127.0.0.1:5222\", \"[::1]:5222\", \"127.0.0.2:5222\"]",
        "c2s = [\"127.0.0.1:0\"]\nc2s_tls = [\"127.0.0.1:0\"]",
        "c2s_tls = []\nhttps = [\"[::]:5223\"]",
    ] {
        parse(&format!("{LEAST}[listen]\n{listen}\n")).unwrap();
    }
}

#[test]
fn proxies_are_named_by_network_and_listener() {
    let text = "domains = [\"a.example\"]\ndata_dir = \"d\"\n[listen]\n";
    let listen = |lines: &str| {
        let config = Config::parse(&format!("{text}{lines}\n"), Path::new("/"));
        config.map(|config| config.listen)
    };
    let good = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\nproxy_protocol = [\"https\"]\nhttp_proxied = [\"192.0.2.1:80\"]";
    let listen_good = listen(good).unwrap();
    assert!(listen_good.proxies.trusts("10.1.2.3".parse().unwrap()));
    assert_eq!(listen_good.http_proxied.len(), 1);
    for (line, key) in [
        (
            "trusted_proxies = [\"proxy.example\"]",
            "listen.trusted_proxies",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/40\"]",
            "listen.trusted_proxies",
        ),
        ("proxy_protocol = [\"http\"]", "listen.proxy_protocol"),
    ] {
        let Err(ConfigError::Value {
            line: 4,
            key: found,
            ..
        }) = listen(line)
        else {
            panic!("{line} is taken")
        };
        assert_eq!(found, key);
    }
}

#[test]
fn what_is_missing_is_named() {
    let told = |text: &str| parse(text).unwrap_err().to_string();
    let half = |key: &str| told(&format!("{LEAST}[tls]\n{key} = \"a.pem\"\n"));
    assert_eq!(
        half("certificate"),
        "line 4: 'tls.certificate' needs 'tls.key' beside it, which is missing"
    );
    assert_eq!(
        half("key"),
        "line 4: 'tls.key' needs 'tls.certificate' beside it, which is missing"
    );
    assert_eq!(
        told("domains = [\"example.org\"]\ndata_dir = \"\"\n"),
        "line 2: 'data_dir' must not be empty"
    );
}

#[test]
fn service_hosts_are_named_by_domain() {
    let own = format!("{LEAST}[domain.\"example.org\"]\nrooms_host = \"Conference\"\n");
    let hosts = parse(&own).unwrap().settings().hosts().unwrap();
    let names: Vec<_> = hosts.of("example.org").map(|(_, name)| name).collect();
    assert_eq!(names, ["conference.example.org", "pubsub.example.org"]);
    let error = parse(&format!("{LEAST}[options]\nrooms_host = \"a.b\"\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4: 'options.rooms_host' must be one part of a host name without a dot, like \"conference\", or an empty text, not \"a.b\""
    );
}

#[test]
fn registration_is_decided_by_domain() {
    let own = format!("{LEAST}[domain.\"Example.ORG\"]\nregistration = \"open\"\n");
    let config = parse(&own).unwrap();
    assert_eq!(config.registration, Registration::Closed);
    assert_eq!(
        config.domain_registration["example.org"],
        Registration::Open
    );
    assert_eq!(config.settings().check(), Ok(()));
    let error = parse(&own.replace("open", "free")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4: 'domain.example.org.registration' must be \"open\" or \"closed\", not \"free\""
    );
}

#[test]
fn what_is_longer_than_anybody_means_is_told_in_few_words() {
    let long = "x".repeat(4_097);
    for (text, said) in [
        (
            format!("data_dir = \"{long}\""),
            "line 1: 'data_dir' is longer than 4096 bytes".to_owned(),
        ),
        (
            format!("\n[listen]\nc2s = [[\"{long}\"]]"),
            "line 3: 'c2s' is longer than 4096 bytes".to_owned(),
        ),
        (
            format!("{long} = 1"),
            format!("line 1: '{}…' is longer than 4096 bytes", &long[..20]),
        ),
    ] {
        assert_eq!(parse(&text).unwrap_err().to_string(), said);
    }
}

#[test]
fn every_key_has_its_place() {
    let text = format!(
        "{LEAST}[domain.\"Example.ORG\"]\nrooms_host = \"a\"\n[options]\n\npubsub_host = \"b\"\n"
    );
    let config = parse(&text).unwrap();
    let at = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        config.places.at(&keys).to_string()
    };
    assert_eq!(at(&["domains"]), ": line 1: 'domains': ");
    let own = "domain.example.org.rooms_host";
    assert_eq!(at(&[own, "domains"]), format!(": line 4: '{own}': "));
    let all = [
        "domain.example.org.pubsub_host",
        "options.pubsub_host",
        "domains",
    ];
    assert_eq!(at(&all), ": line 7: 'options.pubsub_host': ");
    assert_eq!(at(&["tls"]), ": ");
}

#[test]
fn the_server_of_a_bad_file_is_found() {
    let dir = std::env::temp_dir().join(format!("waxwing-bad-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("waxwing.toml");
    for (text, found) in [
        (&b"domains = [\"a\"\ndata_dir = \"data\"\n"[..], true),
        (b"domains = \"\xff\"\n data_dir = 'data' # here\n", true),
        (b"domains = []\n# data_dir = 'data'\ndata_dir\n", false),
    ] {
        std::fs::write(&file, text).unwrap();
        assert!(Config::load(&file).is_err());
        let socket = dir.join("data/admin.sock");
        assert_eq!(Config::admin_socket_of_bad(&file), found.then_some(socket));
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_database_is_named_without_its_password() {
    assert_eq!(parse(LEAST).unwrap().store, None);
    let config = parse(&format!(
        "{LEAST}[store]\nurl = \"postgresql://wax@db.example/chat\"\npassword_file = \"db.password\"\n"
    ));
    let store = config.unwrap().store.unwrap();
    assert_eq!(
        store.address.to_string(),
        "postgresql://db.example:5432/chat"
    );
    let file = store.password_file.as_deref();
    assert_eq!(file, Some(Path::new("/srv/waxwing/db.password")));
    let config = parse(&format!(
        "{LEAST}[store]\nurl = \"postgresql://wax:secret@db.example/chat\"\n"
    ));
    let config = config.unwrap();
    assert!(config.store.as_ref().unwrap().address.has_password());
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn what_is_no_database_is_refused_in_its_line() {
    for (section, said) in [
        ("url = 5", "line 4: 'store.url' must be a text"),
        ("url = \"\"", "line 4: 'store.url' must not be empty"),
        (
            "url = \"mysql://wax:secret@h/d\"",
            "line 4: 'store.url' cannot be used: it does not begin with postgresql://",
        ),
        (
            "url = \"postgresql://wax:secret@h/d?sslmode=secret\"",
            "line 4: 'store.url' cannot be used: sslmode is disable, prefer,",
        ),
        (
            "password_file = \"p\"",
            "line 4: 'store.password_file' does nothing without 'store.url'",
        ),
        (
            "url = \"postgresql://wax:secret@h/d\"\npassword_file = \"p\"",
            "line 5: 'store.password_file' is one password too many",
        ),
        (
            "uri = \"x\"",
            "there is no key 'store.uri'; did you mean 'store.url'?",
        ),
    ] {
        let error = parse(&format!("{LEAST}[store]\n{section}\n")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
