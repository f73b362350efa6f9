//! Where the server listens and who may log in.

use std::env;
use std::str::FromStr;

use tokio_xmpp::connect::DnsConfig;
use tokio_xmpp::jid::Jid;

/// The server under test.
pub(crate) struct Server {
    host: String,
    port: String,
    tls_port: String,
    /// Two accounts with their passwords.
    pub(crate) accounts: [(Jid, String); 2],
    /// What a stand-in is known not to have.
    pub(crate) lacks: Vec<String>,
}

/// How TLS is begun.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    StartTls,
    DirectTls,
}

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::StartTls => "starttls",
            Transport::DirectTls => "direct_tls",
        }
    }
}

impl Server {
    /// The name of the variable that is missing or wrong, if one is.
    pub(crate) fn from_environment() -> Result<Server, &'static str> {
        let variable = |name: &'static str| env::var(name).map_err(|_| name);
        let account = |user: &'static str, password: &'static str| -> Result<_, &'static str> {
            Ok((
                Jid::from_str(&variable(user)?).map_err(|_| user)?,
                variable(password)?,
            ))
        };
        Ok(Server {
            host: variable("XMPP_HOST")?,
            port: variable("XMPP_PORT")?,
            tls_port: variable("XMPP_TLS_PORT")?,
            accounts: [
                account("XMPP_JID_1", "XMPP_PASSWORD_1")?,
                account("XMPP_JID_2", "XMPP_PASSWORD_2")?,
            ],
            lacks: env::var("XMPP_LACKS")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The listener for this transport. The name that the certificate must have is the account's domain.
    pub(crate) fn listener(&self, transport: Transport) -> DnsConfig {
        let port = match transport {
            Transport::StartTls => &self.port,
            Transport::DirectTls => &self.tls_port,
        };
        DnsConfig::addr(&format!("{}:{port}", self.host))
    }
}
