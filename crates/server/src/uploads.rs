//! Files that people leave here for others (XEP-0363): what a client asks for by XMPP, brings and fetches by HTTP.
//!
//! `granting.rs` gives a client a slot, `terms.rs` signs what it may bring, `receiving.rs` takes that, `serving.rs` finds it
//! again, and `retention.rs` lets it go. The bytes are blobs of the store, found by their hash and counted by their references;
//! what is known of them is the account's, and goes with it. `room.rs` knows how much there is of each domain, and what is being
//! brought at the moment. How HTTP says it is the daemon's; what its headers mean is in `conditions.rs` and `media_type.rs`,
//! where it can be tried without a socket.

pub mod conditions;
pub mod file_name;
mod granting;
pub mod media_type;
mod receiving;
mod retention;
mod room;
mod serving;
mod stored;
mod terms;

pub(crate) use granting::{Refusal, Wish, grant};
pub use receiving::{Offer, Receiving, UploadError};
pub(crate) use retention::sweep;
pub(crate) use room::count_again;
pub use serving::Served;
pub(crate) use stored::{FILES, SIZES, SLOTS};

use crate::options::{OptionDefault, OptionSpec, Options};
use crate::outside::Random;
use room::Room;
use terms::Signer;

/// Where files are, below the address of [`URL`].
pub const PATH: &str = "/upload";

/// How long a slot can be used (XEP-0363, "Implementation Notes").
pub(crate) const SLOT_SECS: u64 = 300;
/// Most slots that an account has at a time, those in use too. Each is a row.
pub(crate) const SLOTS_MAX: usize = 50;
/// How slowly a file may come, on the whole. It is what bounds how long a slot in use is kept.
pub const BYTES_PER_SEC_MIN: u64 = 8 * 1024;
/// What is added to the time that a file may take so.
pub const GRACE_SECS: u64 = 60;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const TIB: u64 = 1024 * GIB;

const fn bytes(name: &'static str, value: u64, doc: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        default: OptionDefault::Number {
            value,
            min: 0,
            max: 1024 * TIB,
        },
        unit: "bytes",
        doc,
    }
}

/// Where clients reach the files.
pub const URL: OptionSpec = OptionSpec {
    name: "upload_url",
    default: OptionDefault::Base,
    unit: "",
    doc: "Where clients reach this server's /upload; empty for [web] public_url, or else the domain at the HTTPS port. Without any of them there are no uploads.",
};

/// How large a file may be.
pub const FILE_BYTES_MAX: OptionSpec = bytes(
    "upload_file_bytes_max",
    100 * MIB,
    "Most bytes of one file; 0 for no uploads at all.",
);

/// How much an account may have here.
pub const ACCOUNT_BYTES_MAX: OptionSpec = bytes(
    "upload_account_bytes_max",
    GIB,
    "Most bytes of the files of one account, but for those of its profile and permanent ones; 0 for no limit. More has to wait until older files go.",
);

/// How much a domain may have here.
pub const DOMAIN_BYTES_MAX: OptionSpec = bytes(
    "upload_domain_bytes_max",
    100 * GIB,
    "Most bytes of all files of the domain's accounts; 0 for no limit.",
);

/// How long files of messages stay.
pub const DAYS_MAX: OptionSpec = OptionSpec {
    name: "upload_days_max",
    default: OptionDefault::Number {
        value: 365,
        min: 0,
        max: 36_500,
    },
    unit: "days",
    doc: "How long files stay, but for those of profiles and permanent ones; 0 for as long as the account.",
};

/// How much an account's pictures of itself may take.
pub const PROFILE_BYTES_MAX: OptionSpec = bytes(
    "upload_profile_bytes_max",
    10 * MIB,
    "Most bytes of the files of one account that belong to its profile, such as avatars, which stay as long as the account; 0 for none.",
);

/// How much an account may have for good.
pub const PERMANENT_BYTES_MAX: OptionSpec = bytes(
    "upload_permanent_bytes_max",
    0,
    "Most bytes of the files of one account that its clients ask to be kept for good, such as pictures of a blog; 0 for none.",
);

/// Everything that can be set, for all domains or for one.
pub const OPTIONS: &[OptionSpec] = &[
    URL,
    FILE_BYTES_MAX,
    ACCOUNT_BYTES_MAX,
    DOMAIN_BYTES_MAX,
    DAYS_MAX,
    PROFILE_BYTES_MAX,
    PERMANENT_BYTES_MAX,
];

