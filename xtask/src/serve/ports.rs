//! Whether the addresses are free, before the server tries: a person gets told what to do.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use super::config::Config;
use crate::failure::Failure;

pub(crate) fn check(config: &Config, file: &Path) -> Result<(), Failure> {
    let mut taken = Vec::new();
    for (key, address) in config.addresses() {
        // Whatever else may be wrong with an address, the server says better.
        if TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse) {
            taken.push(format!("{address} ({key})"));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    Err(Failure::Environment(format!(
        "in use already: {}.\nStop what listens there (`ss -ltnp` names it), or choose other ports \
         under [listen] in {}",
        taken.join(", "),
        file.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_named_with_its_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = Config {
            domains: Vec::new(),
            c2s: vec!["127.0.0.1:0".to_owned(), "no address".to_owned()],
            c2s_tls: vec![address.clone()],
            c2s_plain_loopback: Vec::new(),
            https: Vec::new(),
            http_loopback: Vec::new(),
        };
        let refused = check(&config, Path::new("waxwing.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with(&format!("in use already: {address} (c2s_tls).")),
            "{refused}"
        );
    }
}
