//! Notifications that the server posts itself: whether it can know to whom.

use waxwing_server::OptionValue;

use super::finding::Finding;
use crate::config::Config;

const ABOUT: &str = "Web Push";

/// What is found where the server is an app server. `trusts` is whether this machine has authorities to trust.
pub(super) fn findings(config: &Config, trusts: bool) -> Option<Finding> {
    if config.options.get("web_push") != Some(&OptionValue::Flag(true)) {
        return None;
    }
    if !trusts {
        let text = "this machine trusts no authorities, so no push service can be told from another, and nothing is posted";
        return Some(Finding::bad(ABOUT, text).mend(
            "install the package ca-certificates, or name a file of certificates by SSL_CERT_FILE where the server starts",
        ));
    }
    let contact = config.options.get("web_push_contact");
    let has_contact = matches!(contact, Some(OptionValue::Text(url)) if !url.is_empty());
    if has_contact {
        return Some(Finding::good(
            ABOUT,
            "notifications are posted to push services",
        ));
    }
    let text =
        "push services are not told whom they can write to, and some refuse what is posted then";
    Some(
        Finding::warning(ABOUT, text)
            .mend("add 'web_push_contact = \"https://…\"' to [options], a page that names you"),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn who_posts_trusts_somebody() {
        let level = |options: &str, trusts| {
            let text =
                format!("domains = [\"example.org\"]\ndata_dir = \"/data\"\n[options]\n{options}");
            let config = Config::parse(&text, Path::new("/etc/waxwing")).unwrap();
            findings(&config, trusts).map(|finding| finding.level)
        };
        let contact = "web_push = true\nweb_push_contact = \"https://example.org/\"";
        assert_eq!(level("", false), None);
        assert_eq!(level("web_push = false", false), None);
        assert_eq!(level(contact, false), Some(Level::Bad));
        assert_eq!(level(contact, true), Some(Level::Good));
        assert_eq!(level("web_push = true", true), Some(Level::Warning));
    }
}
