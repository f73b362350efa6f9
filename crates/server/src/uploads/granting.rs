//! Slots: whether a client may bring a file, and where.

use waxwing_store::{Batch, Direction, KeyRange, StoreError};

use crate::directory::Account;
use crate::effects::{Effects, Turn};
use crate::options::Options;
use crate::server::Server;
use crate::uploads::retention::gone_micros;
use crate::uploads::stored::{FILES, SIZES, SLOTS, StoredSlot, counted};
use crate::uploads::terms::Terms;
use crate::uploads::{
    Bucket, DOMAIN_BYTES_MAX, PATH, SLOT_SECS, SLOTS_MAX, URL, file_name, is_offered, new_id,
    secs_max,
};

/// The oldest files that are looked at to say when there will be room.
const LOOKED_AT: usize = 200;

/// After which time a full domain may be asked again: its clean-up comes once an hour.
const DOMAIN_AGAIN_MICROS: u64 = 3_600 * MICROS;

const MICROS: u64 = 1_000_000;

/// The file that somebody wants to bring.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// What it is called.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its media type, if it is known.
    pub(crate) media_type: Option<String>,
    /// Its kind.
    pub(crate) bucket: Bucket,
    /// When it must be gone, in microseconds since 1970, if ever.
    pub(crate) end_micros: Option<u64>,
}

/// A slot.
pub(crate) struct Granted {
    /// Where the file goes, and where it is found then.
    pub(crate) url: String,
    /// What allows it to be brought.
    pub(crate) token: String,
    /// What has to be durable before anybody is told.
    pub(crate) effects: Effects,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody brings such files here.
    NotOffered,
    /// It has no content.
    Empty,
    /// It is larger than a file of its kind may be.
    TooLarge {
        /// Most bytes.
        bytes_max: u64,
    },
    /// It would be gone before it is here.
    Over,
    /// There is no room for it, or there are too many slots already.
    Later {
        /// When that may be otherwise, in microseconds since 1970, if it is known.
        again_micros: Option<u64>,
    },
}

/// Slots that are there, and what they stand for.
struct Pending {
    live: Vec<StoredSlot>,
    lapsed: Vec<String>,
}

impl Pending {
    /// Bytes that they keep.
    fn bytes(&self, bucket: Bucket) -> u64 {
        let number = u32::from(bucket.number());
        let of = self.live.iter().filter(|slot| slot.bucket == number);
        of.fold(0, |sum, slot| sum.saturating_add(slot.size))
    }

    /// When the first of them ends.
    fn first_micros(&self) -> Option<u64> {
        self.live.iter().map(|slot| slot.until_micros).min()
    }
}

/// Gives an account a slot, if there is room.
pub(crate) async fn grant(
    server: &Server,
    account: &Account,
    wish: Wish,
) -> Result<Result<Granted, Refusal>, StoreError> {
    let domain = account.jid.domain();
    let options = server.options_of(domain);
    let now = server.now_micros();
    if let Err(refusal) = check(&options, &wish, now) {
        return Ok(Err(refusal));
    }
    let turn = account.turn().await;
    let pending = pending(server, account, now).await?;
    if pending.live.len() >= SLOTS_MAX {
        let again_micros = pending.first_micros();
        return Ok(Err(Refusal::Later { again_micros }));
    }
    if let Some(refusal) = full(server, account, &wish, &pending, now).await? {
        return Ok(Err(refusal));
    }
    let id = new_id(&*server.outside().random);
    let name = file_name::kept(&wish.name);
    let until_micros = now.saturating_add(SLOT_SECS * MICROS);
    let terms = Terms {
        account: account.jid.to_string(),
        id: id.clone(),
        size: wish.size,
        media_type: wish.media_type.unwrap_or_default(),
        bucket: u32::from(wish.bucket.number()),
        end_micros: wish.end_micros.unwrap_or_default(),
        until_micros,
        name,
    };
    let base = options.text(&URL).trim_end_matches('/');
    Ok(Ok(Granted {
        url: format!("{base}{PATH}/{id}/{}", file_name::encoded(&terms.name)),
        token: server.uploads().signer.token(&terms),
        effects: kept(account, &terms, pending.lapsed, turn),
    }))
}

