//! Whose files lie in a bucket: the object `waxwing-store` says so. Two servers in one place would remove each other's files
//! as what nothing refers to.

use super::client::Client;
use super::fault::ObjectFault;

/// The object's name below the prefix.
pub(super) const NAME: &str = "waxwing-store";
/// What it begins with: never change it.
const HEAD: &str = "waxwing files 1\n";
/// What stands before the store's name while it is being restored.
const RESTORING: &str = "restoring ";

/// Who says that the files are theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The store's name, which nobody else has: letters and digits.
    pub(crate) store: String,
    /// Whether files were there before, so that the object must be there.
    pub(crate) has_files: bool,
}

/// The object, as it was found.
enum Found {
    /// Nothing at all lies there.
    Nothing,
    /// Some of the files of a store that is being restored under this name.
    Restoring(String),
    /// The files of the store of this name.
    Of(String),
}

async fn found(client: &Client) -> Result<Found, ObjectFault> {
    let Some(text) = client.text(NAME).await? else {
        if client.holds_anything().await? {
            let found = "objects that are not Waxwing's";
            return Err(ObjectFault::Foreign { found });
        }
        return Ok(Found::Nothing);
    };
    let name = text
        .strip_prefix(HEAD)
        .and_then(|rest| rest.strip_suffix('\n'));
    let restoring = name.and_then(|name| name.strip_prefix(RESTORING));
    match (restoring, name) {
        (Some(name), _) => Ok(Found::Restoring(name.to_owned())),
        (None, Some(name)) => Ok(Found::Of(name.to_owned())),
        (None, None) => Err(ObjectFault::Foreign {
            found: "something else under the name of what says whose it is",
        }),
    }
}

fn others() -> ObjectFault {
    ObjectFault::Foreign {
        found: "the files of another Waxwing server",
    }
}

fn text(name: &str) -> String {
    format!("{HEAD}{name}\n")
}

impl Claim {
    /// Whether the files are those of the store of this name.
    pub(super) async fn is_of(client: &Client, store: &str) -> Result<bool, ObjectFault> {
        let found = found(client).await?;
        Ok(matches!(found, Found::Of(name) | Found::Restoring(name) if name == store))
    }

    /// Makes sure that the place is ours, and takes it where it is nobody's.
    pub(super) async fn hold(&self, client: &Client) -> Result<(), ObjectFault> {
        match found(client).await? {
            Found::Of(name) if name == self.store => return Ok(()),
            Found::Of(_) => return Err(others()),
            // The database took effect, and then the restore was cut short.
            Found::Restoring(name) if name == self.store => {}
            Found::Restoring(_) => return Err(ObjectFault::Unrestored),
            Found::Nothing if self.has_files => return Err(ObjectFault::NotOurs),
            Found::Nothing => {}
        }
        client.put_text(NAME, text(&self.store)).await?;
        // Somebody may have done the same meanwhile.
        match found(client).await? {
            Found::Of(name) if name == self.store => Ok(()),
            _ => Err(others()),
        }
    }
}

/// Takes a place where nothing is for a restore, or goes on with one that did not end.
pub(super) async fn begin_restore(client: &Client, store: &str) -> Result<(), ObjectFault> {
    match found(client).await? {
        Found::Of(_) => Err(others()),
        Found::Restoring(_) | Found::Nothing => {
            let name = format!("{RESTORING}{store}");
            client.put_text(NAME, text(&name)).await
        }
    }
}

/// Says whose it is when everything has taken effect.
pub(super) async fn end_restore(client: &Client, store: &str) -> Result<(), ObjectFault> {
    client.put_text(NAME, text(store)).await
}
