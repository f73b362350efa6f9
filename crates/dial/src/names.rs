//! Names: SRV records of both kinds, and addresses.
//!
//! [RFC 6120 §3.2](https://www.rfc-editor.org/rfc/rfc6120#section-3.2) ·
//! [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782) ·
//! [XEP-0368](https://xmpp.org/extensions/xep-0368.html)

mod order;
mod system;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;
use waxwing_stream::Seed;

pub use system::SystemResolver;

use crate::error::DialError;
use crate::eyeballs::interleave;
use crate::place::{Host, STARTTLS_PORT, Security, Target};
use crate::seconds::{HOSTS_MAX, SECOND_FAMILY_MILLIS_MAX};

/// Services of clients, each with what protects it. XEP-0368: both kinds are one list.
const SERVICES: [(&str, Security); 2] = [
    ("_xmpps-client._tcp", Security::DirectTls),
    ("_xmpp-client._tcp", Security::StartTls),
];

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// Share of what comes, among equal priorities.
    pub weight: u16,
    /// TCP port.
    pub port: u16,
    /// The host, without a dot at the end; empty where the record says `.`, that there is no such
    /// service.
    pub target: String,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// AAAA records.
    V6,
    /// A records.
    V4,
}

/// Why a name gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameError {
    /// There is no such record, or no such name.
    #[error("the name does not exist")]
    Absent,
    /// Nobody answered in time.
    #[error("no name server answers")]
    Timeout,
    /// The name servers do not know, or something is wrong with them.
    #[error("the name servers cannot look the name up")]
    Failed,
}

/// An answer that is on its way.
pub(crate) type Answer<'a, T> =
    Pin<Box<dyn Future<Output = Result<Vec<T>, NameError>> + Send + 'a>>;

/// Looks names up. Names are in ASCII, absolute, without a dot at the end.
pub trait Resolve: Send + Sync {
    /// The SRV records of `name`.
    fn srv<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>>;

    /// The addresses of `host`.
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        family: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>>;
}

async fn within<T>(limit: Duration, answer: Answer<'_, T>) -> Result<Vec<T>, NameError> {
    match timeout(limit, answer).await {
        Ok(Ok(records)) if records.is_empty() => Err(NameError::Absent),
        Ok(answer) => answer,
        Err(_elapsed) => Err(NameError::Timeout),
    }
}

/// The ways to a domain's server, best first.
///
/// Where neither kind of SRV record names a host, it is port 5222 of the domain's own address: if there
/// are no records for STARTTLS, or no answer about them (RFC 6120 §3.2.1 step 8); but not if a record
/// says that there is no such service.
///
/// # Errors
/// [`DialError::NoService`].
pub(crate) async fn targets(
    resolve: &dyn Resolve,
    domain: &str,
    limit: Duration,
    dice: &mut Seed,
) -> Result<Vec<Target>, DialError> {
    let names = SERVICES.map(|(service, _)| format!("{service}.{domain}"));
    let (direct, starttls) = tokio::join!(
        within(limit, resolve.srv(&names[0])),
        within(limit, resolve.srv(&names[1])),
    );
    let refused = starttls.as_ref().is_ok_and(|records| is_refusal(records));
    let mut records = Vec::new();
    for ((_, security), answer) in SERVICES.into_iter().zip([direct, starttls]) {
        let answer = answer.unwrap_or_default();
        if !is_refusal(&answer) {
            records.extend(answer.into_iter().map(|record| (record, security)));
        }
    }
    // A port of zero and a target among others that is no host lead nowhere.
    records.retain(|(record, _)| record.port != 0 && !record.target.is_empty());
    if records.is_empty() {
        return match refused {
            true => Err(DialError::NoService),
            false => Ok(vec![Target::stream(
                Host::Name(domain.to_owned()),
                STARTTLS_PORT,
                Security::StartTls,
            )]),
        };
    }
    let ordered = order::order(records, dice).into_iter();
    let targets = ordered
        .map(|(record, security)| Target::stream(Host::Name(record.target), record.port, security));
    Ok(targets.take(HOSTS_MAX).collect())
}

/// RFC 2782: a target of `.`, alone, says that the service is decidedly not available.
fn is_refusal(records: &[SrvRecord]) -> bool {
    !records.is_empty() && records.iter().all(|record| record.target.is_empty())
}

/// The addresses of a host, both families in turns.
///
/// # Errors
/// Where neither family has any: [`NameError`], the graver one.
pub(crate) async fn addresses(
    resolve: &dyn Resolve,
    host: &Host,
    limit: Duration,
) -> Result<Vec<IpAddr>, NameError> {
    let name = match host {
        Host::Ip(address) => return Ok(vec![*address]),
        Host::Name(name) => name,
    };
    let v6 = within(limit, resolve.addresses(name, Family::V6));
    let v4 = within(limit, resolve.addresses(name, Family::V4));
    tokio::pin!(v6, v4);
    let later = Duration::from_millis(SECOND_FAMILY_MILLIS_MAX);
    // Who has addresses need not wait long for those of the other family.
    let (v6, v4) = tokio::select! {
        first = &mut v6 => {
            let wait = if first.is_ok() { later } else { limit };
            let second = timeout(wait, v4).await;
            (first, second.unwrap_or(Err(NameError::Timeout)))
        }
        first = &mut v4 => {
            let wait = if first.is_ok() { later } else { limit };
            let second = timeout(wait, v6).await;
            (second.unwrap_or(Err(NameError::Timeout)), first)
        }
    };
    match (v6, v4) {
        (Err(NameError::Absent), Err(error)) | (Err(error), Err(_)) => Err(error),
        (v6, v4) => Ok(interleave(v6.unwrap_or_default(), v4.unwrap_or_default())),
    }
}
