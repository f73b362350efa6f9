mod dns;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Mutex;

use super::*;

/// Names with their answers. Names that it does not have do not exist.
#[derive(Default)]
struct Fake {
    srv: HashMap<String, Result<Vec<SrvRecord>, NameError>>,
    v6: Option<Result<Vec<IpAddr>, NameError>>,
    v4: Option<Result<Vec<IpAddr>, NameError>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Fake {
    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, SrvRecord> {
        self.asked.lock().unwrap().push(name.to_owned());
        let answer = self.srv.get(name).cloned();
        Box::pin(async move { answer.unwrap_or(Err(NameError::Absent)) })
    }

    fn addresses<'a>(&'a self, host: &'a str, family: Family) -> Answer<'a, IpAddr> {
        self.asked.lock().unwrap().push(host.to_owned());
        let answer = match family {
            Family::V6 => self.v6.clone(),
            Family::V4 => self.v4.clone(),
        };
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => pending().await,
            }
        })
    }
}

const LIMIT: Duration = Duration::from_secs(10);
const DIRECT: &str = "_xmpps-client._tcp.example.org";
const STARTTLS: &str = "_xmpp-client._tcp.example.org";

fn record(priority: u16, target: &str, port: u16) -> SrvRecord {
    SrvRecord {
        priority,
        weight: 0,
        port,
        target: target.to_owned(),
    }
}

type Srv = Result<Vec<SrvRecord>, NameError>;

async fn found(direct: Srv, starttls: Srv) -> Result<Vec<(String, u16, Security)>, DialError> {
    let srv = [(DIRECT, direct), (STARTTLS, starttls)];
    let resolve = Fake {
        srv: srv.map(|(name, answer)| (name.to_owned(), answer)).into(),
        ..Fake::default()
    };
    let mut dice = Seed::new([1; 32]);
    let targets = targets(&resolve, "example.org", LIMIT, &mut dice).await?;
    assert_eq!(*resolve.asked.lock().unwrap(), [DIRECT, STARTTLS]);
    let flat = |target: Target| match target.host {
        Host::Name(name) => (name, target.port, target.security),
        Host::Ip(_) => panic!("an address"),
    };
    Ok(targets.into_iter().map(flat).collect())
}

fn fallback() -> Vec<(String, u16, Security)> {
    vec![("example.org".to_owned(), 5222, Security::StartTls)]
}

#[tokio::test]
async fn both_kinds_are_one_list() {
    let direct = vec![record(20, "b.example", 443), record(1, "d.example", 5223)];
    let starttls = vec![record(10, "a.example", 5222), record(30, "c.example", 80)];
    let name = |name: &str, port, security| (name.to_owned(), port, security);
    assert_eq!(
        found(Ok(direct), Ok(starttls)).await.unwrap(),
        [
            name("d.example", 5223, Security::DirectTls),
            name("a.example", 5222, Security::StartTls),
            name("b.example", 443, Security::DirectTls),
            name("c.example", 80, Security::StartTls),
        ]
    );
}

#[tokio::test]
async fn without_records_it_is_the_domain_itself() {
    let absent = || Err(NameError::Absent);
    assert_eq!(found(absent(), absent()).await.unwrap(), fallback());
    assert_eq!(found(Ok(vec![]), Ok(vec![])).await.unwrap(), fallback());
    // RFC 6120 §3.2.1 step 8.
    for error in [NameError::Timeout, NameError::Failed] {
        assert_eq!(found(absent(), Err(error)).await.unwrap(), fallback());
    }
    // No direct TLS says nothing about STARTTLS.
    let refusal = || Ok(vec![record(0, "", 0)]);
    assert_eq!(found(refusal(), absent()).await.unwrap(), fallback());
    // Records that lead nowhere are none.
    let nowhere = Ok(vec![record(0, "a.example", 0)]);
    assert_eq!(found(absent(), nowhere).await.unwrap(), fallback());
}

#[tokio::test]
async fn a_dot_says_that_there_is_no_service() {
    let refusal = || Ok(vec![record(0, "", 0)]);
    let refused = |direct| async { found(direct, refusal()).await.unwrap_err() };
    assert_eq!(refused(Err(NameError::Absent)).await, DialError::NoService);
    assert_eq!(refused(refusal()).await, DialError::NoService);
    // But direct TLS there may be.
    let direct = Ok(vec![record(0, "a.example", 5223)]);
    let only = ("a.example".to_owned(), 5223, Security::DirectTls);
    assert_eq!(found(direct, refusal()).await.unwrap(), [only]);
}

#[tokio::test]
async fn a_dot_beside_hosts_is_none_of_them() {
    let mixed = Ok(vec![record(0, "", 5222), record(1, "a.example", 5222)]);
    let only = ("a.example".to_owned(), 5222, Security::StartTls);
    assert_eq!(found(Err(NameError::Absent), mixed).await.unwrap(), [only]);
}

#[tokio::test]
async fn hosts_are_bounded() {
    let many = (0..100).map(|at| record(at, "a.example", 5222)).collect();
    let found = found(Err(NameError::Absent), Ok(many)).await.unwrap();
    assert_eq!(found.len(), HOSTS_MAX);
}

async fn looked_up(
    v6: Option<Result<Vec<IpAddr>, NameError>>,
    v4: Option<Result<Vec<IpAddr>, NameError>>,
) -> Result<Vec<IpAddr>, NameError> {
    let resolve = Fake {
        v6,
        v4,
        ..Fake::default()
    };
    let host = Host::Name("example.org".to_owned());
    addresses(&resolve, &host, LIMIT).await
}

#[tokio::test(start_paused = true)]
async fn one_family_is_enough() {
    let v6: IpAddr = "::1".parse().unwrap();
    let v4: IpAddr = "127.0.0.1".parse().unwrap();
    let (six, four) = (Some(Ok(vec![v6])), Some(Ok(vec![v4])));
    let absent = || Some(Err(NameError::Absent));
    assert_eq!(looked_up(six.clone(), four.clone()).await, Ok(vec![v6, v4]));
    assert_eq!(looked_up(six.clone(), absent()).await, Ok(vec![v6]));
    assert_eq!(looked_up(absent(), four.clone()).await, Ok(vec![v4]));
    // Silence about one does not hold up the other for long.
    let begun = tokio::time::Instant::now();
    assert_eq!(looked_up(None, four).await, Ok(vec![v4]));
    assert_eq!(looked_up(six, None).await, Ok(vec![v6]));
    assert_eq!(begun.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn no_family_says_why() {
    let error = |error| Some(Err(error));
    let absent = || error(NameError::Absent);
    assert_eq!(looked_up(absent(), absent()).await, Err(NameError::Absent));
    let empty = || Some(Ok(vec![]));
    assert_eq!(looked_up(empty(), empty()).await, Err(NameError::Absent));
    assert_eq!(looked_up(None, None).await, Err(NameError::Timeout));
    assert_eq!(looked_up(absent(), None).await, Err(NameError::Timeout));
    assert_eq!(looked_up(None, absent()).await, Err(NameError::Timeout));
    let failed = looked_up(absent(), error(NameError::Failed)).await;
    assert_eq!(failed, Err(NameError::Failed));
}

#[tokio::test]
async fn an_address_is_not_looked_up() {
    let resolve = Fake::default();
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let found = addresses(&resolve, &Host::Ip(address), LIMIT).await;
    assert_eq!(found, Ok(vec![address]));
    assert!(resolve.asked.lock().unwrap().is_empty());
}
