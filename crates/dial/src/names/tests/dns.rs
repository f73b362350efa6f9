//! The library that asks name servers, against one on loopback.

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::net::UdpSocket;

use super::*;

/// Answers for some names, is silent about `silent.example`, fails for `broken.example`.
async fn serve(socket: UdpSocket) {
    let mut bytes = [0; 1_500];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
        let question = Message::from_vec(&bytes[..length]).unwrap();
        if let Some(answer) = answer(question) {
            let bytes = answer.to_vec().unwrap();
            socket.send_to(&bytes, from).await.unwrap();
        }
    }
}

fn answer(question: Message) -> Option<Message> {
    let query = question.queries[0].clone();
    let name = query.name().to_ascii();
    let srv = |target: &str| {
        let target = Name::from_ascii(target).unwrap();
        RData::SRV(SRV::new(5, 7, 5223, target))
    };
    let data = match (name.as_str(), query.query_type()) {
        ("silent.example.", _) => return None,
        ("_xmpp-client._tcp.example.org.", RecordType::SRV) => Some(srv("Chat.Example.ORG.")),
        ("_xmpps-client._tcp.example.org.", RecordType::SRV) => Some(srv(".")),
        ("chat.example.org.", RecordType::A) => Some(RData::A(A(Ipv4Addr::new(192, 0, 2, 1)))),
        ("chat.example.org.", RecordType::AAAA) => {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            Some(RData::AAAA(AAAA(address)))
        }
        _ => None,
    };
    let mut answer = question;
    answer.metadata.message_type = MessageType::Response;
    answer.additionals.clear();
    answer.metadata.response_code = match (&data, name.as_str()) {
        (Some(_), _) => ResponseCode::NoError,
        (None, "broken.example.") => ResponseCode::ServFail,
        (None, "empty.example.") => ResponseCode::NoError,
        (None, _) => ResponseCode::NXDomain,
    };
    if let Some(data) = data {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    }
    Some(answer)
}

#[tokio::test]
async fn records_and_reasons() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = socket.local_addr().unwrap();
    tokio::spawn(serve(socket));
    let resolver = SystemResolver::with_servers(&[server]).unwrap();
    let record = |target: &str| SrvRecord {
        priority: 5,
        weight: 7,
        port: 5223,
        target: target.to_owned(),
    };
    let starttls = resolver.srv("_xmpp-client._tcp.example.org").await;
    assert_eq!(starttls, Ok(vec![record("chat.example.org")]));
    let refusal = resolver.srv("_xmpps-client._tcp.example.org").await;
    assert_eq!(refusal, Ok(vec![record("")]));
    let host = Host::Name("chat.example.org".to_owned());
    let both = addresses(&resolver, &host, LIMIT).await.unwrap();
    assert_eq!(both.len(), 2);
    assert!(both[0].is_ipv6() && both[1].is_ipv4());
    for (name, reason) in [
        ("nobody.example", NameError::Absent),
        ("empty.example", NameError::Absent),
        ("broken.example", NameError::Failed),
        ("no..name", NameError::Absent),
    ] {
        let answer = resolver.addresses(name, Family::V4).await;
        assert_eq!(answer, Err(reason), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = socket.local_addr().unwrap();
    tokio::spawn(serve(socket));
    let resolver = SystemResolver::with_servers(&[server]).unwrap();
    let silent = Host::Name("silent.example".to_owned());
    let answer = addresses(&resolver, &silent, LIMIT).await;
    assert_eq!(answer, Err(NameError::Timeout));
}
