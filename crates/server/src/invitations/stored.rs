//! What is stored of invitations.

use sha2::{Digest, Sha256};
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Expiring, Index, Owner, Table};

use crate::accounts::{self, Role, StoredAccount};

/// Characters of a token: so many hexadecimal digits, four bits each.
pub(crate) const TOKEN_DIGITS: usize = 32;
/// Bytes of the hash of a token by which it is found.
const ID_BYTES: usize = 16;
/// How long an invitation stays in the store when its time is over. Whoever has shown the token in time may end what was
/// begun with it (XEP-0445), for which a stream has an hour at most.
const KEPT_MICROS: u64 = 2 * 3_600 * 1_000_000;

/// What an invitation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Purpose {
    /// An account is made.
    Account = 0,
    /// Somebody becomes a contact, and makes an account for that, if need be and allowed.
    Contact = 1,
    /// An account that is there gets another password.
    Password = 2,
}

impl Purpose {
    /// Its name in the answers of commands.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Account => "account",
            Purpose::Contact => "contact",
            Purpose::Password => "password",
        }
    }
}

/// An invitation as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StoredInvitation {
    /// What it is for.
    #[prost(enumeration = "Purpose", tag = "1")]
    pub purpose: i32,
    /// The domain where it is good.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// The user part of the account that is made, or gets another password; without it, any that is free.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// The account whose contact who uses it becomes.
    #[prost(string, optional, tag = "4")]
    pub contact: Option<String>,
    /// What the new account may do.
    #[prost(enumeration = "Role", tag = "5")]
    pub role: i32,
    /// How often it can be used.
    #[prost(uint32, tag = "6")]
    pub uses: u32,
    /// How often it was.
    #[prost(uint32, tag = "7")]
    pub used: u32,
    /// When it was made, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "8")]
    pub created_micros: u64,
    /// Until when its token can be shown.
    #[prost(uint64, tag = "9")]
    pub expires_micros: u64,
    /// Whether an account can be made with it.
    #[prost(bool, tag = "10")]
    pub registers: bool,
    /// What the account's stored password was when a link for another one was made: with any other it is good for nothing.
    #[prost(bytes = "vec", tag = "11")]
    pub password_state: Vec<u8>,
    /// The account that made it; without it, whoever runs the server.
    #[prost(string, optional, tag = "12")]
    pub creator: Option<String>,
}

impl StoredInvitation {
    /// The account that is made, or gets another password, where that is settled.
    pub fn account(&self) -> Option<BareJid> {
        let name = self.name.as_deref()?;
        BareJid::from_parts(Some(name), &self.domain).ok()
    }

    /// Whose contact who uses it becomes.
    pub fn contact_jid(&self) -> Option<BareJid> {
        self.contact.as_deref()?.parse().ok()
    }

    /// Who made it, where that is an account.
    pub fn creator_jid(&self) -> Option<BareJid> {
        self.creator.as_deref()?.parse().ok()
    }

    /// The address that nobody else may register meanwhile.
    fn reserved(&self) -> Option<String> {
        let account = self.account().filter(|_| self.registers)?;
        Some(account.to_string())
    }
}

/// Invitations of all owners by their ids.
pub(crate) static BY_ID: Index<String, StoredInvitation, String> =
    Index::unique("by-id", |id, _| vec![id.clone()]);

/// Invitations by the address that is kept for them.
pub(crate) static BY_ACCOUNT: Index<String, StoredInvitation, String> =
    Index::ordered("by-account", |_, invitation| {
        invitation.reserved().into_iter().collect()
    });

/// Invitations of each account and domain, by ids, which are hashes of their tokens.
pub(crate) static INVITATIONS: Expiring<String, StoredInvitation> = Table::new("invitations", 1)
    .index(&BY_ID)
    .index(&BY_ACCOUNT)
    .expiring();

/// The last invitation that a name was given to, under the domain by the name. It says nothing by itself: whoever reserves a
/// name has looked for invitations that hold it, and writes this anew, so of two at a time one is refused.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredReservation {
    /// Its id.
    #[prost(string, tag = "1")]
    pub(crate) id: String,
}

/// Names that are given to invitations.
pub(crate) static RESERVATIONS: Expiring<String, StoredReservation> =
    Table::new("invitation-names", 1).expiring();

/// That an invitation was used.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredUse {
    /// The invitation's id.
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    /// The account that was made, became a contact, or got another password.
    #[prost(string, tag = "2")]
    pub(crate) account: String,
    /// When, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub(crate) at_micros: u64,
    /// What was done.
    #[prost(enumeration = "Purpose", tag = "4")]
    pub(crate) purpose: i32,
    /// The account that had made the invitation; without it, whoever runs the server.
    #[prost(string, optional, tag = "5")]
    pub(crate) creator: Option<String>,
}

/// How long it is known by whom an invitation was used: as long as it counts for who made it.
const USE_KEPT_MICROS: u64 = 30 * 86_400 * 1_000_000;

