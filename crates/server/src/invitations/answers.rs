//! What the commands `invite …` answer: nobody can use an invitation by what is shown of it.

use crate::admin::{Member, Shape, member};

pub(super) const ID_SHOWN: Member =
    member("id", Shape::Text, "Its id, by which nobody can use it.");
const PURPOSE: Member = member(
    "purpose",
    Shape::Text,
    "What it is for: account, contact or password.",
);
const DOMAIN_SHOWN: Member = member("domain", Shape::Text, "The domain where it is good.");
const ACCOUNT_SHOWN: Member = member(
    "account",
    Shape::Maybe(&Shape::Text),
    "The account that is made, or gets another password, where that is settled.",
);
const CONTACT_SHOWN: Member = member(
    "contact",
    Shape::Maybe(&Shape::Text),
    "Whose contact who uses it becomes.",
);
const CREATOR: Member = member(
    "creator",
    Shape::Text,
    "The account that made it, or operator.",
);
const ROLE_SHOWN: Member = member("role", Shape::Text, "What the new account may do.");
const REGISTERS: Member = member(
    "registers",
    Shape::Flag,
    "Whether an account can be made with it.",
);
const USES_SHOWN: Member = member("uses", Shape::Number, "How often it can be used.");
const USED: Member = member("used", Shape::Number, "How often it was.");
const CREATED: Member = member(
    "created_micros",
    Shape::Number,
    "When it was made, in microseconds since 1970.",
);
const EXPIRES_SHOWN: Member = member(
    "expires_micros",
    Shape::Number,
    "Until when it is good, in microseconds since 1970.",
);

pub(super) const LISTED: &[Member] = &[
    ID_SHOWN,
    PURPOSE,
    DOMAIN_SHOWN,
    ACCOUNT_SHOWN,
    CONTACT_SHOWN,
    CREATOR,
    ROLE_SHOWN,
    REGISTERS,
    USES_SHOWN,
    USED,
    CREATED,
    EXPIRES_SHOWN,
    member(
        "good",
        Shape::Flag,
        "Whether the accounts that it rests on are as they have to be.",
    ),
];

pub(super) const USED_BY: &[Member] = &[
    ID_SHOWN,
    member(
        "account",
        Shape::Text,
        "The account that was made, became a contact, or got another password.",
    ),
    PURPOSE,
    CREATOR,
    member(
        "at_micros",
        Shape::Number,
        "When, in microseconds since 1970.",
    ),
];

pub(super) const MADE: &[Member] = &[
    ID_SHOWN,
    PURPOSE,
    DOMAIN_SHOWN,
    ACCOUNT_SHOWN,
    CONTACT_SHOWN,
    CREATOR,
    ROLE_SHOWN,
    REGISTERS,
    USES_SHOWN,
    USED,
    CREATED,
    EXPIRES_SHOWN,
    member(
        "token",
        Shape::Text,
        "By which it is used; shown this once.",
    ),
    member(
        "uri",
        Shape::Maybe(&Shape::Text),
        "The same as an address for clients.",
    ),
    member(
        "url",
        Shape::Maybe(&Shape::Text),
        "The page for who is invited, where the server knows its address.",
    ),
];
