//! What mends a data directory or a database that the server does not take, as `serve`, `check` and `doctor` say it.

use waxwing_store::OpenError;

/// What to do about it; `None` where the error says it.
pub(crate) fn mend(error: &OpenError) -> Option<&'static str> {
    Some(match error {
        OpenError::Damaged { .. } => {
            "`waxwing doctor` says what is damaged, and saves the rest; move the directory away and restore the latest backup (`waxwing restore`)"
        }
        OpenError::Newer { .. } | OpenError::UnknownShape(_) | OpenError::OtherKind(_) => {
            "use the version of Waxwing that wrote it, or a newer one"
        }
        OpenError::TooOld { .. } => "upgrade by a version in between",
        OpenError::Incomplete { .. } => {
            "put back what is missing, or move the directory away and restore the latest backup"
        }
        OpenError::ReadOnly(_) => {
            "have the disk mounted for writing (`mount -o remount,rw`); one that has turned read-only by itself is failing, and `dmesg` says why. A unit of systemd may write only where its ReadWritePaths= or StateDirectory= says"
        }
        OpenError::Denied(_) => {
            "give the directory with everything in it to the user that runs the server (`chown -R`), and run this as that user"
        }
        OpenError::InUse(_) | OpenError::DatabaseInUse(_) => "stop the other server first",
        OpenError::Unreachable { .. } => {
            "see to whether PostgreSQL runs there and can be reached from here"
        }
        OpenError::Behind { .. } => {
            "it may be the primary of before a failover, or a copy of an earlier time: name the server that has everything. To give up what is \
             missing for good, remove database-commits from the data directory"
        }
        OpenError::NotLetIn { .. } => {
            "see to the user and its password ('store.url', 'store.password_file'), and to pg_hba.conf on the database's host"
        }
        OpenError::NoDatabase(_) => "create it there: `createdb --owner=USER NAME`",
        OpenError::Forbidden { .. } => "make the user its owner: ALTER DATABASE … OWNER TO …",
        OpenError::FilesElsewhere { .. } => {
            "name that place in [blobs], or none for files on the disk; `waxwing store copy` moves everything to a new place"
        }
        OpenError::Objects { .. } => {
            "see to 'blobs.url' and the bucket; `waxwing store copy` moves files between places"
        }
        OpenError::Environment { .. } => {
            "see to the disk, and to whether the user that runs the server may use the directory"
        }
        _ => return None,
    })
}