/// What can be said without looking at what there is.
fn check(options: &Options, wish: &Wish, now_micros: u64) -> Result<(), Refusal> {
    if !is_offered(options, wish.bucket) {
        return Err(Refusal::NotOffered);
    }
    if wish.size == 0 {
        return Err(Refusal::Empty);
    }
    let domain_max = match options.number(&DOMAIN_BYTES_MAX) {
        0 => u64::MAX,
        bytes => bytes,
    };
    let bytes_max = wish.bucket.file_bytes_max(options).min(domain_max);
    if wish.size > bytes_max {
        return Err(Refusal::TooLarge { bytes_max });
    }
    match wish.end_micros {
        Some(end) if end <= now_micros => Err(Refusal::Over),
        _ => Ok(()),
    }
}

/// The account's slots: those that can be used, or are in use, and those that cannot any more.
async fn pending(
    server: &Server,
    account: &Account,
    now_micros: u64,
) -> Result<Pending, StoreError> {
    let all = KeyRange::all();
    let table = SLOTS.at(now_micros);
    // Those that have lapsed are removed with each new one: there are never more than twice as many.
    let found = server
        .store()
        .scan(
            &table,
            &account.owner,
            &all,
            Direction::Forward,
            2 * SLOTS_MAX,
        )
        .await?;
    let room = &server.uploads().room;
    let mut pending = Pending {
        live: Vec::new(),
        lapsed: Vec::new(),
    };
    for (id, slot) in found {
        match slot.until_micros > now_micros || room.is_coming(&id) {
            true => pending.live.push(slot),
            false => pending.lapsed.push(id),
        }
    }
    Ok(pending)
}

/// Why there is no room, if there is none.
async fn full(
    server: &Server,
    account: &Account,
    wish: &Wish,
    pending: &Pending,
    now_micros: u64,
) -> Result<Option<Refusal>, StoreError> {
    let options = server.options_of(account.jid.domain());
    let number = wish.bucket.number();
    let used = server.store().get(&SIZES, &account.owner, &number).await?;
    let taken = counted(used).saturating_add(pending.bytes(wish.bucket));
    let wanted = taken.saturating_add(wish.size);
    if let Some(max) = wish.bucket.bytes_max(&options)
        && wanted > max
    {
        let freed = when_free(server, account, wish.bucket, wanted - max, &options).await?;
        let again_micros = freed.or(pending.first_micros());
        return Ok(Some(Refusal::Later { again_micros }));
    }
    if server.has_room(account.jid.domain(), wish.size).await? {
        return Ok(None);
    }
    let again_micros = Some(now_micros.saturating_add(DOMAIN_AGAIN_MICROS));
    Ok(Some(Refusal::Later { again_micros }))
}

/// When so many bytes of an account's files will have gone by themselves; where that is far away, when the first of them will.
async fn when_free(
    server: &Server,
    account: &Account,
    bucket: Bucket,
    bytes: u64,
    options: &Options,
) -> Result<Option<u64>, StoreError> {
    let range = KeyRange::prefix(&(bucket.number(),));
    let files = server
        .store()
        .scan(
            &FILES,
            &account.owner,
            &range,
            Direction::Forward,
            LOOKED_AT,
        )
        .await?;
    let ends = files.iter().filter_map(|(place, file)| {
        let end = gone_micros(place, file, options)?;
        Some((end, file.size))
    });
    let mut ends: Vec<(u64, u64)> = ends.collect();
    ends.sort_unstable();
    let mut freed = 0_u64;
    for (end, size) in &ends {
        freed = freed.saturating_add(*size);
        if freed >= bytes {
            return Ok(Some(*end));
        }
    }
    Ok(ends.first().map(|(end, _)| *end))
}

/// The slot as it is stored, in the place of those that have lapsed.
fn kept(account: &Account, terms: &Terms, lapsed: Vec<String>, turn: Turn) -> Effects {
    let mut batch = Batch::new();
    let slot = StoredSlot {
        size: terms.size,
        bucket: terms.bucket,
        until_micros: terms.until_micros,
    };
    // Whoever begins at the last moment may take all the time that the file may take, and it has to be written then.
    let secs = secs_max(terms.size).saturating_add(SLOT_SECS);
    let expires = terms.until_micros.saturating_add(secs * MICROS);
    batch.put_expiring(&SLOTS, &account.owner, &terms.id, &slot, expires);
    for id in &lapsed {
        batch.delete(&SLOTS.at(0), &account.owner, id);
    }
    Effects {
        batch,
        exclusive: Some(turn),
        ..Effects::none()
    }
}
