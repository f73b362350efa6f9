//! How long files stay: they go when their time is over, beside everything else and some at a time.

use waxwing_store::{Batch, Direction, KeyRange, Owner, OwnerKind, StoreError};

use crate::options::Options;
use crate::server::Server;
use crate::uploads::Bucket;
use crate::uploads::stored::{BY_END, FILES, Place, StoredFile, bucket_of, take_out};

/// How many files are looked at together.
const AT_ONCE: usize = 100;

/// When a file goes by itself, in microseconds since 1970, if it does.
pub(crate) fn gone_micros(place: &Place, file: &StoredFile, options: &Options) -> Option<u64> {
    let kept = bucket_of(place).and_then(|bucket| bucket.micros_max(options));
    let by_age = kept.map(|micros| place.1.saturating_add(micros));
    let by_wish = (file.end_micros > 0).then_some(file.end_micros);
    by_age.into_iter().chain(by_wish).min()
}

/// The domain of an account's files.
fn domain_of(owner: &Owner) -> Option<&str> {
    let domain = owner.name().rsplit_once('@').map(|(_, domain)| domain);
    domain.filter(|_| owner.kind() == OwnerKind::Account)
}

/// The same, by the options that hold for its account now.
pub(crate) fn gone_micros_at(
    server: &Server,
    owner: &Owner,
    place: &Place,
    file: &StoredFile,
) -> Option<u64> {
    let options = server.options_of(domain_of(owner).unwrap_or_default());
    gone_micros(place, file, &options)
}

/// Lets go what is over, and counts what is left.
pub(crate) async fn sweep(server: &Server) -> Result<(), StoreError> {
    by_wish(server).await?;
    let mut last: Option<Owner> = None;
    loop {
        let owners = server.store().owners(&FILES, last.as_ref(), AT_ONCE);
        let owners = owners.await?;
        for owner in &owners {
            if server.stopping() {
                return Ok(());
            }
            by_age(server, owner).await?;
        }
        match owners.last() {
            Some(owner) => last = Some(owner.clone()),
            None => return server.count_uploads().await,
        }
    }
}

/// Lets go what somebody wanted to be gone by now.
async fn by_wish(server: &Server) -> Result<(), StoreError> {
    loop {
        let over = KeyRange::all().before(&server.now_micros().saturating_add(1));
        let found = server.store().find(&FILES, &BY_END, &over, AT_ONCE).await?;
        let is_all = found.len() < AT_ONCE;
        let found = found.into_iter();
        let files = found.map(|one| (one.owner, one.key, one.value)).collect();
        let_go(server, files).await?;
        if is_all || server.stopping() {
            return Ok(());
        }
    }
}

/// Lets go what is too old of an account's.
async fn by_age(server: &Server, owner: &Owner) -> Result<(), StoreError> {
    let Some(domain) = domain_of(owner) else {
        return Ok(());
    };
    let range = KeyRange::prefix(&(Bucket::Messages.number(),));
    loop {
        let options = server.options_of(domain);
        let Some(micros) = Bucket::Messages.micros_max(&options) else {
            return Ok(());
        };
        let read = server
            .store()
            .scan(&FILES, owner, &range, Direction::Forward, AT_ONCE);
        let read = read.await?;
        let is_all = read.len() < AT_ONCE;
        let now = server.now_micros();
        let is_over = |place: &Place| place.1.saturating_add(micros) <= now;
        let files: Vec<_> = read
            .into_iter()
            .take_while(|(place, _)| is_over(place))
            .map(|(place, file)| (owner.clone(), place, file))
            .collect();
        let goes_on = files.len() == AT_ONCE && !is_all;
        let_go(server, files).await?;
        if !goes_on || server.stopping() {
            return Ok(());
        }
    }
}

/// Removes files, each by a commit of its own, all of which are on their way together.
async fn let_go(server: &Server, files: Vec<(Owner, Place, StoredFile)>) -> Result<(), StoreError> {
    let mut commits = Vec::with_capacity(files.len());
    for (owner, place, file) in files {
        let mut batch = Batch::new();
        batch.unhurried();
        take_out(&mut batch, &owner, &place, &file);
        batch.blob_unref(&owner, &file.hash()?);
        let commit = server.store().commit(batch);
        commits.push((owner, place, file, commit));
    }
    for (owner, place, file, commit) in commits {
        match commit.await {
            Ok(_) => {}
            // Somebody was quicker, or the account is gone.
            Err(StoreError::Refused { .. }) => continue,
            // Its reference is gone, by damage: what is said of it goes too.
            Err(StoreError::NoSuchBlob) => {
                let mut batch = Batch::new();
                take_out(&mut batch, &owner, &place, &file);
                match server.store().commit(batch).await {
                    Err(StoreError::Refused { .. }) => continue,
                    done => done?,
                };
            }
            Err(error) => return Err(error),
        }
        server.note_upload_gone(domain_of(&owner).unwrap_or_default(), file.size);
    }
    Ok(())
}
