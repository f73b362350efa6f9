//! What the operator says of components: their secrets, and what they may do.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_stanza::BareJid;
use waxwing_stanza::xep::xep_0355_delegation::NS as NS_DELEGATION;
use waxwing_stanza::xep::xep_0356_privileges::{Requests, Shown};
use waxwing_stream::component::Secret;

use crate::hosts::Hosts;
use crate::server::StartError;

/// A component that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSettings {
    /// What it proves to know.
    pub secret: Secret,
    /// What it may do beyond its own host.
    pub grants: Grants,
}

/// What a component may do with the accounts of the domain that its host is below (XEP-0355, XEP-0356). Nothing, if nothing
/// else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Which requests it may make of rosters.
    pub roster: Requests,
    /// Whether it is told of changes to rosters that it may read.
    pub roster_push: bool,
    /// Whether it may send messages in the name of the domain and of its accounts.
    pub message: bool,
    /// Which requests it may send in the name of accounts, by namespace.
    pub iq: BTreeMap<String, Requests>,
    /// Whose presence it is shown.
    pub presence: Shown,
    /// The namespaces that it manages.
    pub delegated: Vec<NamespaceGrant>,
}

/// A namespace that a component manages (XEP-0355 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceGrant {
    /// The namespace.
    pub namespace: String,
    /// Attributes that a request's payload must have.
    pub attributes: Vec<String>,
}

impl Default for Grants {
    fn default() -> Self {
        Grants {
            roster: Requests::None,
            roster_push: true,
            message: false,
            iq: BTreeMap::new(),
            presence: Shown::None,
            delegated: Vec::new(),
        }
    }
}

impl Grants {
    /// Whether it is told of changes to rosters (XEP-0356 §4.1).
    pub fn is_pushed(&self) -> bool {
        self.roster_push && self.roster.has_get()
    }
}

/// A component that fits to the domains that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The domain that its host is below, and whose accounts its grants are about.
    pub(crate) domain: String,
    pub(crate) secret: Secret,
    pub(crate) grants: Grants,
}

/// The components by their prepared hosts.
///
/// # Errors
/// [`StartError::Component`]: a host that cannot be one, or grants that contradict each other.
pub(crate) fn checked(
    given: &BTreeMap<String, ComponentSettings>,
    domains: &[String],
    hosts: &Hosts,
) -> Result<BTreeMap<String, Served>, StartError> {
    let mut served: BTreeMap<String, Served> = BTreeMap::new();
    let mut managed: BTreeSet<(String, String)> = BTreeSet::new();
    for (host, settings) in given {
        let refuse = |reason: String| StartError::Component {
            host: host.clone(),
            reason,
        };
        let jid: BareJid = host
            .parse()
            .map_err(|error: waxwing_stanza::JidError| refuse(error.to_string()))?;
        if jid.node().is_some() {
            return Err(refuse("it has a user part".to_owned()));
        }
        let name = jid.domain().to_owned();
        let domain = place(&name, domains, hosts).map_err(refuse)?;
        check_grants(&settings.grants).map_err(refuse)?;
        for grant in &settings.grants.delegated {
            if !managed.insert((domain.clone(), grant.namespace.clone())) {
                let reason = format!("another component manages {} already", grant.namespace);
                return Err(refuse(reason));
            }
        }
        let one = Served {
            domain,
            secret: settings.secret.clone(),
            grants: settings.grants.clone(),
        };
        if served.insert(name, one).is_some() {
            return Err(refuse("it is there in another spelling already".to_owned()));
        }
    }
    Ok(served)
}

