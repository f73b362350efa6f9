//! `<stream:features/>` as they were written once: streams that are alike are offered the same.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::settings::Stage;
use crate::framing::Framing;
use crate::sasl::{BindingKind, Offer};
use crate::transport::Transport;

/// How a stream is, as far as what it is offered depends on that, its domain aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Likeness {
    stage: Stage,
    framing: Framing,
    transport: Kind,
    /// Stream management is enabled already.
    is_managed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Open,
    Loopback,
    /// With which bindings, in the order of [`BindingKind::ALL`].
    Tls([bool; BindingKind::ALL.len()]),
}

impl Likeness {
    pub(super) fn new(
        stage: Stage,
        framing: Framing,
        transport: &Transport,
        is_managed: bool,
    ) -> Likeness {
        let transport = match transport {
            Transport::Open => Kind::Open,
            Transport::Loopback => Kind::Loopback,
            Transport::Tls(binding) => {
                Kind::Tls(BindingKind::ALL.map(|kind| binding.data(kind).is_some()))
            }
        };
        Likeness {
            stage,
            framing,
            transport,
            is_managed,
        }
    }
}

/// What streams that are alike are offered.
#[derive(Clone)]
pub(super) struct Offered {
    /// As it is sent.
    pub(super) features: Bytes,
    /// What of it log-ins are protected by.
    pub(super) offer: Arc<Offer>,
    /// Its version (XEP-0509), where it has one.
    pub(super) version: Option<Arc<str>>,
}

type OfDomain = Vec<(Likeness, Offered)>;

/// What was offered until now, by domain: a few lists for each that is served. A clone has none, since what it is for may
/// be changed.
#[derive(Default)]
pub(crate) struct Offers(RwLock<HashMap<String, OfDomain>>);

impl Offers {
    pub(super) fn find(&self, domain: &str, like: Likeness) -> Option<Offered> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut known = known.get(domain)?.iter();
        let (_, offered) = known.find(|(known, _)| *known == like)?;
        Some(offered.clone())
    }

    /// Keeps what a domain that is served offers.
    pub(super) fn keep(&self, domain: &str, like: Likeness, offered: Offered) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(domain.to_owned()).or_default();
        // Another stream may have come first.
        if !known.iter().any(|(known, _)| *known == like) {
            known.push((like, offered));
        }
    }
}

impl Clone for Offers {
    fn clone(&self) -> Offers {
        Offers::default()
    }
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offers")
    }
}