impl StoredUse {
    /// Whether the account is of this domain.
    pub(crate) fn is_of(&self, domain: &str) -> bool {
        let account: Option<BareJid> = self.account.parse().ok();
        account.is_some_and(|account| account.domain() == domain)
    }
}

/// A use's place among all: texts of one length are ordered as numbers are.
pub(crate) fn time_key(used: &StoredUse) -> String {
    let (id, account) = (&used.id, &used.account);
    format!("{:020}/{id}/{}/{account}", used.at_micros, used.purpose)
}

/// Uses of all invitations by when they were.
pub(crate) static USES_BY_TIME: Index<(String, String), StoredUse, String> =
    Index::unique("by-time", |_, used| vec![time_key(used)]);

/// Uses of invitations under who made them, or the domain, by what was done ([`Purpose::name`]), and by id and account.
pub(crate) static USES: Expiring<(String, String), StoredUse> = Table::new("invitation-uses", 1)
    .index(&USES_BY_TIME)
    .expiring();

/// Under whom it is noted that an invitation was used.
pub(crate) fn user_of(invitation: &StoredInvitation) -> Owner {
    match invitation.creator_jid() {
        Some(creator) => accounts::owner(&creator),
        None => Owner::domain(&invitation.domain),
    }
}

/// What an account's password is at a time, as far as another one is another: each is salted anew.
pub(crate) fn password_state(account: &StoredAccount) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"waxwing password\0");
    for key in &account.keys {
        for part in [key.hash.as_bytes(), &key.salt] {
            // No two rows of parts are one text.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().to_vec()
}

/// Whether a text could be a token at all.
pub(crate) fn is_token(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == TOKEN_DIGITS && text.bytes().all(is_digit)
}

/// What is stored in the place of a token. The token has too many bits to be found by trying, so no key is needed.
pub(crate) fn id_of(token: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"waxwing invitation\0");
    hash.update(token.as_bytes());
    let hash = hash.finalize();
    let digits = hash.iter().take(ID_BYTES);
    let digits = digits.flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Until when the row is there.
pub(crate) fn kept_until(invitation: &StoredInvitation) -> u64 {
    invitation.expires_micros.saturating_add(KEPT_MICROS)
}

/// Who used an invitation, for what, and when.
pub(crate) struct Use<'a> {
    pub(crate) account: &'a BareJid,
    pub(crate) purpose: Purpose,
    pub(crate) at_micros: u64,
}

/// Notes that it was used once more; with the last use it goes.
pub(crate) fn use_up(
    batch: &mut Batch,
    owner: &Owner,
    id: &String,
    before: &StoredInvitation,
    by: &Use<'_>,
) {
    let stored = StoredUse {
        id: id.clone(),
        account: by.account.to_string(),
        at_micros: by.at_micros,
        purpose: by.purpose.into(),
        creator: before.creator.clone(),
    };
    let key = (by.purpose.name().to_owned(), format!("{id}/{}", by.account));
    let until = by.at_micros.saturating_add(USE_KEPT_MICROS);
    batch.put_expiring(&USES, &user_of(before), &key, &stored, until);
    let used = before.used.saturating_add(1);
    if used >= before.uses {
        return batch.delete(&INVITATIONS.at(0), owner, id);
    }
    let after = StoredInvitation {
        used,
        ..before.clone()
    };
    batch.put_expiring(&INVITATIONS, owner, id, &after, kept_until(&after));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_thirty_two_digits() {
        assert!(is_token("0123456789abcdef0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
            "0123456789ABCDEF0123456789abcdef",
            "0123456789abcdef0123456789abcde/",
            "0123456789abcdef0123456789abcd\u{e4}",
        ] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_is_another_text_for_each_token() {
        let token = "0123456789abcdef0123456789abcdef";
        let id = id_of(token);
        assert_eq!(id.len(), 2 * ID_BYTES);
        assert_ne!(id, token);
        assert_ne!(id, id_of("1123456789abcdef0123456789abcdef"));
    }

    #[test]
    fn another_password_is_another_state() {
        let account = |salt: &[u8]| StoredAccount {
            keys: vec![accounts::StoredKey {
                hash: "SHA-256".to_owned(),
                salt: salt.to_vec(),
                ..accounts::StoredKey::default()
            }],
            ..StoredAccount::default()
        };
        assert_eq!(
            password_state(&account(b"a")),
            password_state(&account(b"a"))
        );
        assert_ne!(
            password_state(&account(b"a")),
            password_state(&account(b"b"))
        );
        // What else is changed of an account leaves it as it is.
        let disabled = StoredAccount {
            disabled: true,
            ..account(b"a")
        };
        assert_eq!(password_state(&disabled), password_state(&account(b"a")));
    }

    #[test]
    fn a_name_is_kept_for_who_may_register_it() {
        let invitation = StoredInvitation {
            domain: "example.org".to_owned(),
            name: Some("carol".to_owned()),
            registers: true,
            ..StoredInvitation::default()
        };
        assert_eq!(invitation.reserved().as_deref(), Some("carol@example.org"));
        let password = StoredInvitation {
            registers: false,
            ..invitation
        };
        assert_eq!(password.reserved(), None);
    }
}