/// The domain that a host is below, where nothing else is.
fn place(host: &str, domains: &[String], hosts: &Hosts) -> Result<String, String> {
    if domains.iter().any(|domain| domain == host) {
        return Err("it is one of the domains itself".to_owned());
    }
    if let Some(taken) = hosts.get(host) {
        let option = taken.service.option().name;
        return Err(format!(
            "it is what '{option}' of {} says; set that to another name, or to an empty text",
            taken.domain
        ));
    }
    let above = domains.iter().filter(|domain| {
        let rest = host.strip_suffix(domain.as_str());
        rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    });
    // Of two of which one is below the other, the nearer.
    let nearest = above.max_by_key(|domain| domain.len()).cloned();
    nearest.ok_or_else(|| {
        format!(
            "it is below none of the domains, like irc.{}",
            domains.first().map_or("example.org", String::as_str)
        )
    })
}

fn check_grants(grants: &Grants) -> Result<(), String> {
    // XEP-0356 §7.4: the server must reject that.
    if grants.presence == Shown::Roster && !grants.roster.has_get() {
        let reason = "presence = \"roster\" needs roster = \"get\" or \"both\"";
        return Err(reason.to_owned());
    }
    // XEP-0355 §8 rule 5.
    if grants
        .delegated
        .iter()
        .any(|one| one.namespace == NS_DELEGATION)
    {
        return Err(format!("{NS_DELEGATION} cannot be delegated"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn check(given: &[(&str, Grants)]) -> Result<BTreeMap<String, Served>, String> {
        let domains = vec!["a.example".to_owned(), "b.a.example".to_owned()];
        let settings = Settings {
            domains: domains.clone(),
            ..Settings::default()
        };
        let component = |grants: &Grants| ComponentSettings {
            secret: Secret::new("pencil").unwrap(),
            grants: grants.clone(),
        };
        let given = given
            .iter()
            .map(|(host, grants)| ((*host).to_owned(), component(grants)));
        let served = checked(&given.collect(), &domains, &settings.hosts().unwrap());
        served.map_err(|error| error.to_string())
    }

    #[test]
    fn a_component_is_below_the_nearest_domain() {
        let none = Grants::default();
        let served = check(&[("IRC.a.example", none.clone()), ("x.b.a.example", none)]).unwrap();
        let of = |host: &str| served.get(host).unwrap().domain.clone();
        assert_eq!(of("irc.a.example"), "a.example");
        assert_eq!(of("x.b.a.example"), "b.a.example");
    }

    #[test]
    fn no_host_means_two_things() {
        for (host, reason) in [
            ("a.example", "one of the domains itself"),
            ("rooms.a.example", "'rooms_host' of a.example"),
            ("irc.c.example", "below none of the domains"),
            ("xa.example", "below none of the domains"),
            ("x@irc.a.example", "user part"),
            ("irc..a.example", "cannot be served"),
        ] {
            let said = check(&[(host, Grants::default())]).unwrap_err();
            assert!(said.contains(reason), "{host}: {said}");
        }
        let none = Grants::default();
        let said = check(&[("IRC.a.example", none.clone()), ("irc.a.example", none)]);
        assert!(said.unwrap_err().contains("another spelling"));
    }

    #[test]
    fn what_cannot_be_granted() {
        let delegated = |namespace: &str| Grants {
            delegated: vec![NamespaceGrant {
                namespace: namespace.to_owned(),
                attributes: Vec::new(),
            }],
            ..Grants::default()
        };
        let presence = Grants {
            presence: Shown::Roster,
            roster: Requests::Set,
            ..Grants::default()
        };
        for (grants, reason) in [
            (presence.clone(), "needs roster"),
            (delegated(NS_DELEGATION), "cannot be delegated"),
        ] {
            let said = check(&[("irc.a.example", grants)]).unwrap_err();
            assert!(said.contains(reason), "{said}");
        }
        let roster = Requests::Both;
        assert!(check(&[("irc.a.example", Grants { roster, ..presence })]).is_ok());
        // One at each domain.
        let one = delegated("urn:x");
        let said = check(&[("x.a.example", one.clone()), ("y.a.example", one.clone())]);
        assert!(said.unwrap_err().contains("manages urn:x already"));
        assert!(check(&[("x.a.example", one.clone()), ("y.b.a.example", one)]).is_ok());
    }
}