/// Files that are kept, and counted, together (XEP-0363, "Upload purpose").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// Those of messages.
    Messages,
    /// Pictures of oneself.
    Profile,
    /// Those that stay.
    Permanent,
}

impl Bucket {
    /// As it is stored: never change a number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Bucket::Messages => 0,
            Bucket::Profile => 1,
            Bucket::Permanent => 2,
        }
    }

    fn numbered(number: u8) -> Option<Bucket> {
        let all = [Bucket::Messages, Bucket::Profile, Bucket::Permanent];
        all.into_iter().find(|bucket| bucket.number() == number)
    }

    /// Most bytes of an account; `None` for no limit.
    fn bytes_max(self, options: &Options) -> Option<u64> {
        let spec = match self {
            Bucket::Messages => &ACCOUNT_BYTES_MAX,
            Bucket::Profile => &PROFILE_BYTES_MAX,
            Bucket::Permanent => &PERMANENT_BYTES_MAX,
        };
        match options.number(spec) {
            0 if self == Bucket::Messages => None,
            bytes => Some(bytes),
        }
    }

    /// Most bytes of one file; none is offered where it is 0.
    pub(crate) fn file_bytes_max(self, options: &Options) -> u64 {
        let file = options.number(&FILE_BYTES_MAX);
        self.bytes_max(options).map_or(file, |all| all.min(file))
    }

    /// How long its files stay, in microseconds; `None` where they do not go by themselves.
    fn micros_max(self, options: &Options) -> Option<u64> {
        match (self, options.number(&DAYS_MAX)) {
            (Bucket::Messages, days) if days > 0 => Some(days * 86_400 * 1_000_000),
            _ => None,
        }
    }
}

/// Whether a domain with these options takes files of this kind.
pub(crate) fn is_offered(options: &Options, bucket: Bucket) -> bool {
    !options.text(&URL).is_empty() && bucket.file_bytes_max(options) > 0
}

/// The seconds that a file of this size may take to come.
#[must_use]
pub fn secs_max(size: u64) -> u64 {
    (size / BYTES_PER_SEC_MIN).saturating_add(GRACE_SECS)
}

/// What is known of files besides what is stored.
pub(crate) struct Uploads {
    signer: Signer,
    room: Room,
}

impl Uploads {
    /// Slots are signed with this key.
    pub(crate) fn new(key: [u8; 32]) -> Uploads {
        Uploads {
            signer: Signer::new(key),
            room: Room::default(),
        }
    }
}

/// A name that nobody can guess: whoever knows it may have the file.
fn new_id(random: &dyn Random) -> String {
    let mut bytes = [0; ID_BYTES];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bytes of an id.
const ID_BYTES: usize = 20;

/// The id in the path of a request, `/upload/ID/NAME`. What the file is called there is for people, and means nothing.
#[must_use]
pub fn id_in_path(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(PATH)?.strip_prefix('/')?;
    let (id, _name) = rest.split_once('/')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (id.len() == 2 * ID_BYTES && id.bytes().all(is_digit)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_paths() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        for name in ["a.jpg", "", "%2e%2e%2f", "../../etc/passwd", "a/b"] {
            let path = format!("/upload/{id}/{name}");
            assert_eq!(id_in_path(&path), Some(id), "{path}");
        }
        for path in [
            format!("/upload/{id}"),
            format!("/upload/{}/a", id.to_uppercase()),
            format!("/upload/{}/a", &id[1..]),
            format!("/upload/0{id}/a"),
            format!("/upload//{id}/a"),
            format!("/upload/../{id}/a"),
            format!("/uploads/{id}/a"),
            format!("{id}/a"),
            "/upload/%30123456789abcdef0123456789abcdef01234/a".to_owned(),
        ] {
            assert_eq!(id_in_path(&path), None, "{path}");
        }
    }

    #[test]
    fn buckets_are_found_by_their_numbers() {
        for bucket in [Bucket::Messages, Bucket::Profile, Bucket::Permanent] {
            assert_eq!(Bucket::numbered(bucket.number()), Some(bucket));
        }
        assert_eq!(Bucket::numbered(3), None);
    }
}
