//! The way to the server: by names, and by a proxy.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use waxwing_dial::{
    CertificateProblem, Closed, Connect, DialError, Dialer, Family, NameError, Place, Proxy,
    Resolve, Security, SrvRecord, Tcp,
};

use crate::relay;
use crate::rig::{ALICE, NoNames, dialer, seed, server, settings, soon, trust};

/// Counts where connections go.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Vec<SocketAddr>>>);

impl Connect for Watched {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        self.0.lock().unwrap().push(address);
        Tcp.connect(address)
    }
}

#[tokio::test]
async fn with_a_proxy_there_is_no_other_way_out() {
    let built = server("daemon-proxy");
    let (address, asked) = relay::socks5(built.c2s).await;
    let watched = Watched::default();
    let proxy = Proxy::Socks5 {
        address,
        credentials: None,
    };
    // `NoNames` fails the test when it is asked.
    let dialer = dialer(&built)
        .with_proxy(proxy)
        .with_connect(Arc::new(watched.clone()));
    let login = dialer.login(settings(ALICE.0, ALICE.1), &Place::Domain, seed());
    let stream = soon(login).await.unwrap();
    assert_eq!(stream.close().await, Closed::Clean);
    let place = Place::At {
        host: "chat.elsewhere.example".to_owned(),
        port: 80,
        security: Security::StartTls,
    };
    let login = dialer.login(settings(ALICE.0, ALICE.1), &place, seed());
    assert_eq!(soon(login).await.unwrap().close().await, Closed::Clean);
    assert_eq!(*watched.0.lock().unwrap(), [address; 3]);
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "waxwing.example:5223",
            "waxwing.example:5222",
            "chat.elsewhere.example:80"
        ]
    );
    // Without TLS a proxy would read everything.
    let plain = Place::At {
        host: "127.0.0.1".to_owned(),
        port: 5222,
        security: Security::Plain,
    };
    let refused = soon(dialer.login(settings(ALICE.0, ALICE.1), &plain, seed())).await;
    assert_eq!(refused.map(drop), Err(DialError::PlainNotLoopback));
    assert_eq!(watched.0.lock().unwrap().len(), 3);
}

/// SRV records of one domain.
struct Zone {
    srv: HashMap<&'static str, Vec<SrvRecord>>,
    host: IpAddr,
}

impl Resolve for Zone {
    fn srv<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>> {
        let found = self.srv.get(name).cloned().ok_or(NameError::Absent);
        Box::pin(async move { found })
    }

    fn addresses<'a>(
        &'a self,
        host: &'a str,
        family: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>> {
        let known = family == Family::V4 && host == "xmpp.elsewhere.example";
        let found = known.then_some(vec![self.host]).ok_or(NameError::Absent);
        Box::pin(async move { found })
    }
}

fn record(priority: u16, port: u16, target: &str) -> SrvRecord {
    SrvRecord {
        priority,
        weight: 1,
        port,
        target: target.to_owned(),
    }
}

/// Certificates are verified for the domain, whatever host its records name.
#[tokio::test]
async fn records_lead_to_the_server_and_change_nothing_about_its_name() {
    let built = server("daemon-srv");
    let host = "xmpp.elsewhere.example";
    let zone = |domain_direct, domain_starttls| Zone {
        srv: HashMap::from([
            // The first leads nowhere, the second to a closed port, the third to the server.
            (
                domain_direct,
                vec![
                    record(1, 5223, "gone.elsewhere.example"),
                    record(3, built.c2s_tls.port(), host),
                ],
            ),
            (domain_starttls, vec![record(2, 9, host)]),
        ]),
        host: built.c2s.ip(),
    };
    let ours = zone(
        "_xmpps-client._tcp.waxwing.example",
        "_xmpp-client._tcp.waxwing.example",
    );
    let watched = Watched::default();
    let dialer = Dialer::new(Arc::new(ours), trust(&built)).with_connect(Arc::new(watched.clone()));
    let login = dialer.login(settings(ALICE.0, ALICE.1), &Place::Domain, seed());
    assert_eq!(soon(login).await.unwrap().close().await, Closed::Clean);
    let closed = SocketAddr::from((built.c2s.ip(), 9));
    assert_eq!(*watched.0.lock().unwrap(), [closed, built.c2s_tls]);

    // Another domain whose records lead to the same server.
    let theirs = zone(
        "_xmpps-client._tcp.other.example",
        "_xmpp-client._tcp.other.example",
    );
    let dialer = Dialer::new(Arc::new(theirs), trust(&built));
    let mut settings = settings(ALICE.0, ALICE.1);
    settings.account = "alice@other.example".parse().unwrap();
    let refused = soon(dialer.login(settings, &Place::Domain, seed())).await;
    assert_eq!(refused.map(drop), Err(CertificateProblem::OtherName.into()));
}

#[tokio::test]
async fn a_host_that_is_not_this_machine_is_not_talked_to_in_the_clear() {
    let built = server("daemon-clear");
    for host in ["192.0.2.1", "[2001:db8::1]"] {
        let watched = Watched::default();
        let dialer =
            Dialer::new(Arc::new(NoNames), trust(&built)).with_connect(Arc::new(watched.clone()));
        let place = Place::At {
            host: host.to_owned(),
            port: 5222,
            security: Security::Plain,
        };
        let refused = soon(dialer.login(settings(ALICE.0, ALICE.1), &place, seed())).await;
        assert_eq!(refused.map(drop), Err(DialError::PlainNotLoopback));
        assert!(watched.0.lock().unwrap().is_empty());
    }
}
