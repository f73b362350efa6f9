//! The ways to a server: in the clear or by TLS, by a socket, with a password, and past one that takes no writes.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use waxwing_store::{OpenError, PostgresOptions, Store};

use super::{count_up, open, try_open};
use crate::server::{Server, address, own_server};

fn options() -> PostgresOptions {
    PostgresOptions::default()
}

/// Whether the one connection of ours that writes is encrypted.
fn is_encrypted(server: &Server, database: &str) -> bool {
    let sql = "SELECT bool_and(ssl)::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'waxwing'";
    server.sql(database, sql) == ["true"]
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Gives the server a certificate for `localhost` by an authority; gives the URL's option that trusts it, and one that
/// trusts another.
fn certify(server: &Server) -> (String, String) {
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    server.write("server.crt", &certificate.pem());
    server.write("server.key", &key.serialize_pem());
    let trust = |name: &str, pem: &str| {
        let path = server.directory().join(name);
        std::fs::write(&path, pem).unwrap();
        format!("sslrootcert={}", path.display())
    };
    (
        trust("ours.pem", &ours.pem()),
        trust("other.pem", &other.pem()),
    )
}

/// Has the server speak TLS, as [`certify`] says.
fn encrypt(server: &Server) -> (String, String) {
    let options = certify(server);
    let directory = server.directory().display().to_string();
    server.set(&format!("ssl_cert_file={directory}/server.crt"));
    server.set(&format!("ssl_key_file={directory}/server.key"));
    server.set("ssl=on");
    options
}

#[test]
fn tls_is_as_strict_as_the_url_says() {
    let Some(server) = own_server("ways/tls") else {
        return;
    };
    let database = server.database();
    let url = |host: &str, options: &str| {
        let port = server.port();
        format!("postgresql://waxwing@{host}:{port}/{database}?{options}")
    };
    // A server that has no TLS is refused by who wants it, and no more.
    let refused = try_open(&url("localhost", "sslmode=require"), &options());
    let Err(OpenError::Unreachable { reason, .. }) = refused.map(drop) else {
        panic!("it was talked to in the clear");
    };
    assert!(reason.contains("does not support TLS"), "{reason}");
    drop(open(&url("localhost", "sslmode=prefer"), &options()));

    let (ours, other) = encrypt(&server);
    let full = format!("sslmode=verify-full&{ours}");
    for (host, option, encrypted) in [
        ("localhost", full.clone(), true),
        ("localhost", format!("sslmode=verify-ca&{ours}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{ours}"), true),
        ("127.0.0.1", format!("sslmode=require&{ours}"), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", String::new(), false),
    ] {
        let store = open(&url(host, &option), &options());
        count_up(&store).unwrap();
        assert_eq!(
            is_encrypted(&server, &database),
            encrypted,
            "{host} {option}"
        );
    }
    for (host, option, said) in [
        ("127.0.0.1", full.clone(), "not valid for name"),
        (
            "localhost",
            format!("sslmode=verify-full&{other}"),
            "invalid peer certificate",
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&{other}"),
            "invalid peer certificate",
        ),
        ("localhost", "sslmode=verify-full".to_owned(), ""),
    ] {
        let refused = try_open(&url(host, &option), &options()).map(drop);
        let words = refused.unwrap_err().to_string();
        assert!(words.contains(said), "{host} {option}: {words}");
    }
}

#[test]
fn connections_that_are_made_again_are_as_protected() {
    let Some(server) = own_server("ways/again") else {
        return;
    };
    let database = server.database();
    let (ours, _) = encrypt(&server);
    let url = |options: &str| {
        let port = server.port();
        format!("postgresql://waxwing@localhost:{port}/{database}?sslmode=verify-full&{options}")
    };
    let store = open(&url(&ours), &options());
    assert_eq!(count_up(&store), Ok(1));
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'waxwing'";
    server.sql(&database, terminate);
    assert_eq!(count_up(&store), Ok(2));
    assert_eq!(super::counted(&store), Ok(2));
    assert!(is_encrypted(&server, &database));
    drop(store);

    // A certificate that is nobody's but its own, as Debian makes one, is its own authority.
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    server.write("server.crt", &certificate);
    server.write("server.key", &key.serialize_pem());
    server.set("ssl=on");
    let copy = server.directory().join("copy.pem");
    std::fs::write(&copy, certificate).unwrap();
    let option = format!("sslrootcert={}", copy.display());
    assert_eq!(count_up(&open(&url(&option), &options())), Ok(3));
}

#[test]
fn authorities_that_cannot_be_read_are_told() {
    let none = "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem";
    let Err(OpenError::Url(reason)) = try_open(none, &options()).map(drop) else {
        panic!("nobody is trusted");
    };
    assert!(reason.contains("/nowhere/ca.pem"), "{reason}");
    let empty = std::env::temp_dir().join(format!("waxwing-empty-ca-{}.pem", std::process::id()));
    std::fs::write(&empty, "no certificate").unwrap();
    let url = format!(
        "postgresql://u@h/d?sslmode=verify-ca&sslrootcert={}",
        empty.display()
    );
    let refused = try_open(&url, &options()).map(drop).unwrap_err();
    std::fs::remove_file(empty).unwrap();
    let device = "postgresql://u@h/d?sslmode=verify-ca&sslrootcert=/dev/zero";
    let endless = try_open(device, &options()).map(drop).unwrap_err();
    assert!(endless.to_string().contains("it is no file"), "{endless}");
    assert!(
        refused
            .to_string()
            .contains("no certificate of an authority"),
        "{refused}"
    );
}

#[test]
fn a_socket_is_a_way_too() {
    let Some(server) = own_server("ways/socket") else {
        return;
    };
    let url = server.url_by_socket(&server.database());
    let store = open(&url, &options());
    assert_eq!(count_up(&store), Ok(1));
    let both = Store::postgres_settings(&address(&url), &options()).unwrap();
    assert!(both.in_use && !both.tls);
}

#[test]
fn a_password_is_asked_for_and_told_to_nobody() {
    let Some(server) = own_server("ways/password") else {
        return;
    };
    server.require_password();
    let database = server.database();
    assert_eq!(
        count_up(&open(&server.url(&database, &[]), &options())),
        Ok(1)
    );
    let without = server.url_without_password(&database);
    let right = address(&without).with_password(waxwing_postgresql::PASSWORD);
    assert_eq!(
        Store::postgres_look(&right, &options(), &crate::shapes::all()),
        Ok(true)
    );
    let wrong = address(&without).with_password("a wrong one");
    let refused = Store::postgres_look(&wrong, &options(), &crate::shapes::all()).unwrap_err();
    assert!(matches!(refused, OpenError::NotLetIn { .. }), "{refused:?}");
    assert!(
        !format!("{refused} {refused:?}").contains("wrong"),
        "{refused:?}"
    );
    let none = try_open(&without, &options()).map(drop);
    assert!(matches!(none, Err(OpenError::NotLetIn { .. })), "{none:?}");
}

/// Whatever the URL says: of several hosts, one that takes no writes is passed over.
#[test]
fn a_server_that_takes_no_writes_is_passed_over() {
    let (Some(standby), Some(primary)) = (own_server("ways/standby"), own_server("ways/primary"))
    else {
        return;
    };
    let database = "shared";
    for server in [&standby, &primary] {
        server.sql("postgres", "CREATE DATABASE shared");
    }
    standby.set("default_transaction_read_only=on");
    for attributes in [
        "",
        "?target_session_attrs=any",
        "?target_session_attrs=read-write",
    ] {
        let url = standby.url(database, &[primary.port()]) + attributes;
        count_up(&open(&url, &options())).unwrap();
    }
    let tables = "SELECT count(*) FROM pg_namespace WHERE nspname = 'waxwing'";
    assert_eq!(standby.sql(database, tables), ["0"]);
    assert_eq!(primary.sql(database, tables), ["1"]);
    let alone = try_open(&standby.url(database, &[]), &options()).map(drop);
    assert!(
        matches!(alone, Err(OpenError::Unreachable { .. })),
        "{alone:?}"
    );
}
