//! Configuration and certificates are read again while streams go on.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use waxwing_dial::Stream;
use waxwing_tests::Built;

use crate::rig::{
    ALICE, available, done, failed, log_in, next, say, server, settle, soon, tls_client,
};

pub(crate) fn edit(built: &Built, from: &str, to: &str) {
    let path = built.directory().join("waxwing.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// A new certificate by the same authority, in the place of the old one.
fn renew(built: &Built) {
    let folder = built.authority.parent().unwrap().display().to_string();
    let domain = "waxwing.example";
    let words = [
        "certificate",
        "local",
        "--domain",
        domain,
        "--dir",
        &folder,
        "--replace",
    ];
    assert!(built.command(words).unwrap().status.success());
}

fn certificate_file(built: &Built) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(built.authority.with_file_name("cert.pem")).unwrap()
}

/// What a connection that begins now is shown.
async fn shown(built: &Built) -> CertificateDer<'static> {
    let config = tls_client(&built.authority, rustls::DEFAULT_VERSIONS);
    let socket = TcpStream::connect(built.c2s_tls).await.unwrap();
    let name = ServerName::try_from("waxwing.example").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket);
    let stream = soon(stream).await.unwrap();
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].clone()
}

pub(crate) fn hang_up(built: &Built) {
    let kill = format!("kill -HUP {}", built.pid);
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits until the log has a line with this so many times.
pub(crate) async fn logged(built: &Built, text: &str, times: usize) -> String {
    let line = async {
        loop {
            let mut log = built.log().unwrap();
            // What is being written at the moment is no line yet.
            log.truncate(log.rfind('\n').map_or(0, |end| end + 1));
            if log.matches(text).count() >= times {
                return log;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(line).await
}

async fn version_is_shown(stream: &mut Stream) -> bool {
    let ask = "<iq type='get' to='waxwing.example' id='v'><query xmlns='jabber:iq:version'/></iq>";
    say(stream, ask).await;
    next(stream, "iq").await.kind().as_deref() == Some("result")
}

#[tokio::test]
async fn a_stream_stays_and_a_new_one_sees_the_new_certificate() {
    let built = server("daemon-reload");
    let mut alice = available(&built, ALICE).await;
    let old = certificate_file(&built);
    assert_eq!(shown(&built).await, old);
    renew(&built);
    let new = certificate_file(&built);
    assert_ne!(new, old);
    let said = done(&built, &["reload"]);
    assert_eq!(said["changed"], serde_json::json!(["certificate"]));
    assert_eq!(shown(&built).await, new);
    // Bound to the new certificate too, by STARTTLS.
    let mut second = log_in(&built, ALICE).await.unwrap();
    settle(&mut second).await;
    settle(&mut alice).await;
    assert_eq!(done(&built, &["reload"])["changed"], serde_json::json!([]));
}

#[tokio::test]
async fn a_domains_own_options_take_effect() {
    let built = server("daemon-reload-domain");
    let mut alice = available(&built, ALICE).await;
    edit(
        &built,
        "mode = \"closed\"",
        "mode = \"closed\"\n[domain.\"waxwing.example\"]\nabuse_addresses = [\"mailto:abuse@waxwing.example\"]",
    );
    let said = done(&built, &["reload"]);
    let changed = serde_json::json!(["domain.waxwing.example.abuse_addresses"]);
    assert_eq!(said["changed"], changed);
    let ask = "<iq type='get' to='waxwing.example' id='d'>\
               <query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    say(&mut alice, ask).await;
    let info = next(&mut alice, "iq").await;
    let text = String::from_utf8_lossy(info.bytes()).into_owned();
    assert!(text.contains("mailto:abuse@waxwing.example"), "{text}");
}

#[tokio::test]
async fn options_take_effect_and_what_cannot_change_is_named() {
    let built = server("daemon-reload-options");
    let mut alice = available(&built, ALICE).await;
    assert!(version_is_shown(&mut alice).await);
    edit(
        &built,
        "mode = \"closed\"",
        "mode = \"open\"\n[options]\nversion_shown = false",
    );
    hang_up(&built);
    logged(&built, "options.version_shown", 1).await;
    assert!(!version_is_shown(&mut alice).await);

    edit(&built, "version_shown = false", "version_shown = true");
    let http = built.http.to_string();
    edit(
        &built,
        &format!("http_loopback = [\"{http}\"]"),
        "http_loopback = []",
    );
    edit(&built, "domains = [", "domains = [\"other.example\", ");
    // What is said of a domain counts when the domain does.
    let section = "[domain.\"other.example\"]\nregistration = \"open\"\n";
    let before = format!("{section}\n[registration]");
    edit(&built, "[registration]", &before);
    edit(&built, "data_dir = \"", "data_dir = \"/nowhere");
    hang_up(&built);
    let log = logged(&built, "take effect with the next start", 1).await;
    assert!(
        log.contains("domains, data_dir, listen.http_loopback"),
        "{log}"
    );
    assert!(version_is_shown(&mut alice).await);
    edit(&built, "data_dir = \"/nowhere", "data_dir = \"");
    let said = done(&built, &["reload"]);
    let later = serde_json::json!(["domains", "listen.http_loopback"]);
    assert_eq!(
        (&said["changed"], &said["after_restart"]),
        (&serde_json::json!([]), &later)
    );
}

#[tokio::test]
async fn a_bad_file_is_refused_with_its_line_and_the_old_one_stays() {
    let built = server("daemon-reload-bad");
    let mut alice = available(&built, ALICE).await;
    edit(
        &built,
        "mode = \"closed\"",
        "mode = \"clsed\"\n[options]\nversion_shown = false",
    );
    let said = failed(&built, 2, &["reload"]);
    assert!(
        said.contains("line 16: 'registration.mode' must be"),
        "{said}"
    );
    hang_up(&built);
    let log = logged(&built, "not reloaded; everything stays as it was", 1).await;
    assert!(
        log.contains("line 16: 'registration.mode' must be"),
        "{log}"
    );
    assert!(version_is_shown(&mut alice).await);

    edit(
        &built,
        "\"clsed\"\n[options]\n",
        "\"closed\"\n[options]\nscram_iterations = 1\n",
    );
    let said = failed(&built, 2, &["reload"]);
    assert!(
        said.contains("line 18: 'options.scram_iterations' must lie between"),
        "{said}"
    );

    // What only the server finds out: the key is not the certificate's.
    edit(&built, "scram_iterations = 1\n", "");
    let key = built
        .authority
        .with_file_name("ca-key.pem")
        .display()
        .to_string();
    let own = built
        .authority
        .with_file_name("key.pem")
        .display()
        .to_string();
    edit(&built, &own, &key);
    let said = failed(&built, 1, &["reload"]);
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
    assert!(said.contains("everything stays as it was"), "{said}");
    assert!(version_is_shown(&mut alice).await);
    log_in(&built, ALICE).await.unwrap();

    edit(&built, &key, &own);
    done(&built, &["reload"]);
    assert!(!version_is_shown(&mut alice).await);
}

#[tokio::test]
async fn new_certificates_are_noticed() {
    let built = server("daemon-watch");
    edit(&built, "[tls]\n", "[tls]\nwatch_secs = 1\n");
    done(&built, &["reload"]);
    let mut alice = available(&built, ALICE).await;
    // A key that does not fit is not used.
    let key = built.authority.with_file_name("key.pem");
    let good = fs::read(&key).unwrap();
    let old = certificate_file(&built);
    fs::copy(built.authority.with_file_name("ca-key.pem"), &key).unwrap();
    logged(&built, "a new certificate cannot be used", 1).await;
    assert_eq!(shown(&built).await, old);
    fs::write(&key, good).unwrap();
    logged(&built, "a new certificate is in use", 1).await;
    renew(&built);
    let renewed = async {
        while shown(&built).await != certificate_file(&built) {
            tokio::task::yield_now().await;
        }
    };
    soon(renewed).await;
    settle(&mut alice).await;
}
