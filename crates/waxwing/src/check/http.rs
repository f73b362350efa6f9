//! Files and pages of invitations: whether anybody can be sent to them.

use waxwing_server::OptionValue;
use waxwing_server::{invitations, uploads};

use super::finding::Finding;
use crate::config::Config;

const ABOUT: &str = "HTTPS";

/// What is found of where the domains' HTTP service is.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let settings = config.settings();
    let said = |domain: &String, name: &str| {
        let own = settings.domain_options.get(domain);
        let given = own.and_then(|own| own.get(name));
        match given.or_else(|| settings.options.get(name)) {
            Some(OptionValue::Text(url)) => !url.is_empty(),
            _ => false,
        }
    };
    let lacking = |name: &str| {
        let domains = config.domains.iter().filter(|domain| !said(domain, name));
        let domains: Vec<&str> = domains.map(String::as_str).collect();
        (!domains.is_empty()).then(|| domains.join(", "))
    };
    let text = [
        (uploads::URL.name, "nobody can send files at"),
        (invitations::URL.name, "invitations have no page at"),
    ];
    let text = text.into_iter().filter_map(|(name, text)| {
        let domains = lacking(name)?;
        Some(format!("{text} {domains}"))
    });
    let text: Vec<String> = text.collect();
    if text.is_empty() {
        return Vec::new();
    }
    let why = match &config.web.public_url {
        Some(_) => "[web] public_url has no TLS",
        None => "nothing says where HTTPS is",
    };
    let mend = "add an address to 'https' in [listen], or behind a proxy the address that it has, with https:, as \
                public_url to [web]";
    vec![Finding::warning(ABOUT, format!("{}: {why}", text.join(", and "))).mend(mend)]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn texts(more: &str) -> Vec<String> {
        let text =
            format!("domains = [\"a.example\", \"b.example\"]\ndata_dir = \"/data\"\n{more}");
        let config = Config::parse(&text, Path::new("/etc/waxwing")).unwrap();
        findings(&config)
            .into_iter()
            .map(|finding| finding.text)
            .collect()
    }

    #[test]
    fn files_need_https() {
        assert!(texts("[listen]\nhttps = [\"[::]:443\"]\n").is_empty());
        assert!(texts("[web]\npublic_url = \"https://chat.example\"\n").is_empty());
        assert_eq!(
            texts("[web]\npublic_url = \"http://chat.example\"\n"),
            [
                "nobody can send files at a.example, b.example, and invitations have no page at a.example, b.example: \
                 [web] public_url has no TLS"
            ]
        );
        let own = "[domain.\"a.example\"]\nupload_url = \"https://files.example\"\n\
                   [options]\ninvite_url = \"https://join.example\"\n";
        assert_eq!(
            texts(own),
            ["nobody can send files at b.example: nothing says where HTTPS is"]
        );
    }
}
