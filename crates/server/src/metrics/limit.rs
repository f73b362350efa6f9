//! Limits that operators want to know of.

/// Limits that are counted when somebody goes over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Connections at a time.
    Connections,
    /// Connections at a time from one network.
    ConnectionsPerNetwork,
    /// Streams at a time that have bound no session.
    Negotiating,
    /// Time for a TLS handshake.
    HandshakeTime,
    /// Time from the connection until a resource is bound.
    NegotiationTime,
    /// Size, depth or attributes of an element.
    ElementSize,
    /// Failed log-ins to an account, or from a network.
    LoginFailures,
    /// Guests at a time, or from one network, or what one of them sends.
    Guests,
    /// Accounts that are made in an hour, from one network or in all.
    Registrations,
    /// Sessions of one account.
    SessionsPerAccount,
    /// Bytes or stanzas that wait for a client that does not take them, or does not acknowledge them.
    SessionQueue,
    /// Bytes that wait for a client, beyond which what is of the moment is left out.
    SessionPassing,
    /// Time for a client to take something of what is written to it.
    WriteTime,
    /// Time for an acknowledgement that was asked for.
    AckTime,
    /// What an account may store.
    Stored,
    /// What may wait for an account.
    Undelivered,
    /// What there may be of files that people leave here.
    UploadRoom,
    /// Time for a file to come.
    UploadTime,
    /// What a client says of its capabilities, and how often it may be asked for them.
    Capabilities,
    /// What is asked in the name of others, and has no answer yet.
    Questions,
    /// Byte streams between clients that are relayed.
    Bytestreams,
    /// Requests of the HTTP API with one token.
    ApiRequests,
    /// What the disk has room for.
    DiskFull,
}

impl Limit {
    /// Every one, as it is documented.
    pub(crate) const ALL: [(Limit, &'static str); 23] = [
        (
            Limit::Connections,
            "`connections_max`; one more is closed unseen",
        ),
        (
            Limit::ConnectionsPerNetwork,
            "`connections_per_network_max`; one more is closed unseen",
        ),
        (
            Limit::Negotiating,
            "`negotiating_max`: the oldest stream that has bound nothing is ended",
        ),
        (Limit::HandshakeTime, "30 seconds for a TLS handshake"),
        (
            Limit::NegotiationTime,
            "`negotiation_secs_max`: time until a resource is bound",
        ),
        (
            Limit::ElementSize,
            "bytes, depth, attributes or children of one element; smaller before log-in",
        ),
        (
            Limit::LoginFailures,
            "`login_failures_per_account_max`, `login_failures_per_network_max`: a log-in refused unseen",
        ),
        (
            Limit::Guests,
            "`guests_max`, `guests_per_network_max`: a log-in refused; `guest_stanzas_max`: a stream that ends",
        ),
        (
            Limit::Registrations,
            "`registrations_per_network_max`, `registrations_max`, `invited_per_network_max`: no account is made",
        ),
        (Limit::SessionsPerAccount, "`sessions_per_account_max`"),
        (
            Limit::SessionQueue,
            "what waits for a client that takes nothing, or acknowledges nothing; its stream ends",
        ),
        (
            Limit::SessionPassing,
            "headlines, typing and directed presence to a client that has much waiting; they are left out",
        ),
        (
            Limit::WriteTime,
            "120 seconds in which a client takes nothing of what is written to it",
        ),
        (
            Limit::AckTime,
            "`ack_secs_max`: an acknowledgement that was asked for and did not come",
        ),
        (
            Limit::Stored,
            "what an account may store (contacts, private data, a vCard, blocked addresses and others), or ask for at a time; the stanza is answered with an error",
        ),
        (
            Limit::Undelivered,
            "`undelivered_messages_max`, `undelivered_bytes_max`, `undelivered_strangers_percent`: a message that may not wait for its account; it is answered with an error",
        ),
        (
            Limit::UploadRoom,
            "`upload_file_bytes_max`, `upload_account_bytes_max`, `upload_domain_bytes_max`, `upload_profile_bytes_max`, `upload_permanent_bytes_max`, or 50 slots of one account at a time: a file that may not come, or not yet",
        ),
        (
            Limit::UploadTime,
            "a file that comes more slowly than 8,192 bytes in a second, a minute aside; nothing of it is kept",
        ),
        (
            Limit::Bytestreams,
            "`bytestreams_max`: a connection to the relay is refused; `bytestreams_per_account_max`: two are not joined",
        ),
        (
            Limit::Capabilities,
            "capabilities of a client: an answer that is too large or too late, or hashes that change too often; the client is not told of what it is interested in, or later",
        ),
        (
            Limit::Questions,
            "4,096 requests that components answer for the server, or have answered for an account, by delegation and privilege (XEP-0355, XEP-0356); one more is answered with an error",
        ),
        (
            Limit::ApiRequests,
            "`api_requests_per_token_max`: a request that has to wait",
        ),
        (
            Limit::DiskFull,
            "the disk: a batch that could not be written; what it belongs to is answered with an error",
        ),
    ];

    /// Its name in the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::ConnectionsPerNetwork => "connections_per_network",
            Limit::Negotiating => "negotiating",
            Limit::HandshakeTime => "handshake_time",
            Limit::NegotiationTime => "negotiation_time",
            Limit::ElementSize => "element_size",
            Limit::LoginFailures => "login_failures",
            Limit::Guests => "guests",
            Limit::Registrations => "registrations",
            Limit::SessionsPerAccount => "sessions_per_account",
            Limit::SessionQueue => "session_queue",
            Limit::SessionPassing => "session_passing",
            Limit::WriteTime => "write_time",
            Limit::AckTime => "ack_time",
            Limit::Stored => "stored",
            Limit::Undelivered => "undelivered",
            Limit::UploadRoom => "upload_room",
            Limit::UploadTime => "upload_time",
            Limit::Capabilities => "capabilities",
            Limit::Questions => "questions",
            Limit::Bytestreams => "bytestreams",
            Limit::ApiRequests => "api_requests",
            Limit::DiskFull => "disk_full",
        }
    }
}
