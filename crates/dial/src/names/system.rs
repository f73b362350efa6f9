//! Looking up by the system's name servers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::{Answer, Family, NameError, Resolve, SrvRecord};

/// Time for one query to one name server, before the next attempt.
const QUERY_SECS_MAX: u64 = 3;
/// Attempts after the first one.
const RETRIES_MAX: usize = 2;

/// Asks the name servers that the system is set up with, and reads its hosts file. Names are taken as
/// absolute: no search list is applied.
pub struct SystemResolver {
    resolver: TokioResolver,
}

impl std::fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemResolver")
    }
}

impl SystemResolver {
    /// Reads the system's configuration.
    ///
    /// # Errors
    /// [`NameError::Failed`] if there is none.
    pub fn new() -> Result<SystemResolver, NameError> {
        SystemResolver::build(TokioResolver::builder_tokio().map_err(|_| NameError::Failed)?)
    }

    /// Asks these name servers and no others.
    ///
    /// # Errors
    /// [`NameError::Failed`] if they cannot be asked.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<SystemResolver, NameError> {
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let at_port = connections.map(|mut connection| {
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, at_port.to_vec())
        };
        let servers = servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        SystemResolver::build(TokioResolver::builder_with_config(
            config,
            TokioRuntimeProvider::default(),
        ))
    }

    fn build(
        mut builder: ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<SystemResolver, NameError> {
        let options = builder.options_mut();
        options.timeout = Duration::from_secs(QUERY_SECS_MAX);
        options.attempts = RETRIES_MAX;
        let resolver = builder.build().map_err(|_| NameError::Failed)?;
        Ok(SystemResolver { resolver })
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NameError> {
        let mut name = Name::from_ascii(name).map_err(|_| NameError::Absent)?;
        name.set_fqdn(true);
        let answer = self.resolver.lookup(name, kind).await;
        let records = answer.map_err(|error| reason(&error))?;
        Ok(records
            .answers()
            .iter()
            .map(|record| record.data.clone())
            .collect())
    }
}

fn reason(error: &NetError) -> NameError {
    match error {
        NetError::Timeout => NameError::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(_)) => NameError::Absent,
        _ => NameError::Failed,
    }
}

fn srv(data: RData) -> Option<SrvRecord> {
    let RData::SRV(record) = data else {
        return None;
    };
    let mut target = record.target.to_ascii().to_ascii_lowercase();
    if target.ends_with('.') {
        target.pop();
    }
    Some(SrvRecord {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        target,
    })
}

fn address(data: RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

impl Resolve for SystemResolver {
    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, SrvRecord> {
        Box::pin(async move {
            let records = self.look_up(name, RecordType::SRV).await?;
            Ok(records.into_iter().filter_map(srv).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str, family: Family) -> Answer<'a, IpAddr> {
        let kind = match family {
            Family::V6 => RecordType::AAAA,
            Family::V4 => RecordType::A,
        };
        Box::pin(async move {
            let records = self.look_up(host, kind).await?;
            Ok(records.into_iter().filter_map(address).collect())
        })
    }
}
