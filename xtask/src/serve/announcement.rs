//! What a person needs to connect.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::accounts::Accounts;
use super::config::{self, Config, Folder};

pub(crate) fn text(folder: &Folder, config: &Config, accounts: &Accounts, link: &str) -> String {
    let mut text = format!("\nWaxwing serves {}.\n\n", config.domains.join(", "));
    for (label, list) in [
        ("clients, STARTTLS", &config.c2s),
        ("clients, TLS", &config.c2s_tls),
        ("clients, no TLS", &config.c2s_plain_loopback),
        ("web", &config.https),
    ] {
        if !list.is_empty() {
            let _ = writeln!(text, "  {label:<20} {}", list.join("  "));
        }
    }
    for address in &config.http_loopback {
        let _ = writeln!(
            text,
            "  {:<20} http://{address}/healthz  http://{address}/metrics",
            "health, metrics"
        );
    }
    text.push('\n');
    for account in &accounts.0 {
        let _ = writeln!(
            text,
            "  {:<20} {}  ({})",
            account.jid, account.password, account.role
        );
    }
    if !accounts.0.is_empty() {
        let kept = folder.accounts();
        let _ = writeln!(
            text,
            "  (passwords as first set; kept in {})\n",
            kept.display()
        );
    }
    let _ = writeln!(
        text,
        "An invitation, good for ten accounts until tomorrow:\n  {link}\n"
    );
    text += &names(config);
    text += &trust(folder, config);
    text += &profanity(config, accounts);
    let _ = writeln!(
        text,
        "\nCtrl-C stops it. Settings: {}\n",
        folder.config().display()
    );
    text
}

/// Clients look a domain up, and only `localhost` is known to every machine.
fn names(config: &Config) -> String {
    let strangers = config
        .domains
        .iter()
        .filter(|domain| !config::is_local(domain));
    let strangers: Vec<_> = strangers.map(String::as_str).collect();
    if strangers.is_empty() {
        return String::new();
    }
    format!(
        "Clients find a domain by DNS; for a try without, on the client's machine:\n  \
         echo 'ADDRESS-OF-THIS-MACHINE {}' | sudo tee -a /etc/hosts\n",
        strangers.join(" ")
    )
}

/// Dino asks the system and nobody else.
fn trust(folder: &Folder, config: &Config) -> String {
    let name = config.domains.first().map_or("waxwing", String::as_str);
    let authority = folder.authority();
    let authority = authority.display();
    format!(
        "Make this system trust the server's authority (Debian, Ubuntu; restart Dino afterwards):\n  \
         sudo cp '{authority}' /usr/local/share/ca-certificates/waxwing-{name}.crt && sudo update-ca-certificates\n\
         For one program: SSL_CERT_FILE='{authority}'\n"
    )
}

fn profanity(config: &Config, accounts: &Accounts) -> String {
    let address = config
        .c2s
        .first()
        .and_then(|address| address.parse::<SocketAddr>().ok());
    let (Some(address), Some(account)) = (address, accounts.0.first()) else {
        return String::new();
    };
    let host = match address.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        ip => ip.to_string(),
    };
    let (jid, port) = (&account.jid, address.port());
    format!("In Profanity:\n  /connect {jid} server {host} port {port} tls force\n")
}

#[cfg(test)]
mod tests {
    use super::super::accounts::Account;
    use super::*;

    #[test]
    fn everything_that_a_person_needs_is_said() {
        let folder = Folder::at("/srv/w".into());
        let list = |address: &str| vec![address.to_owned()];
        let config = Config {
            domains: list("localhost"),
            c2s: list("[::]:5222"),
            c2s_tls: list("[::]:5223"),
            c2s_plain_loopback: Vec::new(),
            https: Vec::new(),
            http_loopback: list("127.0.0.1:5280"),
        };
        let accounts = Accounts(vec![Account {
            jid: "alice@localhost".to_owned(),
            password: "secret".to_owned(),
            role: "operator".to_owned(),
        }]);
        let link = "http://127.0.0.1:5280/invite/0123";
        let text = text(&folder, &config, &accounts, link);
        for wanted in [
            "clients, STARTTLS    [::]:5222\n",
            "clients, TLS         [::]:5223\n",
            "alice@localhost      secret  (operator)\n",
            "sudo cp '/srv/w/tls/ca.pem' /usr/local/share/ca-certificates/waxwing-localhost.crt && sudo update-ca-certificates\n",
            "/connect alice@localhost server localhost port 5222 tls force\n",
            "/srv/w/waxwing.toml",
            "http://127.0.0.1:5280/healthz",
            "http://127.0.0.1:5280/invite/0123\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        assert!(!text.contains("no TLS") && !text.contains("DNS"));
        let elsewhere = Config {
            domains: list("chat.example"),
            ..config
        };
        assert!(names(&elsewhere).contains("ADDRESS-OF-THIS-MACHINE chat.example"));
    }
}
