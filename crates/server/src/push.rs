//! Push notifications (XEP-0357): which devices of an account are told that there is something to see, when, and what comes
//! of it.
//!
//! Whether a message is worth it is decided in `keep.rs`. What is due is gathered for each account in memory
//! (`push/due.rs`); one task an account sends it (`push/rounds.rs`), to an app server elsewhere (`push/publish.rs`) or to
//! the one that is built in (`push/web.rs`). What is stored is who wants it and how it goes (`push/stored.rs`).

mod address;
pub(crate) mod commands;
mod due;
mod endpoint;
mod publish;
mod rounds;
mod seal;
mod stored;
pub(crate) mod vapid;
mod web;

pub use address::is_public_address;
pub use endpoint::{ENDPOINT_BYTES_MAX, Endpoint};
pub use vapid::is_push_key;

pub(crate) use due::Pushing;
pub(crate) use publish::check;
pub(crate) use rounds::{left, received};
pub(crate) use stored::{
    Asker, NODE_BYTES_MAX, OPTIONS_BYTES_MAX, PUSHES, disable, enable, forget_all, forget_asker,
};

use crate::options::{OptionDefault, OptionSpec};

/// What notifications reveal.
pub(crate) const REVEALS: OptionSpec = OptionSpec {
    name: "push_reveals",
    default: OptionDefault::Choice(&["nothing", "count", "sender", "body"]),
    unit: "",
    doc: "What push notifications reveal to the app servers that clients name: nothing but that there is something to see; how many messages; who sent the last one, too; or what it says, too.",
};

/// How long a push service that fails is borne.
pub(crate) const ERRORS_MAX: OptionSpec = OptionSpec {
    name: "push_errors_max",
    default: OptionDefault::Number {
        value: 10,
        min: 1,
        max: 1_000,
    },
    unit: "errors",
    doc: "After so many failures in a row nothing is pushed to a service any more, until the client asks for it again.",
};

/// Most push services of one account.
pub(crate) const SERVICES_MAX: OptionSpec = OptionSpec {
    name: "push_services_per_account_max",
    default: OptionDefault::Number {
        value: 20,
        min: 1,
        max: 100,
    },
    unit: "services",
    doc: "Most push services that one account can have; one more takes the place of one that is dead, or was asked for first.",
};

/// Whether the server posts to endpoints of Web Push itself.
pub(crate) const WEB_PUSH: OptionSpec = OptionSpec {
    name: "web_push",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether the server is an app server itself: it posts notifications to the endpoints of Web Push and UnifiedPush that clients name, by HTTPS.",
};

/// Whom push services can write to.
pub(crate) const WEB_PUSH_CONTACT: OptionSpec = OptionSpec {
    name: "web_push_contact",
    default: OptionDefault::Page,
    unit: "",
    doc: "A web page by which those who run a push service find who runs this server (RFC 8292 §2.1); some refuse what has none.",
};

/// Whether endpoints may be in the operator's own network.
pub(crate) const PRIVATE_ENDPOINTS: OptionSpec = OptionSpec {
    name: "web_push_private_addresses",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether endpoints may have loopback and private addresses, as those of a UnifiedPush server beside this one: then whoever has an account can have requests made there.",
};
